"""The driving segment's keys and values, which every denoising step of a segment sees: 32 GiB at 640 x 800, 16 bits.

Kept as they are, in 8 bits, or in the machine's own memory: the interface is that of diffusers' ``WanAnimate2KVCache``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import torch
from torch import Tensor

FP8 = torch.float8_e4m3fn
FP8_MOST = 448.0  # the largest number that it holds


class Keeping(StrEnum):
    """Where and how: on the device in the model's type, on the device in 8 bits, in the machine's memory."""

    DEVICE = "device"
    FP8 = "fp8"
    HOST = "host"


class LayerCache:
    """One layer's keys and values, (B, S, heads, d)."""

    def __init__(self, keeping: Keeping) -> None:
        self._keeping = keeping
        self._kept: tuple[Any, ...] = ()

    def store(self, key: Tensor, value: Tensor) -> None:
        if self._keeping is Keeping.FP8:
            self._kept = tuple(_small(part) for part in (key, value))
        elif self._keeping is Keeping.HOST:
            self._kept = (key.device, *(_aside(part) for part in (key, value)))
        else:
            self._kept = (key, value)

    def get(self) -> tuple[Tensor, Tensor]:
        if not self._kept:
            raise RuntimeError("the driving segment was not looked at yet")
        if self._keeping is Keeping.FP8:
            (key, key_scale, dtype), (value, value_scale, _) = self._kept
            return key.to(dtype).mul_(key_scale), value.to(dtype).mul_(value_scale)
        if self._keeping is Keeping.HOST:
            device, key, value = self._kept
            return key.to(device, non_blocking=True), value.to(device, non_blocking=True)
        return self._kept

    def clear(self) -> None:
        self._kept = ()


class DrivingCache:
    def __init__(self, layers: int, keeping: Keeping = Keeping.DEVICE) -> None:
        self._layers = [LayerCache(keeping) for _ in range(layers)]

    def get(self, layer: int) -> LayerCache:
        return self._layers[layer]

    def clear(self) -> None:
        for layer in self._layers:
            layer.clear()


def _small(part: Tensor) -> tuple[Tensor, Tensor, torch.dtype]:
    """In 8 bits, with a scale for each head and channel: their sizes differ far more than tokens' do."""
    scale = part.float().abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / FP8_MOST
    return (part.float() / scale).to(FP8), scale.to(part.dtype), part.dtype


def _aside(part: Tensor) -> Tensor:
    if part.device.type == "cpu":
        return part
    kept = torch.empty(part.shape, dtype=part.dtype, pin_memory=True)
    return kept.copy_(part)
