"""One matrix product of the transformer, in 16 bits and in each way of 8: how long it takes, and how far off it is.

    PYTHONPATH=src python benchmarks/gpu/products.py

Numbers are normally distributed; in a second set of states two channels stand out, as has been seen in trained
transformers (LLM.int8(), arXiv 2208.07339). ``full``, which measure.py takes, is the first layer of the feed-forward
part for a segment of 640 x 800; ``accuracy``, which this script by itself takes, is as wide and small enough for any
machine. What a device has no kernel for is told.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from understudy.engines.diffusion.eight_bits import PRODUCTS, WIDE, EightBitLinear

SHAPES = {"full": (42_000, 5120, 13_824), "accuracy": (256, 5120, 1024), "tiny": (160, 64, 96)}
"""Tokens, width, width after."""
DEVIATIONS = (
    0.02,
    0.005,
)  # of weights: as those of trained transformers mostly are, and of a layer of small ones
STANDS_OUT = ((7, 60.0), (50, 30.0))  # channels, and how many times as large they are
COMPARED = 256  # rows
RUNS = 5

Layer = Callable[[Tensor], Tensor]


def products(
    device: torch.device, dtype: torch.dtype, size: str, deviation: float = DEVIATIONS[0]
) -> list[dict[str, Any]]:
    """A row for each way: milliseconds (the least of RUNS), and relative errors without and with what stands out."""
    tokens, width, after = SHAPES[size]
    generator = torch.Generator(device).manual_seed(0)
    states = torch.randn(tokens, width, generator=generator, device=device, dtype=dtype)
    weight = torch.randn(after, width, generator=generator, device=device, dtype=dtype) * deviation
    uneven = states[:COMPARED].clone()
    for channel, times in STANDS_OUT:
        uneven[:, channel] *= times
    rows = []
    for way, make in _ways(weight).items():
        row: dict[str, Any] = {"way": way, "shape": [tokens, width, after]}
        try:
            with torch.no_grad():
                layer = make()
                row["error"], row["uneven_error"] = (
                    _off(layer(given), given, weight) for given in (states[:COMPARED], uneven)
                )
                row["ms"] = round(_least_s(layer, states, device) * 1000, 3)
        except (RuntimeError, ValueError, TypeError, AttributeError) as error:
            row["lacking"] = str(error).partition("\n")[0][:100]
        rows.append(row)
    return rows


def _ways(weight: Tensor) -> dict[str, Callable[[], Layer]]:
    def plain(kept: Tensor) -> Layer:
        return lambda states: linear(states, kept)

    def small(way: str) -> Callable[[], Layer]:
        return lambda: EightBitLinear(weight, None, way)

    return {
        "16 bits": lambda: plain(weight),
        "float8 weights without scales": lambda: plain(weight.to(torch.float8_e4m3fn).to(weight.dtype)),
        **{way: small(way) for way in (WIDE, *PRODUCTS)},
    }


def products_table(rows: list[dict[str, Any]]) -> str:
    tokens, width, after = rows[0]["shape"]
    lines = [f"| {tokens} x {width} by {width} x {after} | ms | relative error | where states stand out |"]
    lines.append("|---|---|---|---|")
    for row in rows:
        told = row.get("lacking") or f"{row['error']:.4f} | {row['uneven_error']:.4f}"
        lines.append(f"| {row['way']} | {row.get('ms', '')} | {told} |")
    return "\n".join(lines)


def _off(found: Tensor, states: Tensor, weight: Tensor) -> float:
    exact = states.float() @ weight.float().t()
    return float((found.float() - exact).norm() / exact.norm())


def _least_s(layer: Layer, states: Tensor, device: torch.device) -> float:
    seconds = []
    for _ in range(RUNS):
        _wait_for(device)
        begun = time.perf_counter()
        layer(states)
        _wait_for(device)
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main() -> None:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    for deviation in DEVIATIONS:
        print(f"Weights with a deviation of {deviation}:\n")
        print(products_table(products(device, torch.bfloat16, "accuracy", deviation)), end="\n\n")


if __name__ == "__main__":
    main()
