"""What an element may be made of. The video's limits are Kling's own; its sides may be a driving video's."""

from __future__ import annotations

MOST_VIEWS = 4  # one from the front, and one to three more
ELEMENT_CLIP_BYTES = 200 * 2**20
ELEMENT_CLIP_SECONDS = (3.0, 8.0)
