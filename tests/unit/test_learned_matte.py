"""The learned matte, with a small network that the test makes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from capsule_figure import HEIGHT, WIDTH, draw, standing
from numpy.typing import NDArray
from small_network import write_network

from understudy import ModelError
from understudy.engines.puppet import engine as engines
from understudy.engines.puppet import learned_matte as module
from understudy.engines.puppet import matting_weights
from understudy.engines.puppet.belief import Segment
from understudy.engines.puppet.engine import PuppetEngine
from understudy.engines.puppet.learned_matte import LearnedMatter, SalientNetwork, matter_for, only_figure
from understudy.engines.puppet.matte import FakeMatter, Matte, matte
from understudy.engines.registry import engine_named
from understudy.media.picture import Picture
from understudy.request import Matting, MotionRequest
from understudy.tracking.motion import Floats
from understudy.tracking.tracker import FakeTracker, Frame, Person, nobody

RED = (200, 60, 40)
GROUND = (90, 150, 120)


def person(joints: Floats | None = None) -> Person:
    found = nobody()
    body = found.body.copy()
    body[:, :2] = standing() if joints is None else joints
    body[:, 2] = 0
    return replace(found, body=body, visibility=np.ones(33, np.float32))


def red_figure(joints: Floats | None = None) -> tuple[Frame, Floats]:
    """The capsule figure all in red before green, and its true alpha."""
    made = draw(standing() if joints is None else joints)
    a = made.alpha[..., None]
    return np.rint(a * np.array(RED) + (1 - a) * np.array(GROUND)).astype(np.uint8), made.alpha


def no_segment(crop: Frame) -> Floats:
    return np.zeros(crop.shape[:2], np.float32)


@pytest.fixture
def network(tmp_path: Path) -> SalientNetwork:
    return SalientNetwork(write_network(tmp_path / "reds.onnx", side=256), threads=1)


def refusing(rgb: Frame, given_alpha: NDArray[np.uint8] | None, person: Person, segment: Segment) -> Matte:
    """A matter that must not be asked."""
    raise AssertionError("asked the other matter")


def test_the_networks_alpha_is_the_figure(network: SalientNetwork) -> None:
    rgb, truth = red_figure()
    cut = LearnedMatter(network, otherwise=refusing)(rgb, None, person(), no_segment)
    assert cut.alpha.shape == truth.shape
    assert cut.alpha.dtype == np.float32
    assert 0 <= cut.alpha.min() < 0.01
    assert 0.99 < cut.alpha.max() <= 1
    assert float(np.abs(cut.alpha - truth).mean()) < 0.01
    inside = cv2.erode((truth > 0.99).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    assert cut.alpha[inside].min() > 0.95


def test_the_edge_has_the_figures_own_colour(network: SalientNetwork) -> None:
    rgb, truth = red_figure()
    cut = LearnedMatter(network, otherwise=refusing)(rgb, None, person(), no_segment)
    edge = (truth > 0.1) & (truth < 0.9) & (cut.alpha > 0.05)
    assert edge.sum() > 500
    error = np.abs(cut.foreground[edge].astype(int) - RED).max(axis=1)
    mixed = np.abs(rgb[edge].astype(int) - RED).max(axis=1)
    assert float(error.mean()) < 0.35 * float(mixed.mean())


@pytest.mark.parametrize("side", [64, 300, None])
def test_a_network_of_any_size_or_of_an_open_one(tmp_path: Path, side: int | None) -> None:
    look = SalientNetwork(write_network(tmp_path / "reds.onnx", side=side), threads=1)
    rgb, truth = red_figure()
    assert float(np.abs(look(rgb) - truth).mean()) < 0.03


def test_only_the_figure_that_the_bones_lie_in_is_kept(network: SalientNetwork) -> None:
    rgb, truth = red_figure()
    wide = np.empty((HEIGHT, 2 * WIDTH, 3), np.uint8)
    wide[:, :WIDTH], wide[:, WIDTH:] = rgb, rgb[:, ::-1]
    matter = LearnedMatter(network, otherwise=refusing)
    left = matter(wide, None, person(), no_segment).alpha
    assert left[:, WIDTH:].max() == 0
    assert float(np.abs(left[:, :WIDTH] - truth).mean()) < 0.02
    joints = standing()
    joints[:, 0] += WIDTH
    right = matter(wide, None, person(joints), no_segment).alpha
    assert right[:, :WIDTH].max() == 0
    assert right[:, WIDTH:].max() > 0.99


def test_wisps_stay_and_distant_haze_goes() -> None:
    _, truth = red_figure()
    hazy = np.maximum(truth, 0.2).astype(np.float32)
    kept = only_figure(hazy, person())
    near = cv2.distanceTransform((truth < 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    assert kept[(near > 5) & (near < 30)].min() > 0.19
    assert kept[near > 80].max() == 0


def test_a_small_figure_is_looked_at_from_near(network: SalientNetwork) -> None:
    looks: list[tuple[int, ...]] = []

    def look(rgb: Frame) -> Floats:
        looks.append(rgb.shape)
        return network(rgb)

    rgb, truth = red_figure()
    wide = np.empty((HEIGHT, 4 * WIDTH, 3), np.uint8)
    wide[:] = GROUND
    wide[:, :WIDTH] = rgb
    matter = LearnedMatter(look, otherwise=refusing)
    alpha = matter(wide, None, person(), no_segment).alpha
    assert len(looks) == 1
    assert looks[0][1] < 2 * WIDTH
    assert float(np.abs(alpha[:, :WIDTH] - truth).mean()) < 0.02
    # A cloak that reaches far beyond: the near look would cut it.
    looks.clear()
    wide[250:330, 240:1700] = RED
    alpha = matter(wide, None, person(), no_segment).alpha
    assert looks[1:] == [wide.shape]
    assert alpha[260:320, 300:1600].min() > 0.9


def test_a_given_alpha_is_trusted(network: SalientNetwork) -> None:
    rgb, truth = red_figure()
    given = np.zeros(truth.shape, np.uint8)
    given[100:500, 150:300] = 255
    cut = LearnedMatter(network)(rgb, given, person(), no_segment)
    np.testing.assert_array_equal(cut.alpha, (given / np.float32(255)).astype(np.float32))


@pytest.mark.parametrize("which", ["another colour", "nobody found"])
def test_what_the_network_does_not_see_is_matted_otherwise(network: SalientNetwork, which: str) -> None:
    rgb, truth = red_figure()
    found = person()
    if which == "another colour":
        rgb = rgb[..., ::-1].copy()
    else:
        found = nobody()
    cut = LearnedMatter(network, otherwise=FakeMatter(truth))(rgb, None, found, no_segment)
    assert cut.alpha is truth


def test_bones_outside_of_everything_leave_nothing() -> None:
    _, truth = red_figure()
    assert only_figure(truth, person(standing() + np.float32(3000))).max() == 0


def test_a_file_that_is_no_network_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"not a network")
    with pytest.raises(ModelError) as caught:
        SalientNetwork(tmp_path / "bad.onnx")(np.zeros((40, 40, 3), np.uint8))
    assert caught.value.code == "matting_failed"
    assert "--matting own" in caught.value.fix


def test_the_runtime_keeps_quiet_about_its_user(tmp_path: Path) -> None:
    """Else it makes a number for this machine in the cache, and a store of what to send to its maker."""
    home = tmp_path / "home"
    home.mkdir()
    path = write_network(tmp_path / "reds.onnx", side=64)
    code = (
        "import sys, numpy as np; from pathlib import Path;"
        "from understudy.engines.puppet.learned_matte import SalientNetwork;"
        "SalientNetwork(Path(sys.argv[1]))(np.zeros((64, 64, 3), np.uint8))"
    )
    left_out = ("ORT_DISABLE_TELEMETRY", "CI", "XDG_CACHE_HOME")
    variables = {name: value for name, value in os.environ.items() if name not in left_out}
    told = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        env={**variables, "HOME": str(home)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert "elemetry" not in told.stderr
    assert list(home.rglob("*")) == []


@pytest.fixture
def pulled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small network in the place of the published one."""
    monkeypatch.setenv("UNDERSTUDY_MODELS_DIR", str(tmp_path / "models"))
    (tmp_path / "models").mkdir()
    path = write_network(tmp_path / "models" / "reds.onnx", side=256)
    content = path.read_bytes()
    known = matting_weights.Weights(
        "reds", "https://nowhere.invalid/reds.onnx", hashlib.sha256(content).hexdigest(), len(content), "none"
    )
    monkeypatch.setattr(matting_weights, "WEIGHTS", known)
    return path


