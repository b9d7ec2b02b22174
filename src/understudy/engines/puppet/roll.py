"""How far the head is rolled, by the face mesh: the line of its eyes tells it better than the body's landmarks."""

from __future__ import annotations

import numpy as np

from understudy.engines.puppet.face_measures import measure
from understudy.engines.puppet.skeleton import Points, Reals, blur, step, unit
from understudy.tracking.character import Character
from understudy.tracking.motion import Floats, Motion

FACES_AWAY_DEG = (45.0, 60.0)  # yaw over which the line of the eyes loses its say
SURE = (0.3, 0.6)  # face scores
BODY_EYES = (2, 5)
EASE_S = 0.1


def level(faces: Floats) -> Points:
    """(T,) unit direction in the picture of the eyes' line, and a little of the mouth's, of faces (T, 468, 3)."""
    flat = faces[..., 0].astype(np.float64) + 1j * faces[..., 1]
    return unit(unit(flat[:, 263] - flat[:, 33]) + 0.5 * unit(flat[:, 291] - flat[:, 61]))


def rolled(motion: Motion, character: Character) -> tuple[Points, Reals]:
    """(T,) the unit turn from the character's roll in the reference to the performer's, and how far to trust it."""
    seen = np.isfinite(motion.face).all(axis=(1, 2))
    turn, trust = np.ones(len(motion), np.complex128), np.zeros(len(motion))
    if not seen.any():
        return turn, trust
    faces = motion.face[seen]
    turn[seen] = level(faces) / _own(character)
    sure = step(np.nan_to_num(motion.face_score[seen].astype(np.float64)), *SURE)
    away = step(np.abs(measure(faces).yaw.astype(np.float64)), *FACES_AWAY_DEG)
    trust[seen] = sure * (1.0 - away)
    return turn, np.minimum(trust, blur(trust, motion.fps, EASE_S))


def _own(character: Character) -> complex:
    face, body = character.person.face, character.person.body
    if np.isfinite(face).all():
        return complex(level(face[None])[0])
    across, down = (float(v) for v in body[BODY_EYES[0], :2] - body[BODY_EYES[1], :2])
    if not np.isfinite([across, down]).all():
        return 1.0
    # A head seen from behind has its eyes the other way round, and is no head on its head.
    return complex(unit(np.array(complex(across, down) * (-1 if across < 0 else 1))))
