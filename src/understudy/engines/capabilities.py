"""What can be told of an engine without building it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Capabilities:
    """``device`` is what draws: ``cpu`` or ``gpu``. An engine that does not follow motion is spared the tracking of
    the driving video, and gets its times alone."""

    name: str
    description: str
    device: str = "cpu"
    follows_motion: bool = True
    reads_prompt: bool = False


PUPPET = Capabilities("puppet", "Moves a cut-out of the reference image; no GPU needed.")
FAKE = Capabilities(
    "fake", "Shows the reference image, unmoved: to try a client without any model.", follows_motion=False
)
SLOW_FAKE = Capabilities(
    "fake-slow",
    "As fake, but takes three seconds and more: to try progress and cancel.",
    follows_motion=False,
)
