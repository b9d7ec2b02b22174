"""One neural network on the CPU, run by LiteRT."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Collection

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from understudy.tracking.models import model_path
from understudy.tracking.motion import Floats
from understudy.tracking.trimmed import trimmed


class Quiet:
    """LiteRT greets on the process's stderr, past Python, in the middle of a progress bar.

    Threads may load side by side: the first to enter sends stderr nowhere, the last to leave brings it back. Where
    that cannot be done it is left alone.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._kept: int | None = None

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._kept = _silenced()
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0 and self._kept is not None:
                os.dup2(self._kept, 2)
                os.close(self._kept)


def _silenced() -> int | None:
    """Send stderr nowhere; a descriptor that still leads to it, or None where it was left alone."""
    if sys.__stderr__ is None:  # closed from the start: the descriptor 2 may be any file's
        return None
    try:
        kept = os.dup(2)
    except OSError:  # closed later
        return None
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
    except OSError:  # no /dev, or too many open files
        os.close(kept)
        return None
    os.dup2(nowhere, 2)
    os.close(nowhere)
    return kept


_quiet = Quiet()


class Network:
    """A model file with one input, loaded once and called often.

    ``without`` are numbers of outputs that nobody reads: they and the work behind them are left out.
    """

    def __init__(self, name: str, *, threads: int = 1, without: Collection[int] = ()) -> None:
        model = model_path(name).read_bytes()
        if without:
            model = trimmed(model, without)
        with _quiet:
            self._interpreter = Interpreter(model_content=model, num_threads=threads)
            self._interpreter.allocate_tensors()
        (given,) = self._interpreter.get_input_details()
        self._given = self._interpreter.tensor(given["index"])
        self._made = [
            self._interpreter.tensor(detail["index"]) for detail in self._interpreter.get_output_details()
        ]
        self.height = int(given["shape"][1])
        self.width = int(given["shape"][2])

    @property
    def input(self) -> Floats:
        """(H, W, 3) the memory that the network reads, to be filled in anew before each run.

        LiteRT refuses to run as long as an array is held that looks into its memory.
        """
        return np.asarray(self._given()[0])

    def run(self) -> list[Floats]:
        """Run on what ``input`` holds; the outputs in the model's order, without the batch axis.

        They lie in the network's own memory: let them go before it is run again.
        """
        self._interpreter.invoke()
        return [made()[0] for made in self._made]
