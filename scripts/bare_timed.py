"""Run a command and say how long it took: `bare_timed.py FIGURE COMMAND...`, in seconds and seconds of processor."""

from __future__ import annotations

import resource
import subprocess
import sys
import time


def main() -> None:
    since = time.monotonic()
    code = subprocess.run(sys.argv[2:], check=False).returncode
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall, processor = time.monotonic() - since, used.ru_utime + used.ru_stime
    print(f"figure: {sys.argv[1]} {wall:.0f} ({processor:.0f})", flush=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
