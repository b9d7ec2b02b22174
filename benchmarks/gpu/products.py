"""One matrix product of the transformer, in 16 bits and in each way of 8: how long it takes, and how far off it is.

Numbers are normally distributed, weights with the deviation of trained ones. It is the first layer of the feed-forward
part for one segment of 640 x 800; a way that the device has no kernel for says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from understudy.engines.diffusion.eight_bits import PRODUCTS, WIDE, EightBitLinear

SHAPES = {"full": (42_000, 5120, 13_824), "tiny": (160, 64, 96)}  # tokens, width, width after
WEIGHTS_SIZE = 0.02
COMPARED = 256  # rows
RUNS = 5


def products(device: torch.device, dtype: torch.dtype, size: str) -> list[dict[str, Any]]:
    """A row for each way: milliseconds (the best of RUNS), and the relative error of its rows, in that type."""
    tokens, width, after = SHAPES[size]
    generator = torch.Generator(device).manual_seed(0)
    states = torch.randn(tokens, width, generator=generator, device=device, dtype=dtype)
    weight = torch.randn(after, width, generator=generator, device=device, dtype=dtype) * WEIGHTS_SIZE
    exact = states[:COMPARED].float() @ weight.float().t()
    rows = []
    with torch.no_grad():
        for way in ("16 bits", WIDE, *PRODUCTS):
            layer: Callable[[Tensor], Tensor]
            if way == "16 bits":
                layer = lambda states: torch.nn.functional.linear(states, weight)  # noqa: E731
            else:
                layer = EightBitLinear(weight, None, way)
            row: dict[str, Any] = {"way": way, "shape": [tokens, width, after]}
            try:
                found = layer(states)[:COMPARED].float()
                row["error"] = float((found - exact).norm() / exact.norm())
                row["ms"] = round(_best_s(layer, states, device) * 1000, 3)
            except (RuntimeError, ValueError, TypeError, AttributeError) as error:
                row["lacking"] = str(error).partition("\n")[0][:100]
            rows.append(row)
    return rows


def products_table(rows: list[dict[str, Any]]) -> str:
    tokens, width, after = rows[0]["shape"]
    lines = [f"| {tokens} x {width} by {width} x {after} | ms | relative error |", "|---|---|---|"]
    for row in rows:
        told = row.get("lacking") or f"{row['error']:.5f}"
        lines.append(f"| {row['way']} | {row.get('ms', '')} | {told} |")
    return "\n".join(lines)


def _best_s(layer: Callable[[Tensor], Tensor], states: Tensor, device: torch.device) -> float:
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
