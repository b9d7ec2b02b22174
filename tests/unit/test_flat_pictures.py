"""Pictures of few flat colours: looking for a silhouette in them must end soon, whatever it finds."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.media.picture import Picture
from understudy.tracking.silhouette import silhouettes

ROWS, COLUMNS = np.mgrid[0:400, 0:400]
PLAIN = np.full((400, 400), 127)
CHECKED = (ROWS // 25 + COLUMNS // 25) % 2 * 200
FAINT = 126 + (ROWS * 7 + COLUMNS * 3) % 3


@pytest.mark.parametrize("grey", [PLAIN, CHECKED, FAINT], ids=["plain", "checked", "faint"])
def test_a_flat_picture_is_looked_through(grey: np.ndarray) -> None:
    picture = Picture(np.dstack([grey] * 3).astype(np.uint8), None)
    for found in silhouettes(picture):  # GrabCut alone took over seven minutes
        assert found.mask.any()
