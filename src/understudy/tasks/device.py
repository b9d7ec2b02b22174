"""What a task's video is made on, by its engine."""

from __future__ import annotations

from understudy.engines.registry import engine_capabilities

GPU = "gpu"


def gpu_engines() -> tuple[str, ...]:
    """Names of those that draw on a GPU."""
    return tuple(known.name for known in engine_capabilities() if known.device == GPU)


def needs_gpu(engine: str) -> bool:
    """Whether the engine of that name draws on a GPU; one that is not known does not."""
    return engine in gpu_engines()
