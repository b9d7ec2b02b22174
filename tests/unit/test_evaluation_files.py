"""Evaluation of small made-up clips: sampling, pixels, sound, sheet, pairs, and the whole with a fake tracker."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from understudy.errors import ClipError, RequestError
from understudy.evaluation.command import evaluate_one, evaluate_pairs
from understudy.evaluation.evaluate import evaluate, still_image_baseline
from understudy.evaluation.masks import Mask, grown
from understudy.evaluation.pairs import Outcome, Pair, Rendered, as_json, as_markdown, read_pairs, run_pair
from understudy.evaluation.pixels import BEST_PSNR_DB, CameraWatch, PixelSums, Sample, psnr, ssim
from understudy.evaluation.reference import is_frame_of
from understudy.evaluation.rest import face_box, rest_figures
from understudy.evaluation.samples import nearest, sample_times
from understudy.evaluation.sheet import contact_sheet
from understudy.evaluation.sound import correlated, sound_offset
from understudy.media.picture import Picture
from understudy.request import Orientation
from understudy.tracking.tracker import FakeTracker, Frame, Person, nobody

SIZE = (96, 128)


def scene(shift: int = 0, *, seed: int = 5) -> Frame:
    """Blocks of colour, with a bright bar for the person."""
    blocks = np.random.default_rng(seed).integers(40, 160, (SIZE[1] // 16, SIZE[0] // 16, 3), np.uint8)
    frame = np.kron(blocks, np.ones((16, 16, 1), np.uint8)).astype(np.uint8)
    frame[30:110, 40 + shift : 56 + shift] = (230, 210, 60)
    return frame


def write(path: Path, frames: list[Frame], fps: int = 12) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": "8"})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


def person_at(x: float) -> Person:
    body = np.zeros((33, 3), np.float32)
    places = {
        0: (0, 190),
        11: (30, 250),
        12: (-30, 250),
        13: (40, 320),
        14: (-40, 320),
        15: (42, 380),
        16: (-42, 380),
    }
    places |= {23: (20, 400), 24: (-20, 400), 25: (20, 500), 26: (-20, 500), 27: (20, 600), 28: (-20, 600)}
    for joint, place in places.items():
        body[joint, :2] = place
    body[:, 0] += x
    visibility = np.zeros(33, np.float32)
    visibility[list(places)] = 1
    return replace(nobody(), body=body, world=body / 400, visibility=visibility)


def bar_masker(frame: Frame, person: Person | None) -> tuple[Mask, Mask]:
    mask = (frame[..., 0] > 190) & (frame[..., 2] < 110)
    return mask, grown(mask)


def fake_tracker() -> FakeTracker:
    return FakeTracker([person_at(270 + 3 * k) for k in range(24)])


def test_samples_stay_inside_and_end_after_ten_seconds() -> None:
    assert sample_times(1.0) == [k / 12 for k in range(12)]
    assert len(sample_times(30)) == 120
    assert sample_times(0.01) == [0]


def test_nearest_frame_by_time() -> None:
    frames = [(t, np.full((1, 1, 3), k, np.uint8)) for k, t in enumerate((0.0, 0.04, 0.2, 0.24))]
    chosen = [int(f[0, 0, 0]) for f in nearest(frames, [0.0, 0.03, 0.11, 0.13, 0.23, 9.0])]
    assert chosen == [0, 1, 1, 2, 3, 3]
    assert list(nearest([], [0.0])) == []


def test_psnr_and_ssim_of_equal_pictures() -> None:
    assert psnr(0) == BEST_PSNR_DB
    assert psnr(255.0**2) == pytest.approx(0)
    assert ssim(scene(), scene()) == pytest.approx(1)
    assert ssim(scene(), scene(seed=6)) < 0.9


def sample(frame: Frame) -> Sample:
    return Sample(frame, *bar_masker(frame, None), (slice(20, 120), slice(30, 80)))


def test_pixel_figures_tell_a_spoilt_background() -> None:
    reference, shown = sample(scene()), scene(30)
    sums = PixelSums(reference, has_background=True)
    sums.add(sample(shown), sample(scene(30)))
    perfect = sums.figures(still_camera=True)
    assert perfect.bg_l1 == perfect.bg_bad == 0
    assert perfect.sil_iou == 1
    assert perfect.psnr == BEST_PSNR_DB
    spoilt = shown.copy()
    spoilt[:, :10] = 255 - spoilt[:, :10]
    sums = PixelSums(reference, has_background=True)
    sums.add(sample(spoilt), sample(scene(30)))
    figures = sums.figures(still_camera=False)
    assert figures.bg_l1 is not None
    assert figures.bg_l1 > 5
    assert figures.bg_bad is not None
    assert 0.1 < figures.bg_bad < 0.9
    assert figures.sil_iou is None
    assert figures.reveal_l1 is None


def test_reveal_is_measured_where_the_person_was() -> None:
    background = scene()
    background[30:110, 40:56] = background[30:110, 60:61]
    far = Sample(background, np.zeros(background.shape[:2], bool), np.zeros(background.shape[:2], bool))
    filled = replace(
        far, frame=np.where(bar_masker(scene(), None)[0][..., None], 0, background).astype(np.uint8)
    )
    sums = PixelSums(sample(scene()), has_background=False)
    sums.add(filled, far)
    figures = sums.figures(still_camera=True)
    assert figures.bg_l1 is None
    assert figures.reveal_l1 == pytest.approx(float(background[30:110, 40:56].mean()), rel=0.02)


@pytest.mark.parametrize(("speed", "still"), [(0, True), (1, False)])
def test_camera_watch(speed: int, still: bool) -> None:
    wide = np.kron(
        np.random.default_rng(2).integers(0, 255, (30, 60, 3), np.uint8), np.ones((12, 12, 1), np.uint8)
    ).astype(np.uint8)
    empty = np.zeros((360, 360), bool)
    watch = CameraWatch()
    for k in range(25):
        watch.add(Sample(np.ascontiguousarray(wide[:, k * speed : 360 + k * speed]), empty, empty))
    assert watch.still is still


def test_sound_offset_sign_and_silence() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    late = np.concatenate([np.zeros(800, np.float32), noise])[:16000]
    assert sound_offset(noise, late) == pytest.approx(0.1)
    assert sound_offset(late, noise) == pytest.approx(-0.1)
    assert sound_offset(noise, np.zeros_like(noise)) is None
    assert sound_offset(noise, np.random.default_rng(9).normal(0, 0.1, 16000).astype(np.float32)) is None


@pytest.mark.parametrize(("size", "furthest"), [(1, 0), (5, 4), (40, 7), (33, 31)])
def test_sounds_are_correlated_at_every_lag(size: int, furthest: int) -> None:
    late, early = np.random.default_rng(2).normal(size=(2, size))
    found = correlated(late, early, furthest)
    assert len(found) == 2 * furthest + 1
    for lag, sum_ in zip(range(-furthest, furthest + 1), found, strict=True):
        wanted = sum(late[k + lag] * early[k] for k in range(size) if 0 <= k + lag < size)
        assert sum_ == pytest.approx(wanted, abs=1e-9)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write(tmp_path / "driving.mp4", [scene(k) for k in range(24)])


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "reference.png"
    Image.fromarray(scene()).save(path)
    return path


def test_a_frame_of_the_clip_is_recognised(clip: Path) -> None:
    assert is_frame_of(scene(7), clip)
    assert not is_frame_of(scene(seed=8), clip)


def test_transparent_pictures_stand_on_white() -> None:
    alpha = np.full(SIZE[::-1], 255, np.uint8)
    alpha[:20] = 0
    flat = Picture(scene(), alpha).on_white()
    assert (flat[:20] == 255).all()
    assert np.array_equal(flat[20:], scene()[20:])


def test_evaluate_against_itself_and_still(clip: Path, picture: Path) -> None:
    figures = evaluate(
        picture,
        clip,
        clip,
        orientation=Orientation.VIDEO,
        tracker=fake_tracker,
        masker=bar_masker,
        work_s=4.0,
    )
    assert figures.self_reenactment
    assert figures.samples == 24
    assert figures.akd == 0
    assert figures.duration_s == pytest.approx(2)
    assert figures.work_s_per_s == pytest.approx(2)
    assert figures.sound is False
    assert figures.sil_iou == 1
    still = figures.still_image
    assert still is not None
    assert still.akd is not None
    assert still.akd > 0.05
    held = json.loads(figures.to_json())
    assert held["still_image"]["limb_deg"] == pytest.approx(0, abs=0.01)
    assert held["face_ncc"] is None
    alone = still_image_baseline(
        picture, clip, orientation=Orientation.VIDEO, tracker=fake_tracker, masker=bar_masker
    )
    assert alone.akd == pytest.approx(still.akd)
    assert alone.bg_l1 == pytest.approx(0)


def test_evaluating_tells_how_far_it_is(clip: Path, picture: Path) -> None:
    told: list[tuple[str, int, int]] = []
    arguments = {"orientation": Orientation.VIDEO, "tracker": fake_tracker, "masker": bar_masker}
    evaluate(picture, clip, clip, progress=lambda *step: told.append(step), **arguments)  # type: ignore[arg-type]
    assert told == [("judging", number, 24) for number in range(25)]


def test_an_output_of_one_shot_is_compared_from_its_start(clip: Path, picture: Path, tmp_path: Path) -> None:
    part = write(tmp_path / "part.mp4", [scene(k) for k in range(12, 24)])
    arguments = {"orientation": Orientation.VIDEO, "tracker": fake_tracker, "masker": bar_masker}
    figures = evaluate(picture, clip, part, driving_start_s=1.0, **arguments)  # type: ignore[arg-type]
    assert figures.samples == 12
    assert figures.psnr is not None
    assert figures.psnr > 30
    early = evaluate(picture, clip, part, **arguments)  # type: ignore[arg-type]
    assert early.psnr is not None
    assert early.psnr < 25
    with pytest.raises(ClipError, match="outside"):
        evaluate(picture, clip, part, driving_start_s=5.0, **arguments)  # type: ignore[arg-type]


def test_rest_psnr_renders_and_measures(picture: Path) -> None:
    def copy(image: Path, video: Path, output: Path) -> None:
        output.write_bytes(video.read_bytes())

    found = rest_figures(picture, copy, tracker=fake_tracker).rest_psnr
    assert found is not None
    assert found > 35
    assert rest_figures(picture, copy, tracker=lambda: FakeTracker([None])) == (None, None)


def test_the_faces_box_is_the_mesh_grown_inside_the_picture() -> None:
    mesh = np.zeros((468, 3), np.float32)
    mesh[:, :2] = np.random.default_rng(1).uniform((20, 30), (60, 80), (468, 2))
    mesh[:2, :2] = (20, 30), (60, 80)
    picture = scene()
    assert face_box(mesh, picture) == (slice(22, 88), slice(14, 66))
    assert face_box(mesh - np.array([30, 0, 0], np.float32), picture) == (slice(22, 88), slice(0, 36))
    assert face_box(mesh / 10, picture) is None
    assert face_box(np.full_like(mesh, np.nan), picture) is None


def test_a_spoilt_face_at_rest_is_told(picture: Path) -> None:
    mesh = np.zeros((468, 3), np.float32)
    mesh[:, :2] = np.random.default_rng(1).uniform((200, 200), (340, 340), (468, 2))  # at a height of 720
    person = replace(person_at(270), face=mesh, face_score=1.0)

    def spoilt(image: Path, video: Path, output: Path) -> None:
        frame = scene()
        frame[42:58, 42:54] = 0
        write(output, [frame] * 12)

    found = rest_figures(picture, spoilt, tracker=lambda: FakeTracker([person]))
    assert found.rest_psnr is not None
    assert found.rest_face_psnr is not None
    assert found.rest_face_psnr < found.rest_psnr - 3
    assert found.rest_face_psnr < 12


def test_contact_sheet_shows_both(clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "sheet.png"
    contact_sheet(clip, clip, path, columns=4, rows=2, frame_height=128)
    with Image.open(path) as sheet:
        assert sheet.size == (4 * 100, 2 * (22 + 2 * 132))
        pixels = np.asarray(sheet)
    assert np.abs(pixels[22:150, :96].astype(int) - pixels[154:282, :96]).mean() == 0
    with pytest.raises(ClipError):
        contact_sheet(clip, clip, path, start_s=3)


def pair(clip: Path, picture: Path | None) -> Pair:
    return Pair("P", "self", clip, picture, 0, (Orientation.VIDEO,))


def test_pairs_file_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "pairs.json"
    entry = {"name": "A", "kind": "self", "driving": "v.mp4", "reference_frame": 3, "orientations": ["image"]}
    path.write_text(json.dumps([entry]))
    (read,) = read_pairs(path, tmp_path)
    assert read.driving == tmp_path / "v.mp4"
    assert read.reference is None
    assert read.orientations == (Orientation.IMAGE,)
    bad: list[Callable[[dict[str, object]], object]] = [
        lambda e: e.pop("reference_frame"),
        lambda e: e.update(kind="other"),
        lambda e: e.update(orientations=["up"]),
    ]
    for spoil in bad:
        spoilt = dict(entry)
        spoil(spoilt)
        path.write_text(json.dumps([spoilt]))
        with pytest.raises(RequestError, match="list of pairs"):
            read_pairs(path, tmp_path)


def test_the_benchmarks_pairs_are_all_there() -> None:
    listed = read_pairs(Path(__file__).parents[2] / "benchmarks" / "pairs.json", Path("media"))
    assert [p.name for p in listed] == ["S1", "S2", "S3", "S4", "S5", *(f"C{k}" for k in range(1, 9))]


def test_an_error_becomes_the_pairs_outcome(clip: Path, tmp_path: Path) -> None:
    def broken(image: Path, video: Path, output: Path, orientation: Orientation) -> Rendered:
        raise ClipError("clip_short", "Too short.", fix="Film longer.")

    outcome = run_pair(pair(clip, None), Orientation.VIDEO, broken, tmp_path / "out")
    assert outcome.figures is None
    assert "Too short" in as_markdown([outcome])
    assert json.loads(as_json([outcome]))[0]["error"]


def test_markdown_keeps_self_and_cross_apart(clip: Path, picture: Path) -> None:
    figures = evaluate(
        picture, clip, clip, orientation=Orientation.VIDEO, tracker=fake_tracker, masker=bar_masker
    )
    own = Outcome(pair(clip, picture), Orientation.VIDEO, figures, ("one shot of two",))
    other = Outcome(replace(own.pair, kind="cross"), Orientation.VIDEO, replace(figures, akd=None))
    text = as_markdown([own, other])
    assert text.index("## Self") < text.index("## Cross")
    assert "one shot of two" in text
    assert "nan" not in text.lower()


def test_masks_grow_by_pixels() -> None:
    mask: NDArray[np.bool_] = np.zeros((81, 81), bool)
    assert not grown(mask).any()
    mask[40, 40] = True
    wide = grown(mask, 20)
    assert wide[40, 60]
    assert not wide[40, 62]


def test_pairs_are_made_judged_and_written(clip: Path, picture: Path, tmp_path: Path) -> None:
    def broken(image: Path, video: Path, output: Path, orientation: Orientation) -> Rendered:
        raise ClipError("clip_short", "Too short.", fix="Film longer.")

    listed = tmp_path / "pairs.json"
    entry = {"name": "A", "kind": "cross", "driving": clip.name, "reference": picture.name}
    listed.write_text(json.dumps([{**entry, "orientations": ["image", "video"]}]))
    text = evaluate_pairs(listed, None, tmp_path / "out", animate=broken)
    assert "A-image" in text
    assert "A-video" in text
    assert len(json.loads((tmp_path / "out" / "figures.json").read_text())) == 2
    with pytest.raises(RequestError, match="none of the pairs"):
        evaluate_pairs(listed, None, tmp_path / "out", only=frozenset({"Z"}), animate=broken)


@pytest.mark.parametrize("start_s", [float("nan"), float("inf"), -1.0])
def test_a_start_that_is_no_time_is_refused(clip: Path, picture: Path, start_s: float) -> None:
    with pytest.raises(RequestError) as caught:
        evaluate_one(picture, clip, clip, Orientation.VIDEO, start_s=start_s)
    assert caught.value.code == "start_outside"


def test_evaluating_nothing_is_refused() -> None:
    with pytest.raises(RequestError, match="nothing to judge"):
        evaluate_one(None, None, None, Orientation.VIDEO)
