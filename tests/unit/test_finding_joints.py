"""The joints file: what it may say, and that nothing in it breaks anything."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from understudy.errors import RequestError
from understudy.tracking.joints import MOST_BYTES, read_face_hints, read_joints
from understudy.tracking.template import BONES, INDEX, LEFT_RIGHT, NAMES, complete, mirrored, world_from

PLACES = {
    "nose": [200, 90],
    "left_shoulder": [245, 160], "right_shoulder": [155, 160],
    "left_elbow": [270, 230], "right_elbow": [130, 230],
    "left_wrist": [280, 300], "right_wrist": [120, 300],
    "left_hip": [225, 310], "right_hip": [175, 310],
    "left_knee": [228, 420], "right_knee": [172, 420],
    "left_ankle": [230, 530], "right_ankle": [170, 530],
}  # fmt: skip


def written(tmp_path: Path, content: object) -> Path:
    file = tmp_path / "joints.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def code_of(path: Path) -> str:
    with pytest.raises(RequestError) as caught:
        read_joints(path, 400, 600)
    return caught.value.code


def test_the_thirteen_are_enough(tmp_path: Path) -> None:
    person = read_joints(written(tmp_path, PLACES), 400, 600)
    for name, place in PLACES.items():
        assert person.body[INDEX[name], :2].tolist() == place
    assert np.isfinite(person.body).all()
    at = {name: person.body[i, :2] for i, name in enumerate(NAMES)}
    assert at["left_eye"][0] > at["nose"][0] > at["right_eye"][0]
    assert at["left_eye"][1] < at["nose"][1] < at["mouth_left"][1]
    assert at["left_foot_index"][1] > at["left_ankle"][1]
    assert at["left_index"][1] > at["left_wrist"][1]
    assert person.visibility[INDEX["nose"]] == 1 > person.visibility[INDEX["left_eye"]]


def test_what_is_told_of_the_face_is_read_from_left_to_right(tmp_path: Path) -> None:
    told = {
        "left_eye": [220, 80], "right_eye": [180, 82], "mouth_left": [212, 110], "mouth_right": [190, 111],
        "chin": [200, 130],
    }  # fmt: skip
    file = written(tmp_path, PLACES | told)
    hints = read_face_hints(file)
    assert hints.eyes is not None
    assert hints.mouth is not None
    assert hints.chin is not None
    assert hints.eyes.tolist() == [[180, 82], [220, 80]]
    assert hints.mouth.tolist() == [[190, 111], [212, 110]]
    assert hints.chin.tolist() == [200, 130]
    person = read_joints(file, 400, 600)
    assert person.body[INDEX["left_eye"], :2].tolist() == [220, 80]


def test_half_a_face_is_no_hint(tmp_path: Path) -> None:
    hints = read_face_hints(written(tmp_path, PLACES | {"left_eye": [220, 80], "mouth_left": [212, 110]}))
    assert (hints.eyes, hints.mouth, hints.chin) == (None, None, None)


def test_optional_joints_are_kept_and_head_top_stands_for_the_nose(tmp_path: Path) -> None:
    places = {k: v for k, v in PLACES.items() if k != "nose"} | {
        "head_top": [200, 30],
        "left_index": [290, 333],
    }
    person = read_joints(written(tmp_path, places), 400, 600)
    assert person.body[INDEX["left_index"], :2].tolist() == [290, 333]
    assert 60 < person.body[0, 1] < 130


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "{", "3", '{"nose": 1}', '{"nose": [1]}', '{"nose": [1, "2"]}', '{"nose": [1, null]}',
        '{"nose": [NaN, 1]}', '{"nose": [1e999, 1]}', '{"nose": [true, 1]}', '{"elbow": [1, 2]}', "[" * 60000,
        '{"nose": [' + "9" * 5000 + ", 1]}",
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(tmp_path: Path, content: str) -> None:
    assert code_of(written(tmp_path, content)) == "joints_unreadable"


def test_a_missing_file_a_folder_and_a_huge_file_are_refused(tmp_path: Path) -> None:
    assert code_of(tmp_path / "none.json") == "joints_unreadable"
    assert code_of(tmp_path) == "joints_unreadable"
    assert code_of(written(tmp_path, " " * (MOST_BYTES + 1))) == "joints_unreadable"


def test_a_missing_joint_is_named(tmp_path: Path) -> None:
    file = written(tmp_path, {k: v for k, v in PLACES.items() if k != "left_knee"})
    with pytest.raises(RequestError, match="left_knee") as caught:
        read_joints(file, 400, 600)
    assert caught.value.code == "joints_incomplete"


def test_places_outside_are_refused_unless_the_edge_cuts_them(tmp_path: Path) -> None:
    assert code_of(written(tmp_path, PLACES | {"nose": [200, 1900]})) == "joints_outside"
    assert code_of(written(tmp_path, PLACES | {"chin": [9e6, -9e6]})) == "joints_outside"
    assert code_of(written(tmp_path, {k: [-10, -10] for k in PLACES})) == "joints_outside"
    cut = PLACES | {"left_ankle": [230, 700], "right_ankle": [170, 700]}
    assert read_joints(written(tmp_path, cut), 400, 600).body[27, 1] == 700


def test_a_body_without_a_trunk_is_refused(tmp_path: Path) -> None:
    assert code_of(written(tmp_path, {k: [200, 300] for k in PLACES})) == "joints_degenerate"
    on_hips = {k: PLACES[k.replace("shoulder", "hip")] for k in PLACES}
    assert code_of(written(tmp_path, on_hips)) == "joints_degenerate"
    near = on_hips | {k: [v[0], v[1] - 13] for k, v in on_hips.items() if "shoulder" in k}
    assert read_joints(written(tmp_path, near), 400, 600).body.shape == (33, 3)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=200))
def test_bytes_never_break_the_reader(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "joints.json"
    file.write_bytes(content)
    with pytest.raises(RequestError):
        read_joints(file, 400, 600)


def test_all_joints_in_one_place_still_give_finite_landmarks() -> None:
    body = complete(np.full((33, 2), 50, np.float32))
    assert np.isfinite(world_from(body)).all()
    known = np.full((33, 2), np.nan, np.float32)
    for name in PLACES:
        known[INDEX[name]] = 50
    assert np.isfinite(complete(known)).all()


def test_the_template_is_blazepose_s() -> None:
    assert len(NAMES) == 33
    assert NAMES[11] == "left_shoulder"
    assert NAMES[32] == "right_foot_index"
    assert all(NAMES[a].replace("left", "right") == NAMES[b] for a, b in LEFT_RIGHT)
    assert max(max(bone) for bone in BONES) < 33
    points = np.arange(66, dtype=np.float32).reshape(33, 2)
    assert (mirrored(mirrored(points)) == points).all()
    assert (mirrored(points)[11] == points[12]).all()


def test_world_landmarks_are_human_sized_about_the_hips(tmp_path: Path) -> None:
    world = read_joints(written(tmp_path, PLACES), 400, 600).world
    assert np.abs(world[23:25].mean(axis=0)).max() < 1e-5
    assert 0.9 < np.linalg.norm(world[11:13].mean(axis=0) - world[23:25].mean(axis=0)) / 0.53 < 1.2
    assert world[0, 1] < 0 < world[27, 1]
