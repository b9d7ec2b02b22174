"""An error that nobody foresaw, as it is told to whoever wanted the video."""

from __future__ import annotations

from understudy.errors import EngineError

FAILED = "engine_failed"  # what the GPU's process tells last: it ends after such an error


def failed(error: Exception, where: str) -> EngineError:
    """``where`` a developer finds the error itself."""
    return EngineError(
        FAILED,
        f"The GPU engine failed at this picture and video ({type(error).__name__}).",
        fix=f"Try again, or try another picture or video; what went wrong is in {where}.",
    )
