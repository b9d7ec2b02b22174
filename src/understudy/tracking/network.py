"""One neural network on the CPU, run by LiteRT."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from understudy.tracking.models import model_path
from understudy.tracking.motion import Floats
from understudy.tracking.trimmed import trimmed


@contextmanager
def _quiet() -> Iterator[None]:
    """LiteRT greets on the process's stderr, past Python, in the middle of a progress bar."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


class Network:
    """A model file with one input, loaded once and called often.

    ``without`` are numbers of outputs that nobody reads: they and the work behind them are left out.
    """

    def __init__(self, name: str, *, threads: int = 1, without: Collection[int] = ()) -> None:
        model = model_path(name).read_bytes()
        if without:
            model = trimmed(model, without)
        with _quiet():
            self._interpreter = Interpreter(model_content=model, num_threads=threads)
            self._interpreter.allocate_tensors()
        (given,) = self._interpreter.get_input_details()
        self._input: int = given["index"]
        self._outputs: list[int] = [detail["index"] for detail in self._interpreter.get_output_details()]
        self.height = int(given["shape"][1])
        self.width = int(given["shape"][2])
        self.input: Floats = np.zeros(given["shape"][1:], np.float32)  # (H, W, 3), filled in by the caller

    def run(self) -> list[Floats]:
        """Run on what ``input`` holds; the outputs in the model's order, without the batch axis."""
        self._interpreter.set_tensor(self._input, self.input[None])
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index)[0] for index in self._outputs]
