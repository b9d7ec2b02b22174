"""The fake engine as it would be if it followed motion, for tests of the tracking that comes before."""

from __future__ import annotations

from dataclasses import replace

from understudy.engines.capabilities import FAKE
from understudy.engines.engine import FakeEngine


class Following(FakeEngine):
    def __init__(self) -> None:
        super().__init__()
        self.capabilities = replace(FAKE, follows_motion=True)
