"""What can be told of an engine without building it."""

from __future__ import annotations

from dataclasses import dataclass

from understudy.request import Scene


@dataclass(frozen=True)
class Capabilities:
    """``device`` is what draws: ``cpu`` or ``gpu``. An engine that does not follow motion is spared the tracking of
    the driving video, and gets its times alone. One that ``sees_video`` cannot work from a motion file alone.
    ``scenes`` are those that it can put around the character; ``weights`` the sets of model files that it needs, one
    for each of them, if any. ``seeded``: its videos differ by the seed. ``cuts_out``: it cuts the character out of the
    picture, so that a matte means something to it."""

    name: str
    description: str
    device: str = "cpu"
    follows_motion: bool = True
    reads_prompt: bool = False
    scenes: tuple[Scene, ...] = (Scene.IMAGE,)
    seeded: bool = False
    weights: tuple[str, ...] = ()
    sees_video: bool = False
    cuts_out: bool = False

    def follows_each_frame(self, scene: Scene) -> bool:
        """Whether it needs to know in every frame where the performer is: not who draws anew what it sees."""
        return not (self.sees_video and scene is Scene.IMAGE)

    def model(self, scene: Scene) -> str:
        """The set of model files that makes that scene; empty where none is needed."""
        return dict(zip(self.scenes, self.weights, strict=False)).get(scene, "")


PUPPET = Capabilities("puppet", "Moves a cut-out of the reference image; no GPU needed.", cuts_out=True)
WAN_ANIMATE = Capabilities(
    "wan-animate",
    "A video model makes every frame anew: other sides, cloth, light; needs a GPU.",
    device="gpu",
    reads_prompt=True,
    scenes=(Scene.IMAGE, Scene.VIDEO),
    seeded=True,
    weights=("wan-animate-2", "wan-animate-1"),
    sees_video=True,
)
FAKE = Capabilities(
    "fake", "Shows the reference image, unmoved: to try a client without any model.", follows_motion=False
)
SLOW_FAKE = Capabilities(
    "fake-slow",
    "As fake, but takes three seconds and more: to try progress and cancel.",
    follows_motion=False,
)
