"""What the matte takes along and what it leaves: things in the hand, things at the feet, furniture, near looks."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from capsule_figure import draw, standing

from understudy.engines.puppet.belief import person_belief
from understudy.engines.puppet.trimap import settle_labels
from understudy.tracking.backdrop import find_backdrop
from understudy.tracking.tracker import Person, nobody


def person() -> Person:
    found = nobody()
    body = np.zeros((33, 3), np.float32)
    body[:, :2] = standing()
    return replace(found, body=body, visibility=np.ones(33, np.float32))


def studio(*, things):
    """The figure before a grey wall with grain, and ``things`` drawn on it; the picture and the figure's alpha."""
    figure = draw(standing())
    wall = np.full_like(figure.background, 205)
    for start, end, colour in things:
        cv2.rectangle(wall, start, end, colour, -1)
    alpha = figure.alpha[..., None]
    picture = alpha * figure.foreground + (1 - alpha) * wall
    picture += np.random.default_rng(4).normal(0, 1.0, picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8), figure.alpha


def settled(picture, alpha):
    return settle_labels(picture, alpha.astype(np.float32), person(), find_backdrop(picture))


BAG = ((385, 380), (440, 520), (150, 90, 30))


def test_bag_in_the_hand_goes_with_the_figure():
    picture, alpha = studio(things=[BAG])
    label = settled(picture, alpha)
    bag = np.zeros(alpha.shape, bool)
    bag[440:510, 395:430] = True  # well below the hand
    assert alpha[bag].max() == 0
    assert label[bag].mean() > 0.95


def test_what_lies_at_the_feet_stays():
    picture, alpha = studio(things=[((310, 640), (440, 690), (120, 90, 160))])
    assert settled(picture, alpha)[650:680, 380:430].mean() < 0.05


def test_furniture_stays():
    door = ((320, 60), (470, 600), (40, 25, 25))
    picture, alpha = studio(things=[door])
    label = settled(picture, alpha)
    assert label[80:280, 400:460].mean() < 0.05
    assert np.maximum(label - alpha, 0).sum() < 0.1 * alpha.sum()


@pytest.mark.parametrize("seen_by_all", [True, False])
def test_near_look_adds_only_where_the_body_looks_doubt(seen_by_all):
    """A strip beside the forearm that only the look at the hand takes for the figure."""
    picture = np.zeros((720, 480, 3), np.uint8)
    strip = np.zeros(picture.shape[:2], np.uint8)
    strip[340:400, 395:410] = 255
    picture[..., 0] = strip

    def segment(crop):
        near = crop.shape[0] < 260
        return (crop[..., 0] > 127).astype(np.float32) * (1.0 if near or seen_by_all else 0.0)

    belief = person_belief(picture, person(), segment)
    assert (belief[360:380, 398:406].mean() > 0.5) == seen_by_all


def test_looks_are_mirrored_too():
    """A network that sees only the left half of what it is shown finds the whole."""

    def left_half(crop):
        seen = np.zeros(crop.shape[:2], np.float32)
        seen[:, : crop.shape[1] // 2] = 1
        return seen

    belief = person_belief(np.zeros((200, 200, 3), np.uint8), nobody(), left_half)
    np.testing.assert_allclose(belief, 0.5, atol=1e-3)
