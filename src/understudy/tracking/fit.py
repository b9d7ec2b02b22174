from __future__ import annotations
from dataclasses import dataclass
from understudy.tracking.motion import Floats
from understudy.tracking.silhouette import Silhouette
@dataclass(frozen=True)
class Fit:
    silhouette: Silhouette
    body: Floats
    visibility: Floats
    score: float
def best_fit(shapes: list[Silhouette]) -> Fit | None:
    return None
