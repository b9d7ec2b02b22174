"""Attention in two parts against diffusers' own, under its block mask; kernels against the definition; the cache."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from diffusers import WanAnimate2Transformer3DModel
from diffusers.models.transformers.transformer_wan_animate_2 import WanAnimate2KVCache

from understudy.engines.diffusion.attention import (
    KERNELS,
    TABLES,
    SplitAttention,
    best_kernel,
    merged,
    plain,
    processor,
    split_attention,
)
from understudy.engines.diffusion.driving_cache import DrivingCache, Keeping

FRAMES, HEIGHT, WIDTH = 3, 8, 10  # of the latent
AREA = HEIGHT * WIDTH // 4


@pytest.fixture(scope="module")
def transformer() -> Any:
    torch.manual_seed(0)
    return WanAnimate2Transformer3DModel(
        text_len=16, dim=128, ffn_dim=256, freq_dim=64, text_dim=32, num_heads=4, num_layers=2
    ).eval()


def noise_of(transformer: Any, cache: Any) -> torch.Tensor:
    """What the transformer says of the same noise, after it has looked at the same driving segment."""
    generator = torch.Generator().manual_seed(1)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    grid = torch.tensor([[FRAMES, HEIGHT // 2, WIDTH // 2]])
    seen = random(1, 4, 1280)
    with torch.no_grad():
        transformer(
            [random(16, FRAMES, HEIGHT, WIDTH)],
            timestep=torch.tensor([1.0]),
            encoder_hidden_states=[random(8, 32)],
            encoder_hidden_states_image=seen,
            condition_latents=[random(20, FRAMES, HEIGHT, WIDTH)],
            kv_cache=cache,
            kv_cache_mode="extract",
            seq_len=FRAMES * AREA,
            offset_grid_sizes=grid,
        )
        return transformer(
            [random(16, FRAMES + 1, HEIGHT, WIDTH)],
            timestep=torch.tensor([500.0]),
            encoder_hidden_states=[random(8, 32)],
            encoder_hidden_states_image=seen,
            condition_latents=[random(20, FRAMES + 1, HEIGHT, WIDTH)],
            kv_cache=cache,
            kv_cache_mode="cached",
            seq_len=(FRAMES + 1) * AREA,
            reference_grid_sizes=grid,
            origin_len=FRAMES * 4 - 3,
            origin_area=[HEIGHT * 8, WIDTH * 8],
        ).sample[0]  # type: ignore[no-any-return]


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize("kernel", ["plain", "processor"])
def test_two_parts_are_the_masked_attention(transformer: Any, kernel: str) -> None:
    processors = {name: block.self_attn.processor for name, block in enumerate(transformer.blocks)}
    wanted = noise_of(transformer, WanAnimate2KVCache(2))
    split_attention(transformer, kernel)
    try:
        found = noise_of(transformer, DrivingCache(2))
        small = noise_of(transformer, DrivingCache(2, Keeping.FP8))
        aside = noise_of(transformer, DrivingCache(2, Keeping.HOST))
    finally:
        for name, block in enumerate(transformer.blocks):
            block.self_attn.set_processor(processors[name])
        transformer.block_masks = {}
    assert wanted.std() > 0.1
    torch.testing.assert_close(found, wanted, atol=5e-6, rtol=0)
    torch.testing.assert_close(aside, wanted, atol=5e-6, rtol=0)
    assert 0 < (small - wanted).norm() / wanted.norm() < 0.01


def test_tables_of_the_last_size_alone_are_kept() -> None:
    """Every picture's shape has tables of its own: with time they would fill the card."""
    attention = SplitAttention("plain")
    table = torch.randn(512, 12, dtype=torch.complex128)
    for size in range(2, 9):
        for frames in (FRAMES, FRAMES + 1):
            grid = torch.tensor([[frames, size, size]])
            first = attention._rotary(table, grid, 1)
            assert attention._rotary(table, grid, 1) is first
        assert len(attention._turns) == TABLES
    attention.forget()
    assert not attention._turns


def test_each_frame_sees_its_own_driving_frame_alone(transformer: Any) -> None:
    """Values of one driving frame change what is made, not only there: but without what is made attending to itself,
    only there. So the second part is looked at by itself, with a first part that weighs nothing."""
    generator = torch.Generator().manual_seed(2)
    query, key, value = (torch.randn(3, 2, 5, 8, generator=generator) for _ in range(3))
    seen = processor(query, key, value)
    nothing = torch.zeros_like(query), torch.full(query.shape[:3], -1e9)
    torch.testing.assert_close(merged(nothing, seen), seen[0])


def test_merging_is_attention_over_both() -> None:
    generator = torch.Generator().manual_seed(3)
    query = torch.randn(1, 2, 7, 8, generator=generator)
    key, value = (torch.randn(1, 2, 12, 8, generator=generator) * 3 for _ in range(2))
    whole, _ = plain(query, key, value)
    parts = [plain(query, key[:, :, part], value[:, :, part]) for part in (slice(0, 5), slice(5, 12))]
    torch.testing.assert_close(merged(*parts), whole)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_best_kernel_here_is_one_that_is_right_here(dtype: torch.dtype) -> None:
    name = best_kernel(torch.device("cpu"), dtype, 2, 64)
    assert name == "processor"


def test_a_kernel_that_answers_wrongly_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(query: Any, key: Any, value: Any) -> Any:
        made, sums = plain(query, key, value)
        return made, sums / 0.6931  # to another base

    for name in KERNELS:
        monkeypatch.setitem(KERNELS, name, plain if name == "plain" else wrong)
    assert best_kernel(torch.device("cpu"), torch.float32, 2, 64) == "plain"


@pytest.mark.parametrize("keeping", list(Keeping))
def test_the_cache_gives_back_what_it_was_given(keeping: Keeping) -> None:
    generator = torch.Generator().manual_seed(4)
    key, value = (torch.randn(1, 50, 4, 16, generator=generator).to(torch.bfloat16) for _ in range(2))
    cache = DrivingCache(2, keeping)
    with pytest.raises(RuntimeError):
        cache.get(0).get()
    cache.get(1).store(key, value)
    for given, kept in zip((key, value), cache.get(1).get(), strict=True):
        assert kept.dtype == given.dtype
        limit = 0.04 if keeping is Keeping.FP8 else 0
        assert (kept.float() - given.float()).norm() <= limit * given.float().norm()
    cache.clear()
    with pytest.raises(RuntimeError):
        cache.get(1).get()
