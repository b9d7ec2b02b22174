"""Lines of the face mesh in its published numbering: eye corners and lips."""

from __future__ import annotations

EYE_CORNERS = ((33, 133), (362, 263))  # of the own right and left eye, from the picture's left to its right
# Inner and outer lip lines from the own right corner to the left.
INNER_UPPER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
INNER_LOWER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
OUTER_UPPER = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
OUTER_LOWER = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
