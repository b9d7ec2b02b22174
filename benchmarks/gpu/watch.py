"""One run seen from within: seconds in its parts, how far it is, and an end where its time is over."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from understudy.engines.diffusion.card import wait_for

MODES = {"extract": "driving pass", "cached": "denoising"}  # of the transformer


class OutOfTimeError(Exception):
    """The budget was used up in the middle of a run."""


class Watch:
    """Parts are waited for on the device. ``told`` is called when a part begins, with what to say of it and
    the watch."""

    def __init__(
        self, device: Any, steps: int, left_s: Callable[[], float], told: Callable[[str, Watch], None]
    ) -> None:
        self.seconds: dict[str, float] = {}
        self.steps = 0
        self._device, self._of, self._left_s, self._told = device, steps, left_s, told
        self._last_step_s = 0.0

    @contextmanager
    def on(self, module: Any, transformer: Any) -> Iterator[None]:
        """While entered, ``encode_vae`` and ``decode_vae`` of a module and a transformer's passes are watched."""
        encode, decode, forward = module.encode_vae, module.decode_vae, transformer.forward
        module.encode_vae = self._watched("encoding", encode)
        module.decode_vae = self._watched("decoding", decode)
        transformer.forward = self._watched("denoising", forward)
        try:
            yield
        finally:
            module.encode_vae, module.decode_vae = encode, decode
            transformer.forward = forward

    def _watched(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)  # diffusers asks a transformer's signature what to give it
        def run(*arguments: Any, **options: Any) -> Any:
            name = MODES.get(options.get("kv_cache_mode", ""), part)
            if self._left_s() <= 0:
                raise OutOfTimeError
            self._told(self._at(name), self)
            wait_for(self._device)
            begun = time.perf_counter()
            made = function(*arguments, **options)
            wait_for(self._device)
            took = time.perf_counter() - begun
            self.seconds[name] = self.seconds.get(name, 0.0) + took
            if name == "denoising":
                self.steps, self._last_step_s = self.steps + 1, took
            return made

        return run

    def _at(self, name: str) -> str:
        if name != "denoising":
            return name
        text = f"step {self.steps + 1} of {self._of}"
        if not self.steps:
            return text
        return f"{text}, about {(self._of - self.steps) * self._last_step_s:.0f} s of steps left"
