"""Skin points: the landmarks of Face Mesh by which an expression moves the skin, in the published numbering.

Own right side first, then the middle, then the own left side where a line crosses the face.
"""

from __future__ import annotations

from understudy.tracking.face_lines import INNER_LOWER, INNER_UPPER, OUTER_LOWER, OUTER_UPPER

# What no expression moves: forehead, temples, bridge of the nose, corners of the eyes, the head's sides.
STABLE = (
    10, 151, 9, 8, 168, 6, 197, 195, 33, 133, 362, 263, 127, 356, 234, 454, 54, 284, 103, 332, 67, 297, 109, 338,
    21, 251, 162, 389, 193, 417, 245, 465,
)  # fmt: skip
BROWS = (  # own left, own right: lower line, then upper line, each from the outer end to the inner
    (276, 283, 282, 295, 285, 300, 293, 334, 296, 336),
    (46, 53, 52, 65, 55, 70, 63, 105, 66, 107),
)
INNER_LINES = (INNER_UPPER[1:-1], INNER_LOWER[1:-1])  # without the corners
LIPS = tuple(dict.fromkeys(OUTER_UPPER + OUTER_LOWER + INNER_UPPER + INNER_LOWER))
AROUND_LIPS = (
    57, 186, 92, 165, 167, 164, 393, 391, 322, 410, 287, 43, 106, 182, 83, 18, 313, 406, 335, 273,
)  # fmt: skip
_CHEEKS = (  # with the chin and the nose's wings
    204, 194, 201, 200, 421, 418, 424, 32, 208, 199, 428, 262, 140, 171, 175, 396, 369, 211, 431,
    216, 436, 206, 426, 205, 425, 50, 280, 207, 427, 187, 411, 147, 376, 123, 352, 212, 432, 202, 422, 214, 434,
    192, 416, 213, 433, 135, 364, 36, 266, 203, 423, 101, 330, 118, 347, 117, 346, 215, 435, 177, 401,
    98, 327, 2, 129, 358, 49, 279,
)  # fmt: skip
JAW = (
    132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361,
)  # fmt: skip
MOUTH = LIPS + AROUND_LIPS + _CHEEKS + JAW
SKIN = MOUTH + BROWS[0] + BROWS[1]
PLACE = {landmark: i for i, landmark in enumerate(SKIN)}

# Points about the mouth that mirror each other: own left, own right. The others lie in the middle.
PAIRS = (
    (267, 37), (269, 39), (270, 40), (409, 185), (291, 61), (314, 84), (405, 181), (321, 91), (375, 146), (312, 82),
    (311, 81), (310, 80), (415, 191), (308, 78), (317, 87), (402, 178), (318, 88), (324, 95), (393, 167), (391, 165),
    (322, 92), (410, 186), (287, 57), (313, 83), (406, 182), (335, 106), (273, 43), (421, 201), (418, 194),
    (424, 204), (428, 208), (262, 32), (396, 171), (369, 140), (431, 211), (436, 216), (426, 206), (425, 205),
    (280, 50), (427, 207), (411, 187), (376, 147), (352, 123), (432, 212), (422, 202), (434, 214), (416, 192),
    (433, 213), (364, 135), (266, 36), (423, 203), (330, 101), (347, 118), (346, 117), (435, 215), (401, 177),
    (327, 98), (358, 129), (279, 49), (377, 148), (400, 176), (378, 149), (379, 150), (365, 136), (397, 172),
    (288, 58), (361, 132),
)  # fmt: skip


def places(landmarks: tuple[int, ...]) -> list[int]:
    """Where in `SKIN` these landmarks stand."""
    return [PLACE[i] for i in landmarks]


def mirrored() -> list[int]:
    """For each point of `MOUTH` where in `SKIN` the one on the face's other side stands."""
    other = {a: b for pair in PAIRS for a, b in (pair, pair[::-1])}
    return [PLACE[other.get(i, i)] for i in MOUTH]
