"""Whether a service that was just started answers: `bare_service.py FIGURE ADDRESS` waits a minute for its API page."""

from __future__ import annotations

import sys
import time

import httpx

PATIENCE_S = 60.0
PAGE = "/understudy/v1/docs"


def main() -> None:
    since = time.monotonic()
    while time.monotonic() - since < PATIENCE_S:
        try:
            answer = httpx.get(sys.argv[2] + PAGE, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.2)
            continue
        if answer.status_code == httpx.codes.OK:
            print(f"figure: {sys.argv[1]} {time.monotonic() - since:.1f}")
            return
    sys.exit("no answer")


if __name__ == "__main__":
    main()
