"""One neural network on the CPU, run by LiteRT."""

from __future__ import annotations

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from understudy.tracking.models import model_path
from understudy.tracking.motion import Floats


class Network:
    """A model file with one input, loaded once and called often.

    Outputs are told apart by their element count, which is unique enough within each of the tracker's models;
    equal counts keep the model's own order.
    """

    def __init__(self, name: str, *, threads: int = 1) -> None:
        self._interpreter = Interpreter(model_path=str(model_path(name)), num_threads=threads)
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