def test_own_is_the_projects_own_and_needs_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNDERSTUDY_MODELS_DIR", str(tmp_path))
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    assert matter_for(Matting.OWN) is matte


def test_without_the_extra_the_error_names_it(pulled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    for ask in (lambda: matter_for(Matting.LEARNED), lambda: engine_named("puppet", matting=Matting.LEARNED)):
        with pytest.raises(ModelError) as caught:
            ask()
        assert caught.value.code == "matting_missing"
        assert "[matting]" in caught.value.fix


def test_without_weights_the_error_names_the_command(pulled: Path) -> None:
    pulled.unlink()
    with pytest.raises(ModelError) as caught:
        engine_named("puppet", matting=Matting.LEARNED)
    assert caught.value.code == "matting_missing"
    assert "understudy models pull matting" in caught.value.fix


def test_other_weights_are_refused(pulled: Path) -> None:
    pulled.write_bytes(b"something else")
    with pytest.raises(ModelError) as caught:
        matter_for(Matting.LEARNED)
    assert caught.value.code == "matting_corrupt"


def test_the_engine_uses_it_when_asked(pulled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rgb, truth = red_figure()
    # A blot elsewhere that no bone lies in, and the tracker told where the bones are.
    rgb[20:60, 20:60] = RED
    engine = engine_named("puppet", matting=Matting.LEARNED)
    assert isinstance(engine, PuppetEngine)
    monkeypatch.setattr(engine, "_tracker", FakeTracker([person()]))
    monkeypatch.setattr(engines, "Segmentation", lambda **_: SimpleNamespace(segment=no_segment))
    asked = MotionRequest(image=pulled, output=pulled, matting=Matting.LEARNED)
    puppet = engine.prepare(Picture(rgb, None), asked)
    height, width = puppet.matte.alpha.shape
    wanted = cv2.resize(truth, (width, height), interpolation=cv2.INTER_AREA)
    assert float(np.abs(puppet.matte.alpha - wanted).mean()) < 0.015
    assert puppet.matte.alpha[: height // 10, : width // 8].max() == 0
