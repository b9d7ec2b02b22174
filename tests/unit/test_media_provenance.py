"""Content credentials: signed, readable, tamper-evident, with a key that only its owner can read."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path

import pytest
from made_clips import make_clip, pattern
from PIL import Image

from understudy.engines.registry import capabilities_of
from understudy.errors import EngineError
from understudy.media import provenance
from understudy.media.clip import probe
from understudy.media.encode import VideoWriter
from understudy.request import Scene


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UNDERSTUDY_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv(provenance.CERTIFICATE_VARIABLE, raising=False)
    monkeypatch.delenv(provenance.KEY_VARIABLE, raising=False)
    return tmp_path / "data" / "provenance"


def clip(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "c.mp4", [pattern(64, 64)] * 10, options={"movflags": "+faststart"})


@pytest.mark.parametrize(
    ("engine", "scene", "model", "source"),
    [
        ("puppet", Scene.IMAGE, "", "compositeSynthetic"),
        ("wan-animate", Scene.IMAGE, "wan-animate-2", "trainedAlgorithmicMedia"),
        ("wan-animate", Scene.VIDEO, "wan-animate-1", "compositeWithTrainedAlgorithmicMedia"),
    ],
)
def test_a_signed_file_says_that_it_is_generated(
    tmp_path: Path, engine: str, scene: Scene, model: str, source: str
) -> None:
    path = clip(tmp_path)
    known = capabilities_of(engine)
    assert known is not None
    assert known.model(scene) == model
    provenance.sign(path, title="dance.mp4", engine=engine, scene=scene, model=model)
    store = provenance.read(path)
    assert store["validation_state"] == "Valid"
    manifest = store["manifests"][store["active_manifest"]]
    assert manifest["claim_generator_info"][0]["name"] == "Understudy"
    assert manifest["title"] == "dance.mp4"
    action = manifest["assertions"][-1]["data"]["actions"][0]
    assert action["action"] == "c2pa.created"
    assert action["digitalSourceType"].endswith("/" + source)
    assert action["softwareAgent"]["engine"] == engine
    assert action["softwareAgent"].get("model", "") == model
    assert probe(path).frame_count == 10
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.mp4", "data"]


def test_a_picture_says_it_too(tmp_path: Path) -> None:
    path = tmp_path / "cover.jpg"
    Image.fromarray(pattern(64, 64)).save(path, "JPEG")
    provenance.sign(path, title="cover.jpg", engine="puppet")
    store = provenance.read(path)
    assert store["validation_state"] == "Valid"
    assert "compositeSynthetic" in json.dumps(store)
    with Image.open(path) as picture:
        assert picture.size == (64, 64)


def test_a_change_is_noticed(tmp_path: Path) -> None:
    path = clip(tmp_path)
    provenance.sign(path, title="x", engine="puppet")
    data = bytearray(path.read_bytes())
    data[data.index(b"mdat") + 40] ^= 1
    path.write_bytes(data)
    assert provenance.read(path)["validation_state"] == "Invalid"


def test_the_key_is_kept_for_its_owner_alone(tmp_path: Path, folder: Path) -> None:
    provenance.sign(clip(tmp_path), title="x", engine="puppet")
    (file,) = folder.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    kept = file.read_bytes()
    provenance.sign(clip(tmp_path), title="x", engine="puppet")
    assert file.read_bytes() == kept


def test_two_first_runs_at_once_agree_on_one_identity(tmp_path: Path, folder: Path) -> None:
    seen: list[tuple[str, str, str]] = []
    threads = [threading.Thread(target=lambda: seen.append(provenance._identity())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert len(set(seen)) == 1
    assert len(list(folder.iterdir())) == 1


def test_a_kept_identity_needs_nothing_that_works_on_keys(folder: Path) -> None:
    provenance._identity()
    look = "import sys; from understudy.media import provenance as p; print(p._identity()[2], *sys.modules)"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    algorithm, *modules = done.stdout.split()
    assert algorithm == "es256"
    assert "cryptography" not in modules


def test_the_operators_own_certificate(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, key, _ = provenance._identity()
    (folder / "identity.pem").unlink()
    (tmp_path / "own.pem").write_text(certificate)
    (tmp_path / "own.key").write_text(key)
    monkeypatch.setenv(provenance.CERTIFICATE_VARIABLE, str(tmp_path / "own.pem"))
    monkeypatch.setenv(provenance.KEY_VARIABLE, str(tmp_path / "own.key"))
    path = clip(tmp_path)
    provenance.sign(path, title="x", engine="puppet")
    assert provenance.read(path)["validation_state"] == "Valid"
    assert not (folder / "identity.pem").exists()


@pytest.mark.parametrize("broken", ["no key", "no file", "not a key", "other key"])
def test_a_failure_is_an_error_and_never_an_unsigned_file(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    certificate, key, _ = provenance._identity()
    (tmp_path / "own.pem").write_text(certificate)
    (tmp_path / "own.key").write_text("nonsense" if broken == "not a key" else key)
    if broken == "other key":
        (folder / "identity.pem").unlink()
        (tmp_path / "own.key").write_text(provenance._identity()[1])
    monkeypatch.setenv(provenance.CERTIFICATE_VARIABLE, str(tmp_path / "own.pem"))
    if broken != "no key":
        name = "none.key" if broken == "no file" else "own.key"
        monkeypatch.setenv(provenance.KEY_VARIABLE, str(tmp_path / name))
    target = tmp_path / "o.mp4"

    def draw() -> None:
        def finish(path: Path) -> None:
            provenance.sign(path, title="x", engine="puppet")

        with VideoWriter(target, 64, 64, Fraction(30), finish=finish) as writer:
            writer.write(pattern(64, 64))

    with pytest.raises(EngineError, match="could not be signed") as caught:
        draw()
    assert caught.value.code == "provenance_failed"
    assert not target.exists()
    assert not list(tmp_path.glob(".o.mp4*"))
