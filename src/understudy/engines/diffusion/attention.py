"""Self-attention of Wan-Animate-2 in two exact parts, without masks and without compiling.

Each frame that is being made looks at all frames being made, and at the one frame of the driving video that belongs to
it. diffusers writes that as one attention under a block mask, which runs on PyTorch's flex attention only and wants
torch.compile (uncompiled it builds the whole matrix: terabytes at video sizes). Here it is two dense attentions, one
over all that is made and one per frame over its driving frame, put together by the logarithms of their sums, which is
the same number up to rounding (the way of blockwise and ring attention: Liu and others, arXiv 2310.01889). So each part
runs on the fastest kernel that is there, from the first call on.

Rotary embeddings are the same for all layers and steps of a size; they are worked out once, in float64, and applied in
float32. The driving frames' keys are kept with theirs applied.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Attended = tuple[Tensor, Tensor]
Kernel = Callable[[Tensor, Tensor, Tensor], Attended]
"""From (B, heads, S, d) queries, keys and values: (B, heads, S, d) and float32 (B, heads, S), the logarithm of each
query's sum."""

AT_ONCE = 8192  # tokens of which there are copies in 32 bits at a time
TABLES = 2  # of a size: of the driving frames, and of what is made with the reference image's place before it
TRIED = (2, 301)  # batches and tokens, of a number that no kernel's tile divides

_aten = torch.ops.aten
log = logging.getLogger(__name__)


def cudnn(query: Tensor, key: Tensor, value: Tensor) -> Attended:
    """The fastest on Hopper and later."""
    made = _aten._scaled_dot_product_cudnn_attention(query, key, value, None, True)
    return made[0], _per_query(made[1], query)


def flash(query: Tensor, key: Tensor, value: Tensor) -> Attended:
    made = _aten._scaled_dot_product_flash_attention(query, key, value)
    return made[0], _per_query(made[1], query)


def efficient(query: Tensor, key: Tensor, value: Tensor) -> Attended:
    """Takes float32 too; sums come padded."""
    made = _aten._scaled_dot_product_efficient_attention(query, key, value, None, True)
    return made[0], _per_query(made[1], query)


def processor(query: Tensor, key: Tensor, value: Tensor) -> Attended:
    made = _aten._scaled_dot_product_flash_attention_for_cpu(query, key, value)
    return made[0], _per_query(made[1], query)


def plain(query: Tensor, key: Tensor, value: Tensor) -> Attended:
    """The definition: for small sizes, and to compare with."""
    scores = query.float() @ key.float().transpose(-1, -2) / query.shape[-1] ** 0.5
    sums = scores.logsumexp(-1)
    return ((scores - sums[..., None]).exp() @ value.float()).to(query.dtype), sums


KERNELS: dict[str, Kernel] = {
    "cudnn": cudnn,
    "flash": flash,
    "efficient": efficient,
    "processor": processor,
    "plain": plain,
}


def best_kernel(device: torch.device, dtype: torch.dtype, heads: int, head_width: int) -> str:
    """The first kernel of the list that gives the right answer on this device, tried on a small example."""
    generator = torch.Generator().manual_seed(0)
    shape = (*TRIED, heads, head_width)  # as they come out of the projections
    query, key, value = (
        torch.randn(shape, generator=generator).to(device, dtype).transpose(1, 2) for _ in range(3)
    )
    wanted = plain(query, key, value)
    for name, kernel in KERNELS.items():
        try:
            found = kernel(query, key, value)
        except torch.OutOfMemoryError:
            raise  # which says nothing of the kernel
        except (RuntimeError, NotImplementedError):  # not for this device, type or build
            continue
        near = 0.05 if dtype != torch.float32 else 1e-3
        if all((a.float() - b.float()).abs().max() < near for a, b in zip(found, wanted, strict=True)):
            log.info("attention on %s by the kernel %s", device, name)
            return name
    return "plain"


def merged(first: Attended, second: Attended) -> Tensor:
    """The attention over the keys of both, in the place of the first one's."""
    made, seen = first[0], second[0]
    shares = torch.sigmoid(second[1] - first[1])[..., None]
    for begin in range(0, made.shape[2], AT_ONCE):
        part = slice(begin, begin + AT_ONCE)
        wide = torch.lerp(made[:, :, part].float(), seen[:, :, part].float(), shares[:, :, part])
        made[:, :, part] = wide
    return made


