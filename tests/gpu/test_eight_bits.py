"""Weights and products of 8 bits: how far off they are, on what they fall back, and both models with them."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from written_assignment import written

from understudy.engines.diffusion import eight_bits, loading
from understudy.engines.diffusion.assignment import Assignment
from understudy.engines.diffusion.eight_bits import (
    FLOAT8,
    INT8,
    PRODUCTS,
    WIDE,
    EightBitLinear,
    best_product,
    into_eight_bits,
    scaled,
    widened,
)
from understudy.engines.diffusion.plan import PRECISION_VARIABLE, Plan
from understudy.engines.diffusion.spec import SPECS, WAN_ANIMATE_1, WAN_ANIMATE_2, ModelSpec
from understudy.errors import EngineError

sys.path.append(str(Path(__file__).parents[2] / "benchmarks" / "gpu"))
import count

CPU = torch.device("cpu")
WIDTH, OUT, TOKENS = 1024, 96, 150
# Relative errors of a product: of wide ones, the weights' rounding; of narrow ones, that of states too. Measured with
# normally distributed numbers: 0.009, 0.037, 0.012.
LIMITS = {WIDE: 0.012, "float8": 0.045, "int8": 0.016}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """For tensors this small, more wait for one another."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def normal(*shape: int, seed: int = 0, size: Any = 1.0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * size


def off(found: Tensor, wanted: Tensor) -> float:
    return float((found.float() - wanted.float()).norm() / wanted.float().norm())


@pytest.mark.parametrize("size", [0.02, 0.002, 3.0])
@pytest.mark.parametrize("product", LIMITS)
def test_a_layer_is_near_its_original_at_any_size_of_weights(product: str, size: float) -> None:
    """Which it is by its scales alone: without, small weights are rounded to a few numbers, large ones are cut off."""
    weight, bias = normal(OUT, WIDTH, size=size), normal(OUT, seed=1, size=size)
    states = normal(2, TOKENS, WIDTH, seed=2)
    wanted = torch.nn.functional.linear(states, weight, bias)
    found = EightBitLinear(weight, bias, product)(states)
    assert found.shape == wanted.shape
    assert 0 < off(found, wanted) < LIMITS[product]


@pytest.mark.parametrize("product", LIMITS)
def test_channels_and_tokens_have_scales_of_their_own(product: str) -> None:
    """Sizes that differ a thousandfold: each row and each column is near, not only the large ones."""
    weight = normal(OUT, WIDTH, size=torch.logspace(-5, -2, OUT)[:, None])
    states = normal(TOKENS, WIDTH, seed=2, size=torch.logspace(-1, 2, TOKENS)[:, None])
    wanted = states @ weight.t()
    found = EightBitLinear(weight, None, product)(states)
    for dim in (0, 1):
        errors = (found - wanted).norm(dim=dim) / wanted.norm(dim=dim)
        assert errors.max() < 2.5 * LIMITS[product]  # few numbers make up the norm of each


def test_scaled_weights_lose_less_than_a_cast() -> None:
    """What the plan of small weights did before: of weights as large as trained ones 3.3 %, of smaller ones more."""
    for size, at_least in ((0.02, 0.03), (0.005, 0.1)):
        weight = normal(OUT, WIDTH, size=size)
        cast = off(weight.to(torch.float8_e4m3fn), weight)
        kept = off(widened(eight_bits._nearest(weight)[1]), weight)
        assert cast > at_least
        assert kept < 0.01


def test_a_weight_is_kept_in_the_format_that_rounds_it_less() -> None:
    even, uneven = normal(OUT, WIDTH), normal(OUT, WIDTH)
    uneven[:, 7] *= 100  # one channel that stands out makes int8 coarse for all others
    for weight, kept in ((even, INT8), (uneven, FLOAT8)):
        layer = EightBitLinear(weight, None)
        assert layer._format is kept
        assert off(widened((layer.weight.view(kept.dtype), layer.scale)), weight) < 0.03


