"""Linear layers whose weights are kept in 8 bits with a scale for each output channel, and 8-bit matrix products.

A scale is what makes 8 bits do: the small weights of a video model lie where float8 itself is coarse, and what is
divided by its channel's largest number lies where it is not. Two ways to compute:

- wide: the weight is widened for the one product, which is made as ever. Only the weights' rounding is lost.
- a product of `PRODUCTS`: each token's states are brought to 8 bits too, with a scale of their own (dynamic, per token:
  LLM.int8(), Dettmers and others, arXiv 2208.07339; in float8: Micikevicius and others, arXiv 2209.05433), both are
  multiplied in 8 bits, and the scales are put back on the sum.

float8 (e4m3: 3 bits of fraction) rounds every number alike, so a few large states in a token leave the others as they
are; int8 rounds to a 127th of the largest: finer where numbers are alike, coarse where one stands out. States are of
the second kind, so float8 comes first for products; a weight that is widened anyway is kept in what rounds it less.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

Scaled = tuple[Tensor, Tensor]
"""(M, K) in 8 bits, and float32 (M, 1): their product is what was meant."""

Product = Callable[[Scaled, Scaled, Tensor | None, torch.dtype], Tensor]
"""States (M, K) times weights (N, K) transposed, plus a bias (N): (M, N) of that type."""


@dataclass(frozen=True)
class Format:
    dtype: torch.dtype
    most: float  # the largest number that is used of it


FLOAT8, INT8 = Format(torch.float8_e4m3fn, 448.0), Format(torch.int8, 127.0)
WIDE = "wide"
ALIGNED = 16  # the kernels want widths that this divides
FEWEST_ROWS = 17  # cuBLAS' integers want more than 16
AT_ONCE = 8192  # rows of which there are copies in 16 or 32 bits at a time
LEAST = 1e-12  # of a scale's number: a row of zeros has none
TRIED = (301, 96, 48)  # M, K and N of the example
NEAR = 0.01  # relative; what is mistaken of scales or bias is off by far more

log = logging.getLogger(__name__)


def scaled(states: Tensor, kept: Format) -> Scaled:
    """(M, K) in 8 bits, each row by its own largest number."""
    small = torch.empty(states.shape, dtype=kept.dtype, device=states.device)
    scales = torch.empty((states.shape[0], 1), dtype=torch.float32, device=states.device)
    for rows in _blocks(states.shape[0]):
        part = states[rows]
        most = torch.linalg.vector_norm(part, float("inf"), dim=-1, keepdim=True).float()
        factor = kept.most / most.clamp_(min=LEAST)
        if kept is FLOAT8 and part.dtype == torch.bfloat16:
            # Half the memory to pass through. The rounded factor is the one that is undone, and what is rounded in the
            # product is a sixteenth of float8's own step; no number comes out above 448.
            factor = factor.bfloat16()
        numbers = part * factor
        small[rows] = numbers if kept is FLOAT8 else numbers.round_()
        scales[rows] = factor.float().reciprocal_()
    return small, scales


def float8(states: Scaled, weight: Scaled, bias: Tensor | None, dtype: torch.dtype) -> Tensor:
    """Hopper, Ada and later. Sums are 32 bits wide, though on Hopper not to the last of them (``use_fast_accum``)."""
    made = torch._scaled_mm(
        states[0],
        weight[0].t(),
        scale_a=states[1],
        scale_b=weight[1].t(),
        bias=bias if dtype != torch.float32 else None,  # which cards do not take with 32 bits
        out_dtype=dtype,
        use_fast_accum=True,
    )
    return made if bias is None or dtype != torch.float32 else made.add_(bias)


def int8(states: Scaled, weight: Scaled, bias: Tensor | None, dtype: torch.dtype) -> Tensor:
    """Cards from Turing on. The sums themselves are exact."""
    rows_of, wide = states[0].shape[0], weight[0].shape[0]
    made = torch.empty((rows_of, wide), dtype=dtype, device=states[0].device)
    for rows in _blocks(rows_of):
        sums = torch._int_mm(states[0][rows], weight[0].t()).float()
        sums.mul_(states[1][rows]).mul_(weight[1].t())
        made[rows] = sums if bias is None else sums.add_(bias)
    return made


PRODUCTS: dict[str, tuple[Format, Product]] = {"float8": (FLOAT8, float8), "int8": (INT8, int8)}


def best_product(device: torch.device, dtype: torch.dtype) -> str:
    """The first product of the list that gives the right answer on this device, tried on a small example, or ``wide``.

    Rows and columns of the example differ in size by far, so that a kernel that takes one scale for all is seen.
    """
    rows, width, columns = TRIED
    generator = torch.Generator().manual_seed(0)
    sizes = (torch.logspace(-2, 2, rows)[:, None], torch.logspace(-2, 0, columns)[:, None])
    shapes = ((rows, width), (columns, width))
    states, weight = (
        (torch.randn(shape, generator=generator) * size).to(device, dtype)
        for shape, size in zip(shapes, sizes, strict=True)
    )
    bias = torch.randn(columns, generator=generator).to(device, dtype)
    for name, (kept, product) in PRODUCTS.items():
        try:
            first, second = scaled(states, kept), scaled(weight, kept)
            found = product(first, second, bias, dtype).float()
            wanted = widened(first) @ widened(second).t() + bias.float()
            right = _off(found, wanted) < NEAR
        except torch.OutOfMemoryError:
            raise  # which says nothing of the kernel
        except (RuntimeError, ValueError, TypeError, AttributeError):  # not for this device, type or build
            continue
        if right:
            best = name == next(iter(PRODUCTS))
            log.log(logging.INFO if best else logging.WARNING, "products of 8 bits on %s by %s", device, name)
            return name
    log.warning("no products of 8 bits on %s: weights are kept in 8 and widened", device)
    return WIDE


def widened(numbers: Scaled, dtype: torch.dtype = torch.float32) -> Tensor:
    return numbers[0].to(dtype).mul_(numbers[1])


def _off(found: Tensor, wanted: Tensor) -> float:
    """The largest relative error of a row."""
    return float(((found - wanted).norm(dim=1) / wanted.norm(dim=1).clamp(min=LEAST)).max())


class EightBitLinear(torch.nn.Module):  # type: ignore[misc]  # torch has no types where it is not installed
    """In the place of a ``torch.nn.Linear`` with widths that `ALIGNED` divides; ``product`` is a name of PRODUCTS, or
    ``wide``.

    Parameters, not buffers, for diffusers' offloading takes buffers to the card and leaves them there. Their bits lie
    in int8: so the module's type stays that of its other parameters, and ``.to(dtype)`` leaves the weight alone.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, product: str = WIDE) -> None:
        super().__init__()
        if product == WIDE:
            self._format, (small, scale) = _nearest(weight)
        else:
            self._format = PRODUCTS[product][0]
            small, scale = scaled(weight, self._format)
        self._product = product
        self.weight, self.scale = _fixed(small.view(torch.int8)), _fixed(scale)
        self.bias = None if bias is None else _fixed(bias)

    def forward(self, states: Tensor) -> Tensor:
        weight = self.weight.view(self._format.dtype), self.scale
        rows = states.numel() // states.shape[-1]
        if self._product == WIDE or rows < FEWEST_ROWS:
            return torch.nn.functional.linear(states, widened(weight, states.dtype), self.bias)
        kept, product = PRODUCTS[self._product]
        made = product(scaled(states.reshape(rows, -1), kept), weight, self.bias, states.dtype)
        return made.view(*states.shape[:-1], -1)


