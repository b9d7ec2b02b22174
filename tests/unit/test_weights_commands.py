"""What `understudy models` says and does with the GPU models' weights, without a network."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from small_weights import COMMIT, lay, manifest_of, safetensors, small_files

from understudy import cli
from understudy.engines.diffusion import brought, hub
from understudy.engines.diffusion.pulling import pulling
from understudy.engines.diffusion.weights import WAN_ANIMATE_2

MANIFEST = "understudy-weights.json"
SHARD = "transformer/diffusion_pytorch_model-00002-of-00002.safetensors"


@dataclass
class Said:
    code: int
    out: str
    err: str


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    def start(*words: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["understudy", "models", *map(str, words)])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
        told = capsys.readouterr()
        assert "Traceback" not in told.out + told.err
        return Said(code, told.out, told.err)

    return start


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("UNDERSTUDY_WEIGHTS_DIR", raising=False)
    monkeypatch.setenv("UNDERSTUDY_MODELS_DIR", str(tmp_path / "models"))
    return tmp_path / "models" / "wan-animate-2"


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    """What somebody brings."""
    return lay(tmp_path / "stick", {**small_files(), "README.md": b"words"})


def row(said: Said) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(said.out)
    return next(one for one in found if one["name"] == "wan-animate-2")


def damage(path: Path) -> None:
    """One bit, so that its header fits still; a link's other end stays as it is."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.unlink()
    path.write_bytes(content)


def test_the_list_tells_every_state(run: Callable[..., Said], home: Path) -> None:
    assert row(run("list", "--json"))["state"] == "missing"
    files = small_files()
    lay(home, {path: content for path, content in files.items() if path != SHARD})
    partial = row(run("list", "--json"))
    assert (partial["state"], partial["here_bytes"]) == (
        "partial",
        sum(map(len, files.values())) - len(files[SHARD]),
    )
    assert partial["note"] == "Run `understudy models pull wan-animate-2`. It goes on where it stopped."
    lay(home, {SHARD: files[SHARD]})
    ready = row(run("list", "--json"))
    assert (ready["state"], ready["note"], ready["folder"]) == ("ready", "", str(home))
    (home / SHARD).write_bytes(b"short")
    assert row(run("list", "--json"))["state"] == "damaged"
    shown = run("list").out
    assert "wan-animate-2  damaged" in shown
    assert "Apache-2.0, by Alibaba's Wan team" in shown


def test_the_path_is_printed_only_of_what_is_whole(run: Callable[..., Said], home: Path) -> None:
    missing = run("path", "wan-animate-2")
    assert (missing.code, missing.out) == (1, "")
    assert "[weights_missing]" in missing.err
    lay(home, small_files())
    assert run("path", "wan-animate-2").out == f"{home}\n"
    assert "[model_missing]" in run("path", "tracker").err
    assert "[matting_missing]" in run("path", "matting").err


def test_verifying_names_the_wrong_file(run: Callable[..., Said], home: Path) -> None:
    files = small_files()
    lay(home, {**files, MANIFEST: manifest_of(files)})
    good = run("verify", "wan-animate-2")
    assert good.code == 0
    assert f"have the checksums of commit {COMMIT[:12]}" in good.out
    damage(home / SHARD)
    bad = run("verify", "wan-animate-2")
    assert (bad.code, bad.out) == (1, "")
    assert SHARD in bad.err
    assert "[weights_corrupt]" in bad.err


def test_verifying_all_goes_on_after_a_wrong_one(run: Callable[..., Said], home: Path) -> None:
    files = small_files()
    lay(home, {**files, MANIFEST: manifest_of(files)})
    assert run("verify").code == 0
    damage(home / SHARD)
    (home.parent / "pose_detection.tflite").write_bytes(b"x")
    said = run("verify")
    assert said.code == 1
    assert "matting: not here" in said.out
    assert "wan-animate-1: not here" in said.out
    assert SHARD in said.err