def test_states_that_stand_out_are_why_float8_comes_first() -> None:
    states, weight = normal(TOKENS, WIDTH), normal(OUT, WIDTH, seed=1)
    states[:, 7] *= 60
    wanted = states @ weight.t()
    errors = {name: off(EightBitLinear(weight, None, name)(states), wanted) for name in PRODUCTS}
    assert errors["float8"] < LIMITS["float8"] < errors["int8"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", PRODUCTS)
def test_a_product_is_that_of_the_numbers_that_it_was_given(name: str, dtype: torch.dtype) -> None:
    kept, product = PRODUCTS[name]
    states = scaled(normal(TOKENS, WIDTH).to(dtype), kept)
    weight = scaled(normal(OUT, WIDTH, seed=1, size=0.02), kept)
    bias = normal(OUT, seed=2).to(dtype)
    wanted = widened(states) @ widened(weight).t() + bias.float()
    found = product(states, weight, bias, dtype)
    assert found.dtype == dtype
    assert off(found, wanted) < (1e-5 if dtype == torch.float32 else 3e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kept", [FLOAT8, INT8])
def test_no_number_leaves_the_format(kept: Any, dtype: torch.dtype) -> None:
    """Float8 has no infinity to say so, and int8 turns over."""
    states = normal(2000, 64, size=torch.logspace(-3, 3, 2000)[:, None]).to(dtype)
    states[0] = 0
    numbers, scales = scaled(states, kept)
    assert numbers.float().abs().amax() == kept.most
    assert (numbers.float().sign() * states.float().sign() >= 0).all()
    assert scales.isfinite().all()
    assert off(widened((numbers, scales)), states) < 0.04
    assert (widened((numbers, scales))[0] == 0).all()


@pytest.mark.parametrize("product", LIMITS)
def test_many_rows_are_made_in_blocks(product: str, monkeypatch: pytest.MonkeyPatch) -> None:
    states = normal(TOKENS, WIDTH).bfloat16()
    layer = EightBitLinear(normal(OUT, WIDTH, seed=1).bfloat16(), normal(OUT).bfloat16(), product)
    whole = layer(states)
    monkeypatch.setattr(eight_bits, "AT_ONCE", 40)
    torch.testing.assert_close(layer(states), whole, atol=0, rtol=0)


@pytest.mark.parametrize("name", PRODUCTS)
def test_long_sequences_need_little_beside_what_comes_out(name: str) -> None:
    """The second layer of the feed-forward part at 640 x 800: the states in 8 bits, and a block's copies."""
    rows, width, out = 42_000, 13_824, 5120
    with torch.device("meta"):
        layer = EightBitLinear(torch.empty(out, width, dtype=torch.bfloat16), None, name)
        states = torch.empty(rows, width, dtype=torch.bfloat16)
    with count.Held() as held, torch.no_grad():
        made = layer(states)
    assert made.nbytes == rows * out * 2
    copies = 2 * 4 * eight_bits.AT_ONCE * max(width, out)
    assert made.nbytes + rows * width < held.peak < made.nbytes + rows * width + copies


def test_here_it_is_float8() -> None:
    for dtype in (torch.float32, torch.bfloat16):
        assert best_product(CPU, dtype) == "float8"


def broken(error: type[Exception]) -> Any:
    def product(*_: Any) -> Tensor:
        raise error("not for this card")

    return product


def without_states_scales(states: Any, weight: Any, bias: Any, dtype: torch.dtype) -> Tensor:
    mean = states[1].mean().expand_as(states[1])
    return (widened((states[0], mean)) @ widened(weight).t() + bias).to(dtype)


def without_bias(states: Any, weight: Any, bias: Any, dtype: torch.dtype) -> Tensor:
    return (widened(states) @ widened(weight).t()).to(dtype)


def of_nothing(states: Any, weight: Any, bias: Any, dtype: torch.dtype) -> Tensor:
    return without_bias(states, weight, bias, dtype) * float("nan")


WRONG = [
    *map(broken, (RuntimeError, NotImplementedError, ValueError, AttributeError)),
    *(without_states_scales, without_bias, of_nothing),
]


@pytest.mark.parametrize("wrong", WRONG)
def test_what_a_device_cannot_do_right_is_not_used(
    wrong: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING")  # as a process has it where nothing else is said
    assert best_product(CPU, torch.bfloat16) == "float8"
    assert not caplog.text
    monkeypatch.setitem(PRODUCTS, "float8", (FLOAT8, wrong))
    assert best_product(CPU, torch.bfloat16) == "int8"
    assert "by int8" in caplog.text
    monkeypatch.setitem(PRODUCTS, "int8", (INT8, wrong))
    assert best_product(CPU, torch.bfloat16) == WIDE
    assert "widened" in caplog.text


def test_a_product_is_not_passed_over_for_want_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PRODUCTS, "float8", (FLOAT8, broken(torch.OutOfMemoryError)))
    with pytest.raises(torch.OutOfMemoryError):
        best_product(CPU, torch.bfloat16)


@pytest.mark.parametrize("name", PRODUCTS)
def test_few_rows_are_widened(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """For which cards' integers have no kernel."""
    layer = EightBitLinear(normal(OUT, WIDTH), None, name)
    monkeypatch.setitem(PRODUCTS, name, (PRODUCTS[name][0], broken(RuntimeError)))
    assert layer(normal(1, 16, WIDTH)).shape == (1, 16, OUT)
    with pytest.raises(RuntimeError):
        layer(normal(1, 17, WIDTH))


# The models.

SIZE, SEGMENT = (48, 64), 5
SPEC = {
    2: replace(WAN_ANIMATE_2, segment_frames=SEGMENT, steps=2),
    1: replace(WAN_ANIMATE_1, segment_frames=SEGMENT, steps=2),
}
SIXTEEN = Plan("resident", 0, 0, encoders_stay=True)
WEIGHTS = replace(SIXTEEN, small_weights=True)
EIGHT = replace(WEIGHTS, small_products=True)


@pytest.fixture(autouse=True)
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    for spec in SPEC.values():
        monkeypatch.setitem(SPECS, spec.name, spec)


def assigned(folder: Path, spec: ModelSpec) -> Assignment:
    return written(folder, Assignment(spec.name, *SIZE, SEGMENT, "人物外观描述：一只猫。", 7, 2, ""))


def frames(model: Any, folder: Path, assignment: Assignment) -> NDArray[np.float64]:
    model._distilled = True  # without the LoRA there are 20 steps
    return model.make(model.begin(folder, assignment), 0, None, lambda *_: None)[0].astype(float)  # type: ignore[no-any-return]


def layers(model: Any) -> list[EightBitLinear]:
    return [one for one in model._pipeline.transformer.modules() if isinstance(one, EightBitLinear)]


@pytest.mark.parametrize("which", SPEC)
def test_both_models_make_nearly_the_same_in_8_bits(
    which: int, weights: dict[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In levels of 255. Random weights know no picture: this is how rounding goes on through a model, no more."""
    assignment = assigned(tmp_path, SPEC[which])

    def made(plan: Plan) -> NDArray[np.float64]:
        model = loading.load(SPEC[which], weights[which], CPU, plan, torch.bfloat16)
        assert bool(layers(model)) == plan.small_weights
        return frames(model, tmp_path, assignment)

    wanted = made(SIXTEEN)
    assert wanted.std() > 3
    found = {"wide": made(WEIGHTS), "float8": made(EIGHT)}
    monkeypatch.setattr(eight_bits, "PRODUCTS", {"int8": PRODUCTS["int8"]})
    found["int8"] = made(EIGHT)
    errors = {name: np.abs(one - wanted).mean() for name, one in found.items()}
    assert all(0 < error < 2 for error in errors.values()), errors
    assert len({round(error, 9) for error in errors.values()}) == 3  # each went its own way


@pytest.mark.parametrize("which", SPEC)
def test_the_blocks_alone_are_in_8_bits(which: int, weights: dict[int, Path]) -> None:
    parts, _ = loading.read(SPEC[which], weights[which], torch.bfloat16)
    transformer = parts["transformer"]
    before = {name for name, module in transformer.named_modules() if isinstance(module, torch.nn.Linear)}
    blocks = {name for name in before if name.startswith("blocks.")}
    assert into_eight_bits(transformer, CPU, "float8", CPU) == len(blocks) == 2 * 12
    after = dict(transformer.named_modules())
    assert {name for name in before if isinstance(after[name], EightBitLinear)} == blocks
    for part in ("to_q", "to_k", "to_v", "to_out.0", "add_k_proj", "ffn"):
        assert any(part in name for name in blocks)
    assert transformer.dtype == torch.bfloat16
    assert transformer.device == CPU
    for name in blocks:
        layer = after[name]
        assert layer.weight.element_size() == 1
        assert not list(layer.buffers())  # which diffusers' offloading leaves on the card
        assert not any(one.requires_grad for one in layer.parameters())
    layer = after["blocks.0.ffn.0" if which == 2 else "blocks.0.ffn.net.0.proj"]
    kept, scale = layer.weight.clone(), layer.scale.clone()
    layer.to(torch.bfloat16)
    assert layer.weight.dtype == torch.int8
    assert (layer.weight == kept).all()
    torch.testing.assert_close(layer.scale.float(), scale, rtol=0.01, atol=0)


def test_widths_that_no_kernel_takes_stay() -> None:
    class Part(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            sides = ((32, 48), (24, 32), (32, 40))
            self.blocks = torch.nn.ModuleList(torch.nn.Linear(*each) for each in sides)

    part = Part()
    assert into_eight_bits(part, CPU, WIDE, CPU) == 1
    assert [type(block) is EightBitLinear for block in part.blocks] == [True, False, False]


def test_one_layer_after_the_other_is_rounded(
    weights: dict[int, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was rounded in 16 bits is let go, by the model and on the device, before the next comes."""
    parts, _ = loading.read(SPEC[2], weights[2], torch.bfloat16)
    transformer = parts["transformer"]
    kept, brought = (list[weakref.ref[Tensor]]() for _ in range(2))
    alive = []
    real = eight_bits._in_eight_bits
    made = EightBitLinear.__init__

    def watched(linear: Any, *rest: Any) -> EightBitLinear:
        alive.append([sum(one() is not None for one in each) for each in (kept, brought)])
        kept.append(weakref.ref(linear))
        return real(linear, *rest)

    def watched_layer(layer: Any, weight: Tensor, *rest: Any) -> None:
        brought.append(weakref.ref(weight))
        made(layer, weight, *rest)

    monkeypatch.setattr(eight_bits, "_in_eight_bits", watched)
    monkeypatch.setattr(EightBitLinear, "__init__", watched_layer)
    monkeypatch.setattr(torch.Tensor, "to", lambda tensor, *_, **__: tensor.clone())  # as to another device
    into_eight_bits(transformer, CPU, "float8", CPU)
    assert alive == [[0, 0]] * 24


def test_a_lora_is_in_the_weights_before_they_are_rounded(
    weights: dict[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import save_file

    plain = loading.load(SPEC[1], weights[1], CPU, EIGHT, torch.float32)
    name = "blocks.1.attn1.to_q"
    down, up = normal(4, 32), normal(32, 4, seed=1)
    file = tmp_path / "lora.safetensors"
    save_file({f"transformer.{name}.lora_A.weight": down, f"transformer.{name}.lora_B.weight": up}, str(file))
    monkeypatch.setattr(loading, "lora_path", lambda: file)
    model: Any = loading.load(SPEC[1], weights[1], CPU, EIGHT, torch.float32)
    assert model._distilled
    exact = diffusers.WanAnimateTransformer3DModel.from_pretrained(weights[1] / "transformer")
    found, without = (one._pipeline.transformer.get_submodule(name) for one in (model, plain))
    change = up @ down
    wanted = exact.get_submodule(name).weight.detach() + change
    assert isinstance(found, EightBitLinear)
    kept = widened((found.weight.view(found._format.dtype), found.scale))
    assert off(kept, wanted) < 0.04
    assert off(kept - widened((without.weight.view(without._format.dtype), without.scale)), change) < 0.1


def test_a_model_in_8_bits_stays_for_the_next_assignment(
    weights: dict[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = {SPEC[which].name: folder for which, folder in weights.items()}
    monkeypatch.setattr(loading, "weights_folder", lambda name: folders[name])
    monkeypatch.setenv(PRECISION_VARIABLE, "8")
    newer, older = (assigned(tmp_path / name, SPEC[which]) for name, which in (("newer", 2), ("older", 1)))
    load = loading.Loading("cpu")
    first = load(newer)
    assert load(newer) is first
    assert len(layers(first)) == 24
    assert layers(first)[0]._product == "float8"
    assert len(layers(load(older))) == 24
    monkeypatch.setenv(PRECISION_VARIABLE, "16")
    assert not layers(loading.Loading("cpu")(newer))
    monkeypatch.setenv(PRECISION_VARIABLE, "4")
    with pytest.raises(EngineError) as caught:
        loading.Loading("cpu")(newer)
    assert caught.value.code == "gpu_plan"
    assert "'4'" in caught.value.message


def test_offloading_by_blocks_moves_them(weights: dict[int, Path], tmp_path: Path) -> None:
    """diffusers' own, without the stream that wants a card."""
    assignment = assigned(tmp_path, SPEC[2])
    model: Any = loading.load(SPEC[2], weights[2], CPU, EIGHT, torch.bfloat16)
    wanted = frames(model, tmp_path, assignment)
    transformer = model._pipeline.transformer
    transformer.enable_group_offload(
        onload_device=CPU, offload_device=CPU, offload_type="block_level", num_blocks_per_group=1
    )
    assert (frames(model, tmp_path, assignment) == wanted).all()