def _fixed(numbers: Tensor) -> Tensor:
    return torch.nn.Parameter(numbers, requires_grad=False)


def _nearest(weight: Tensor) -> tuple[Format, Scaled]:
    """In the format that rounds this weight less."""
    tried = [(kept, scaled(weight, kept)) for kept in (INT8, FLOAT8)]
    exact = weight.float()
    return min(tried, key=lambda one: float((widened(one[1]) - exact).norm()))


def into_eight_bits(transformer: Any, device: torch.device, product: str, home: torch.device) -> int:
    """Have the linear layers of a transformer's blocks keep their weights in 8 bits, on ``home``. Returns how many.

    Each is rounded on ``device`` by itself, and its 16 bits are let go: the whole does not have to fit there. All
    outside of the blocks stays, for it is small and much depends on it: embeddings, modulation, norms, what makes the
    picture.
    """
    places = list(_places(transformer.blocks))
    for parent, name in places:
        setattr(parent, name, _in_eight_bits(getattr(parent, name), device, product).to(home))
    log.info("%d layers in 8 bits, products: %s", len(places), product)
    return len(places)


def _in_eight_bits(linear: Any, device: torch.device, product: str) -> EightBitLinear:
    bias = None if linear.bias is None else linear.bias.to(device)
    with torch.no_grad():
        return EightBitLinear(linear.weight.to(device), bias, product)


def _places(blocks: Any) -> Iterator[tuple[Any, str]]:
    """Where the layers are that it is for; not the layers, which have to go one by one."""
    for parent in blocks.modules():
        for name, child in parent.named_children():
            if type(child) is torch.nn.Linear and not any(side % ALIGNED for side in child.weight.shape):
                yield parent, name


def _blocks(rows: int) -> Iterator[slice]:
    """Of nearly the same length, so that none is too short for a kernel."""
    number = -(-rows // AT_ONCE)
    ends = [rows * index // number for index in range(number + 1)]
    return (slice(begin, end) for begin, end in pairwise(ends))
