"""What a task's video is made on, by its engine."""

from __future__ import annotations

from understudy.engines.registry import capabilities_of

GPU = "gpu"


def needs_gpu(engine: str) -> bool:
    """Whether the engine of that name draws on a GPU; one that is not known does not."""
    known = capabilities_of(engine)
    return known is not None and known.device == GPU