def test_verifying_without_checksums_says_so(run: Callable[..., Said], home: Path) -> None:
    lay(home, small_files())
    said = run("verify", "wan-animate-2")
    assert said.code == 0
    assert "have no known checksum" in said.out


def test_verifying_what_is_not_there_or_not_whole_fails(run: Callable[..., Said], home: Path) -> None:
    assert "[weights_missing]" in run("verify", "wan-animate-2").err
    files = small_files()
    del files[SHARD]
    lay(home, files)
    said = run("verify", "wan-animate-2")
    assert said.code == 1
    assert "[weights_partial]" in said.err


def test_a_folder_is_brought_by_links(run: Callable[..., Said], home: Path, stick: Path) -> None:
    said = run("pull", "wan-animate-2", "--from", stick)
    assert (said.code, said.err) == (0, "")
    assert "licence  Apache-2.0" in said.out
    assert "no checksums are known" in said.out
    assert (home / SHARD).samefile(stick / SHARD)
    assert not (home / "README.md").exists()
    assert run("path", "wan-animate-2").out == f"{home}\n"
    again = run("pull", "wan-animate-2", "--from", stick)
    assert again.code == 0
    assert sorted(p.name for p in (home / "vae").iterdir()) == [
        "config.json",
        "diffusion_pytorch_model.safetensors",
    ]


def test_a_folder_of_another_disk_is_copied_with_its_manifest(
    run: Callable[..., Said], home: Path, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "another disk")

    monkeypatch.setattr(os, "link", refuse)
    lay(stick, {MANIFEST: manifest_of(small_files())})
    said = run("pull", "wan-animate-2", "--from", stick)
    assert said.code == 0
    assert f"{len(small_files())} of {len(small_files())} files have the checksum" in said.out
    assert not (home / SHARD).samefile(stick / SHARD)
    assert (home / SHARD).read_bytes() == small_files()[SHARD]
    assert run("verify", "wan-animate-2").code == 0
    assert not (home / ".parts").exists()


def test_the_hubs_own_cache_of_links_is_brought_as_files(
    run: Callable[..., Said], home: Path, tmp_path: Path
) -> None:
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshot"
    for number, (path, content) in enumerate(small_files().items()):
        lay(blobs, {str(number): content})
        (snapshot / path).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / path).symlink_to(blobs / str(number))
    assert run("pull", "wan-animate-2", "--from", snapshot).code == 0
    assert not (home / SHARD).is_symlink()
    assert run("verify", "wan-animate-2").code == 0


def test_a_folder_that_is_not_whole_brings_nothing(run: Callable[..., Said], home: Path, stick: Path) -> None:
    (stick / SHARD).unlink()
    lacking = run("pull", "wan-animate-2", "--from", stick)
    assert lacking.code == 1
    assert SHARD in lacking.err
    assert "[weights_source]" in lacking.err
    lay(stick, {SHARD: small_files()[SHARD], MANIFEST: manifest_of(small_files())})
    damage(stick / SHARD)
    damaged = run("pull", "wan-animate-2", "--from", stick)
    assert "[weights_corrupt]" in damaged.err
    assert SHARD in damaged.err
    assert row(run("list", "--json"))["state"] == "missing"
    assert "[weights_source]" in run("pull", "wan-animate-2", "--from", stick / "nowhere").err
    assert "[weights_source]" in run("pull", "wan-animate-2", "--from", home).err


def test_too_little_room_is_said_before_anything_is_copied(
    run: Callable[..., Said], home: Path, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "another disk")

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(brought, "SPARE_BYTES", 10**18)
    said = run("pull", "wan-animate-2", "--from", stick)
    assert said.code == 1
    assert "[weights_disk]" in said.err
    assert str(home) in said.err
    assert not (home / SHARD).exists()


def test_two_pulls_at_once_are_told(run: Callable[..., Said], stick: Path) -> None:
    with pulling(WAN_ANIMATE_2):
        said = run("pull", "wan-animate-2", "--from", stick)
    assert said.code == 1
    assert "[weights_busy]" in said.err
    assert run("pull", "wan-animate-2", "--from", stick).code == 0