class SplitAttention:
    """Takes the place of diffusers' ``WanAnimate2AttnProcessor`` in each block. Batches of one, as the pipeline makes.

    ``kernel`` is a name of KERNELS.
    """

    _attention_backend = None
    _parallel_config = None

    def __init__(self, kernel: str) -> None:
        self._attend = KERNELS[kernel]
        self._turns: dict[tuple[Any, ...], Tensor] = {}

    def forget(self) -> None:
        """Tables of sizes, some 20 MB each."""
        self._turns.clear()

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        rotary_emb: Tensor,
        grid_sizes: Tensor,
        kv_cache: Any,
        kv_cache_mode: str,
        rope_stride: int = 1,
        reference_rotary_emb: Tensor | None = None,
        reference_grid_sizes: Tensor | None = None,
        reference_rope_stride: int = 1,
        **masked: Any,
    ) -> Tensor:
        del masked, reference_rotary_emb, reference_grid_sizes, reference_rope_stride
        query = attn.norm_q(attn.to_q(hidden_states)).unflatten(2, (attn.heads, -1))
        key = attn.norm_k(attn.to_k(hidden_states)).unflatten(2, (attn.heads, -1))
        value = attn.to_v(hidden_states).unflatten(2, (attn.heads, -1))
        turns = self._rotary(rotary_emb, grid_sizes, rope_stride)
        query, key = turned(query, turns), turned(key, turns)
        made, sums = self._attend(*(part.transpose(1, 2) for part in (query, key, value)))
        if kv_cache_mode == "extract":
            kv_cache.store(key, value)
        else:
            made = self._with_driving(query, made, sums, kv_cache, int(grid_sizes[0][0]))
        states = made.transpose(1, 2).flatten(2).type_as(hidden_states)
        return attn.to_out[1](attn.to_out[0](states))

    def _with_driving(self, query: Tensor, made: Tensor, sums: Tensor, kv_cache: Any, frames: int) -> Tensor:
        """What each frame sees in its own driving frame, added. The first is the reference image's: it has none."""
        area = query.shape[1] // frames
        key, value = kv_cache.get()
        parts = [part.unflatten(1, (-1, area))[0].transpose(1, 2) for part in (query[:, area:], key, value)]
        seen, seen_sums = self._attend(*parts)
        heads = seen.shape[1]
        seen = seen.transpose(0, 1).reshape(1, heads, -1, seen.shape[-1])
        seen_sums = seen_sums.transpose(0, 1).reshape(1, heads, -1)
        merged((made[:, :, area:], sums[:, :, area:]), (seen, seen_sums))
        return made

    def _rotary(self, table: Tensor, grid_sizes: Tensor, stride: int) -> Tensor:
        """(tokens, 1, d / 2) complex: each token's turn. ``table`` (512, d / 2) has those of time, height and width
        side by side, as the transformer makes them."""
        frames, height, width = grid_sizes[0].tolist()
        known = (id(table), frames, height, width, stride)
        turns = self._turns.get(known)
        if turns is None:
            half = table.shape[1]
            time, down, across = table.split([half - 2 * (half // 3), half // 3, half // 3], dim=1)
            grid = (frames, height, width, -1)
            turns = torch.cat(
                [
                    time[: frames * stride : stride].view(frames, 1, 1, -1).expand(grid),
                    down[:height].view(1, height, 1, -1).expand(grid),
                    across[:width].view(1, 1, width, -1).expand(grid),
                ],
                dim=-1,
            )
            turns = turns.reshape(frames * height * width, 1, half).to(torch.complex64)
            while len(self._turns) >= TABLES:  # of another size: they would fill the card with time
                self._turns.pop(next(iter(self._turns)))
            self._turns[known] = turns
        return turns


def turned(states: Tensor, turns: Tensor) -> Tensor:
    """(B, S, heads, d) with rotary embeddings, in the place of those without."""
    for begin in range(0, states.shape[1], AT_ONCE):
        part = slice(begin, begin + AT_ONCE)
        pairs = torch.view_as_complex(states[:, part].float().unflatten(-1, (-1, 2)))
        states[:, part] = torch.view_as_real(pairs * turns[part]).flatten(-2)
    return states


class NoMasks(dict[Any, None]):
    """In the place of the transformer's block masks: there is one for every size, and none is needed."""

    def __contains__(self, size: object) -> bool:
        return True

    def __missing__(self, size: object) -> None:
        return None


def split_attention(transformer: Any, kernel: str) -> SplitAttention:
    """Have a ``WanAnimate2Transformer3DModel`` attend in two parts."""
    attention = SplitAttention(kernel)
    for block in transformer.blocks:
        block.self_attn.set_processor(attention)
    transformer.block_masks = NoMasks()
    return attention


def _per_query(sums: Tensor, query: Tensor) -> Tensor:
    """(B, heads, S) float32, without a kernel's padding."""
    if sums.dim() == 4:
        sums = sums.squeeze(-1)
    return sums[..., : query.shape[2]].float()
