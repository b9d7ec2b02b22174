"""Bad files by the thousand: is there one that is not told in one clear error, or that takes all time or memory?

    python benchmarks/fuzz.py --files 20000 --seed 1 --workers 2

Every file (`bad_files`) is read in a worker process as the command line reads it: a picture to its pixels, a clip
through all of its frames with its sound copied, a motion file to the performance that is chosen from it, a joints
file to the character that it places. What must come out is a result or one error with a code and what to do. All
else is a fault: any other exception, a process that dies, more than 20 s of work (or a minute of waiting), more than
800 MB of memory, a word that a library writes to stderr. The files with faults are kept in ``--keep``, each with its
fault beside it. Prints the counts as JSON; the exit code is 1 where there is a fault.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from roads import Verdict, work

MOST_WORK_S = 20.0  # of one file, as the process's own time
MOST_WAIT_S = 90.0  # of one file, by the clock: nothing here waits for anything
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class Worker:
    """A process that reads bad files, started anew where it does not survive one."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder, self._seed = folder, seed
        self._begin()

    def read(self, index: int) -> tuple[str, str, str, Verdict, Path]:
        """Kind, good file, what was done to it, the verdict, and where the file lies until the next."""
        self._line.send(index)
        path = Path(self._line.recv())
        begun, work_s = time.monotonic(), self._work_s()
        fault = ""
        while not self._line.poll(0.2):
            if not self._process.is_alive():
                fault = f"died: exit code {self._process.exitcode}"
            elif self._work_s() - work_s > MOST_WORK_S or time.monotonic() - begun > MOST_WAIT_S:
                fault = f"hangs: {self._work_s() - work_s:.0f} s of work"
            if fault:
                return self._lost(path, fault)
        try:
            return (*self._line.recv(), path)
        except EOFError:
            self._process.join()
            return self._lost(path, f"died: exit code {self._process.exitcode}")

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self._line.close()

    def _begin(self) -> None:
        ways = multiprocessing.get_context("spawn")
        self._line, other = ways.Pipe()
        self._process = ways.Process(target=work, args=(other, self._folder, self._seed), daemon=True)
        self._process.start()
        other.close()

    def _lost(self, path: Path, fault: str) -> tuple[str, str, str, Verdict, Path]:
        self.end()
        self._begin()
        return "", "", "", Verdict(fault.partition(":")[0], fault), path

    def _work_s(self) -> float:
        with suppress(OSError, IndexError, ValueError):
            fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND
        return 0.0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--keep", type=Path, default=Path("out") / "fuzz")
    options = parser.parse_args()
    options.keep.mkdir(parents=True, exist_ok=True)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    faults: Counter[str] = Counter()
    slowest: list[tuple[float, str]] = []
    largest: list[tuple[int, str]] = []

    def note(index: int, read: tuple[str, str, str, Verdict, Path]) -> None:
        kind, was, done, verdict, path = read
        if not kind:  # the worker is gone
            from bad_files import bad_file

            made = bad_file(options.seed, index)
            kind, was, done = made.kind, made.was, made.done
        name = f"{index} {was}: {done}"
        counts[kind][verdict.outcome] += 1
        slowest.append((round(verdict.seconds, 2), name))
        largest.append((verdict.memory_mb, name))
        for most in (slowest, largest):
            most.sort(reverse=True)
            del most[5:]
        if verdict.fault is not None:
            faults[f"{kind} {verdict.fault.partition(':')[0]}"] += 1
            with suppress(OSError):
                shutil.copy(path, options.keep / f"{options.seed}-{index}")
            (options.keep / f"{options.seed}-{index}.txt").write_text(f"{name}\n{verdict.fault}\n")
            print(f"{name}\n  {verdict.fault}", file=sys.stderr, flush=True)

    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:

        def run(first: int) -> None:
            worker = Worker(Path(folder), options.seed)
            for index in range(first, options.files, options.workers):
                note(index, worker.read(index))
            worker.end()

        with ThreadPoolExecutor(options.workers) as pool:
            list(pool.map(run, range(options.workers)))
    answer: dict[str, Any] = {
        "files": options.files,
        "seed": options.seed,
        "seconds": round(time.monotonic() - begun),
        "outcomes": {kind: dict(counts[kind].most_common()) for kind in sorted(counts)},
        "faults": dict(faults),
        "slowest_s": slowest,
        "most_memory_mb": largest,
    }
    print(json.dumps(answer, indent=2))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