def test_without_the_package_the_extra_is_named(
    run: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    said = run("pull", "wan-animate-2")
    assert said.code == 1
    assert "[hub_missing]" in said.err
    assert "[gpu]" in said.err


@pytest.mark.parametrize("option", ["--revision", "--from"])
@pytest.mark.parametrize("name", ["tracker", "matting"])
def test_one_version_of_the_small_models_is_published(
    run: Callable[..., Said], name: str, option: str, tmp_path: Path
) -> None:
    said = run("pull", name, option, tmp_path)
    assert said.code == 2
    assert "[models_option]" in said.err


@pytest.mark.parametrize("command", ["pull", "verify", "path"])
def test_an_unknown_set_is_named(run: Callable[..., Said], command: str) -> None:
    said = run(command, "wan-animate-3")
    assert said.code == 2
    assert "[models_unknown]" in said.err
    assert "wan-animate-2" in said.err


def test_breaking_off_says_that_what_has_come_stays(
    run: Callable[..., Said], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_off(*_: object) -> None:
        raise KeyboardInterrupt

    lay(home, {MANIFEST: manifest_of(small_files())})  # so that nobody is asked
    monkeypatch.setattr(hub, "wrong_files", broken_off)
    said = run("pull", "wan-animate-2")
    assert said.code == 130
    assert "What has come stays" in said.err
    assert "0.0 GB to download" in said.out


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written_is_one_error(
    run: Callable[..., Said], home: Path, stick: Path
) -> None:
    home.parent.mkdir()
    home.parent.chmod(0o500)
    assert "[weights_folder]" in run("pull", "wan-animate-2", "--from", stick).err


def test_a_file_in_the_folders_place_is_one_error(run: Callable[..., Said], home: Path, stick: Path) -> None:
    home.parent.mkdir()
    home.write_bytes(b"")
    assert "[weights_folder]" in run("pull", "wan-animate-2", "--from", stick).err


def test_a_folder_and_a_commit_contradict_each_other(
    run: Callable[..., Said], home: Path, stick: Path
) -> None:
    said = run("pull", "wan-animate-2", "--from", stick, "--revision", "main")
    assert said.code == 2
    assert "[models_option]" in said.err
    assert not home.exists()


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("scheduler/scheduler_config.json", b"{}"),
        ("scheduler/scheduler_config.json", b'{"shift": 5}'),
        ("transformer/config.json", b"{}"),
        ("vae/config.json", b"[]"),
        ("modular_model_index.json", b"{}"),
    ],
)
def test_what_is_loaded_must_say_something(
    run: Callable[..., Said], home: Path, path: str, content: bytes
) -> None:
    lay(home, {**small_files(), path: content})
    said = run("verify", "wan-animate-2")
    assert said.code == 1
    assert path in said.err


def test_a_file_that_is_not_needed_may_be_empty(run: Callable[..., Said], home: Path) -> None:
    lay(home, {**small_files(), "tokenizer/added_tokens.json": b"{}"})
    assert run("verify", "wan-animate-2").code == 0


def test_the_list_tells_what_the_lack_of_the_lora_means(run: Callable[..., Said], home: Path) -> None:
    files = {**small_files(), "image_processor/preprocessor_config.json": b'{"size": 224}'}
    files["model_index.json"] = files.pop("modular_model_index.json")
    older = lay(home.with_name("wan-animate-1"), files)
    found = {each["name"]: each for each in json.loads(run("list", "--json").out)}["wan-animate-1"]
    assert found["state"] == "ready"
    assert "20 steps instead of 4" in found["note"]
    assert "`understudy models pull wan-animate-1`" in found["note"]
    lora = "lora/wan2.1_i2v_lora_rank64_lightx2v_4step.safetensors"
    lay(older, {lora: safetensors({"a": b"1"})})
    found = {each["name"]: each for each in json.loads(run("list", "--json").out)}["wan-animate-1"]
    assert found["note"] == ""
