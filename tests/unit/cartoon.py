"""A cartoon figure for tests: a round head with whatever eyes and mouth are wanted, and its body's landmarks."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from understudy.media.picture import Picture
from understudy.tracking.motion import Floats
from understudy.tracking.template import INDEX, complete
from understudy.tracking.tracker import Person, nobody

SIZE = (420, 640)  # width, height
SKIN, INK = (236, 200, 120), (40, 30, 30)
HEAD, RADIUS = (210, 150), 90
EYES, MOUTH = ((176, 140), (244, 140)), (210, 185)


def figure(*, eyes: bool = True, mouth: bool = True, buttons: bool = False) -> tuple[Picture, Floats, Person]:
    """The picture, its silhouette and the person that a body tracker finds without a face."""
    rgb = np.full((SIZE[1], SIZE[0], 3), 250, np.uint8)
    shape = np.zeros(rgb.shape[:2], np.uint8)
    for canvas, skin in ((rgb, SKIN), (shape, 1)):
        cv2.circle(canvas, HEAD, RADIUS, skin, -1, cv2.LINE_AA)
        cv2.rectangle(canvas, (150, 235), (270, 470), (90, 120, 200) if canvas is rgb else 1, -1)
        for x in (175, 245):
            cv2.rectangle(canvas, (x - 18, 470), (x + 18, 610), (70, 70, 80) if canvas is rgb else 1, -1)
    if eyes:
        for at in EYES:
            cv2.ellipse(rgb, at, (8, 11), 0, 0, 360, INK, -1, cv2.LINE_AA)
    if mouth:
        cv2.ellipse(rgb, (MOUTH[0], MOUTH[1] - 14), (30, 18), 0, 20, 160, INK, 5, cv2.LINE_AA)
    if buttons:
        for y in (110, 150, 190):
            for x in (150, 180, 210, 240, 270):
                cv2.circle(rgb, (x, y), 7, INK, -1, cv2.LINE_AA)
    return Picture(rgb, None), shape.astype(np.float32), person()


def person() -> Person:
    known = np.full((33, 2), np.nan, np.float32)
    for name, at in {
        "nose": (210, 160),
        "left_shoulder": (268, 250), "right_shoulder": (152, 250),
        "left_elbow": (290, 330), "right_elbow": (130, 330),
        "left_wrist": (300, 410), "right_wrist": (120, 410),
        "left_hip": (245, 460), "right_hip": (175, 460),
        "left_knee": (245, 530), "right_knee": (175, 530),
        "left_ankle": (245, 600), "right_ankle": (175, 600),
    }.items():  # fmt: skip
        known[INDEX[name]] = at
    body = np.zeros((33, 3), np.float32)
    body[:, :2] = complete(known)
    return replace(nobody(), body=body, visibility=np.ones(33, np.float32), world=body)


def eyes_of(mesh: Floats) -> NDArray[np.float32]:
    """(2, 2) middles of a mesh's eyes, the picture's left first."""
    return np.stack([mesh[[33, 133], :2].mean(axis=0), mesh[[362, 263], :2].mean(axis=0)])
