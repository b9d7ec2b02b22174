"""Pulling weights by huggingface_hub from a hub on this machine: whole, broken off, damaged, refused."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from small_hub import Repo, SmallHub, serving
from small_weights import COMMIT, lay, safetensors, small_files

from understudy.engines.diffusion import hub, weights
from understudy.engines.diffusion.manifest import Fact
from understudy.engines.diffusion.presence import State, look
from understudy.engines.diffusion.pulling import pulling
from understudy.engines.diffusion.verdict import verify
from understudy.engines.diffusion.weights import WAN_ANIMATE_1, WAN_ANIMATE_2, WeightSet, weights_folder
from understudy.errors import ModelError

REPO = WAN_ANIMATE_2.sources[0].repo
OTHER = "b" * 40
SHARD = "transformer/diffusion_pytorch_model-00001-of-00002.safetensors"
SHARD_END = "00001-of-00002.safetensors"
USELESS = {
    "README.md": b"words",
    "assets/picture.png": b"png",
    "vae/diffusion_pytorch_model.bin": b"pickle" * 1000,
    ".gitattributes": b"*",
}
TOKEN = "hf_" + "secret" * 5


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UNDERSTUDY_WEIGHTS_DIR", str(tmp_path / "weights"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr(hub, "CHUNK", 4096)
    monkeypatch.setattr(hub, "WAIT_S", 0.01)
    return tmp_path / "weights" / "wan-animate-2"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallHub]:
    repo = Repo({COMMIT: {**small_files(), **USELESS}, OTHER: small_files(salt=b"moved")}, COMMIT)
    with serving(SmallHub({REPO: repo})) as made:
        monkeypatch.setenv("HF_ENDPOINT", made.address)
        yield made


def pull(
    chosen: WeightSet = WAN_ANIMATE_2, revision: str | None = None
) -> tuple[hub.Plan, list[tuple[str, int, int]]]:
    told: list[tuple[str, int, int]] = []
    with pulling(chosen):
        made = hub.plan(chosen, revision)
        hub.download(made, lambda *step: told.append(step))
    return made, told


def refused(chosen: WeightSet = WAN_ANIMATE_2, revision: str | None = None) -> ModelError:
    with pytest.raises(ModelError) as caught:
        pull(chosen, revision)
    return caught.value


def named_main() -> WeightSet:
    return replace(
        WAN_ANIMATE_2, sources=(replace(WAN_ANIMATE_2.sources[0], revision="main", begins=COMMIT[:7]),)
    )


def test_a_pull_brings_what_is_of_use_and_no_more(server: SmallHub, home: Path) -> None:
    pull()
    assert weights_folder("wan-animate-2") == home
    found = {path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()}
    assert found == {*small_files(), "understudy-weights.json", ".pull"}
    for path, content in small_files().items():
        assert (home / path).read_bytes() == content
    assert not [name for name in USELESS if server.asked(name)]


def test_its_manifest_holds_commit_licence_sizes_and_sums(server: SmallHub, home: Path) -> None:
    pull()
    told = json.loads((home / "understudy-weights.json").read_text())
    taken = told["taken"][0]
    assert (taken["repo"], taken["commit"]) == (REPO, COMMIT)
    assert taken["licence"].startswith("Apache-2.0")
    assert set(taken["files"]) == set(small_files())
    assert all(len(fact["sha256"]) == 64 for fact in taken["files"].values())
    verdict = verify(WAN_ANIMATE_2)
    assert (verdict.good, verdict.summed) == (True, len(small_files()))


def test_a_second_pull_needs_no_network(server: SmallHub) -> None:
    pull()
    before = len(server.seen)
    server.refuse = 500
    pull()
    assert len(server.seen) == before


def test_the_progress_runs_over_all_bytes(server: SmallHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "MB", 1000)
    made, told = pull()
    steps = [done for stage, done, _ in told if stage == hub.DOWNLOADING]
    assert steps == sorted(steps)
    assert {total for stage, _, total in told if stage == hub.DOWNLOADING} == {made.size_bytes // 1000}
    assert steps[-1] == made.size_bytes // 1000


def test_a_connection_that_breaks_goes_on_where_it_broke(server: SmallHub, home: Path) -> None:
    server.break_at[SHARD_END] = [20_000, 10_000]
    pull()
    assert (home / SHARD).read_bytes() == small_files()[SHARD]
    ranges = [one.range for one in server.asked("/large/") if one.range]
    assert len(ranges) == 2
    assert all(int(one.removeprefix("bytes=").rstrip("-")) >= 16_384 for one in ranges)


def test_the_next_pull_goes_on_where_the_last_one_broke_off(server: SmallHub, home: Path) -> None:
    server.break_at[SHARD_END] = [40_000, *[0] * 50]
    error = refused()
    assert error.code == "weights_network"
    assert "goes on where it stopped" in error.fix
    assert look(WAN_ANIMATE_2).state is State.PARTIAL
    half = max(part.stat().st_size for part in (home / ".parts").iterdir())
    assert 36_000 <= half <= 40_000
    server.break_at.clear()
    server.seen.clear()
    pull()
    assert (home / SHARD).read_bytes() == small_files()[SHARD]
    assert [one.range for one in server.asked("/large/") if one.range] == [f"bytes={half}-"]
    assert not server.asked("/api/")  # its manifest knows the rest


def test_a_pull_that_is_killed_goes_on(server: SmallHub, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of its own, killed without warning."""
    content = safetensors({"one": os.urandom(45 * 10**6)})
    server.repos[REPO].commits[COMMIT][SHARD] = content
    monkeypatch.undo()
    server.delay_s = 0.02
    environment = {
        **os.environ,
        "HF_ENDPOINT": server.address,
        "UNDERSTUDY_WEIGHTS_DIR": str(home.parent),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    start = [sys.executable, "-m", "understudy", "models", "pull", "wan-animate-2"]
    end = time.monotonic() + 120
    with subprocess.Popen(start, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as first:
        try:
            while (half := halves(home)) < 10**7:
                assert first.poll() is None, first.communicate()[0]
                assert time.monotonic() < end
                time.sleep(0.01)
        finally:
            first.send_signal(signal.SIGKILL)
            first.communicate()
    assert not (home / SHARD).exists()
    half = halves(home)
    server.delay_s = 0
    server.seen.clear()
    second = subprocess.run(start, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert second.returncode == 0, second.stderr
    assert [one.range for one in server.asked("/large/") if one.range] == [f"bytes={half}-"]
    assert (home / SHARD).read_bytes() == content


def halves(home: Path) -> int:
    parts = home / ".parts"
    return max((part.stat().st_size for part in parts.iterdir()), default=0) if parts.is_dir() else 0


@pytest.mark.parametrize("path", [SHARD, "vae/config.json"])
def test_other_bytes_than_the_hub_states_do_not_stay(server: SmallHub, home: Path, path: str) -> None:
    content = small_files()[path]
    server.changed[path] = content[:-1] + b"?"
    error = refused()
    assert error.code == "weights_corrupt"
    assert path in error.message
    assert not (home / path).exists()
    server.changed.clear()
    pull()
    assert (home / path).read_bytes() == content


def test_a_file_that_ends_before_its_end_is_no_file(server: SmallHub, home: Path) -> None:
    server.changed[SHARD] = small_files()[SHARD][:1000]
    assert refused().code == "weights_network"
    assert not (home / SHARD).exists()


def test_a_file_that_does_not_end_is_no_file(server: SmallHub, home: Path) -> None:
    server.changed[SHARD] = small_files()[SHARD] * 2
    error = refused()
    assert error.code == "weights_network"
    assert SHARD in error.message
    server.changed.clear()
    pull()
    assert (home / SHARD).read_bytes() == small_files()[SHARD]


def test_a_server_that_knows_no_ranges_begins_anew(server: SmallHub, home: Path) -> None:
    server.ranges = False
    server.break_at[SHARD_END] = [20_000]
    pull()
    assert (home / SHARD).read_bytes() == small_files()[SHARD]


def test_a_damaged_file_alone_is_brought_again(server: SmallHub, home: Path) -> None:
    pull()
    content = bytearray((home / SHARD).read_bytes())
    content[-1] ^= 1
    (home / SHARD).write_bytes(content)
    server.seen.clear()
    pull()
    assert (home / SHARD).read_bytes() == small_files()[SHARD]
    assert len(server.asked("/resolve/")) == 1


def test_files_that_somebody_copied_there_are_not_downloaded_again(server: SmallHub, home: Path) -> None:
    files = small_files()
    lay(home, {path: content for path, content in files.items() if path != "vae/config.json"})
    pull()
    assert [one.path for one in server.asked("/resolve/")] == [f"/{REPO}/resolve/{COMMIT}/vae/config.json"]


def test_too_small_a_disk_is_said_before_anything_comes(
    server: SmallHub, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shutil.disk_usage
    monkeypatch.setattr(shutil, "disk_usage", lambda path: real(path)._replace(free=1_500_000_000))
    error = refused()
    assert error.code == "weights_disk"
    assert "1.5 GB are free" in error.message
    assert "2 GB to spare" in error.message
    assert str(home) in error.message
    assert not server.asked("/resolve/")


def test_a_disk_that_fills_up_is_said(server: SmallHub, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(hub, "_go_on", full)
    error = refused()
    assert error.code == "weights_disk"
    assert str(home) in error.message


@pytest.mark.parametrize(
    ("status", "headers", "code", "word"),
    [
        (401, {}, "weights_access", "HF_TOKEN"),
        (403, {}, "weights_access", "HF_TOKEN"),
        (403, {"X-Error-Code": "GatedRepo"}, "weights_access", REPO),
        (404, {"X-Error-Code": "RepoNotFound"}, "weights_unknown", "HF_ENDPOINT"),
        (404, {"X-Error-Code": "RevisionNotFound"}, "weights_unknown", "--revision"),
        (500, {}, "weights_network", "pull again"),
    ],
)
def test_a_hub_that_refuses_is_explained(
    server: SmallHub, home: Path, status: int, headers: dict[str, str], code: str, word: str
) -> None:
    server.refuse, server.refusal = status, headers
    error = refused()
    assert error.code == code
    assert word in error.fix
    assert not home.exists()


def test_no_network_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert refused().code == "weights_network"


def test_a_name_is_resolved_once(server: SmallHub, home: Path) -> None:
    chosen = named_main()
    server.break_at[SHARD_END] = [0] * 50
    with pytest.raises(ModelError):
        pull(chosen)
    server.break_at.clear()
    server.repos[REPO].main = OTHER
    made, _ = pull(chosen)
    assert made.manifest.taken[0].commit == COMMIT
    assert (home / SHARD).read_bytes() == small_files()[SHARD]
    assert verify(chosen).good


def test_a_name_that_leads_elsewhere_than_it_did_is_told(server: SmallHub) -> None:
    made, _ = pull(named_main())
    assert made.moved == ""
    server.repos[REPO].main = OTHER
    shutil.rmtree(WAN_ANIMATE_2.folder)
    made, _ = pull(named_main())
    assert made.moved.endswith(OTHER)


def test_another_revision_can_be_pinned(server: SmallHub, home: Path) -> None:
    pull()
    server.seen.clear()
    made, _ = pull(revision=OTHER)
    assert made.manifest.taken[0].commit == OTHER
    assert (home / SHARD).read_bytes() == small_files(salt=b"moved")[SHARD]
    assert len(server.asked("/resolve/")) == 2  # the shard and the index: the rest is the same
    assert verify(WAN_ANIMATE_2).good
    assert pull()[0].manifest.taken[0].commit == OTHER  # and stays pinned
    assert refused(revision="c" * 40).code == "weights_unknown"


def test_known_bytes_are_held_against_what_the_hub_states(server: SmallHub) -> None:
    source = WAN_ANIMATE_2.sources[0]
    known = MappingProxyType({SHARD: Fact(5, "0" * 64)})
    chosen = replace(WAN_ANIMATE_2, sources=(replace(source, known=known),))
    assert refused(chosen).code == "weights_corrupt"
    assert not server.asked("/resolve/")


def test_the_lora_comes_along_with_the_first_model(
    server: SmallHub, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {**small_files(), "model_index.json": b"{}", "image_processor/preprocessor_config.json": b"{}"}
    base, lora = WAN_ANIMATE_1.sources
    content = safetensors({"down": b"1234"})
    server.repos[base.repo] = Repo({OTHER: files}, OTHER)
    server.repos[lora.repo] = Repo({lora.revision: {weights.LORA: content}}, lora.revision)
    chosen = replace(WAN_ANIMATE_1, sources=(base, replace(lora, known=MappingProxyType({}))))
    made, _ = pull(chosen)
    assert [one.commit for one in made.manifest.taken] == [OTHER, lora.revision]
    assert made.moved  # what main leads to here is not what the page showed
    assert weights.lora_path() == home.parent / "wan-animate-1" / "lora" / weights.LORA
    assert weights_folder("wan-animate-1") == home.parent / "wan-animate-1"


def test_the_token_goes_to_the_hub_alone(
    server: SmallHub, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    server.break_at[SHARD_END] = [1000]
    pull()
    assert all(one.authorized for one in server.asked("/api/"))
    assert all(one.authorized for one in server.asked("/resolve/"))
    assert server.asked("/large/")
    assert not any(one.authorized for one in server.asked("/large/"))
    told = capfd.readouterr()
    assert TOKEN not in told.out + told.err
    assert TOKEN not in (WAN_ANIMATE_2.folder / "understudy-weights.json").read_text()


def test_breaking_off_by_hand_leaves_what_has_come(server: SmallHub, home: Path) -> None:
    server.break_at[SHARD_END] = [40_000]
    server.gate.clear()  # the rest is held back

    def watch(stage: str, done: int, total: int) -> None:
        if stage == hub.DOWNLOADING and halves(home) > 30_000:
            server.gate.set()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), pulling(WAN_ANIMATE_2):
        hub.download(hub.plan(WAN_ANIMATE_2), watch)
    assert not (home / SHARD).exists()
    half = halves(home)
    assert half >= 36_000
    server.seen.clear()
    pull()
    assert f"bytes={half}-" in [one.range for one in server.asked("/large/")]
    assert verify(WAN_ANIMATE_2).good


def test_what_diffusers_saves_is_what_a_set_needs(tiny_animate2: Path, tiny_animate1: Path) -> None:
    assert look(WAN_ANIMATE_2, tiny_animate2).state is State.READY
    assert look(WAN_ANIMATE_1, tiny_animate1).state is State.READY
    assert verify(WAN_ANIMATE_2, folder=tiny_animate2).good
