"""The GPU models' weights as folders: whole, halved, damaged, by names and headers alone."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_weights import COMMIT, lay, manifest_of, safetensors, small_files

from understudy.engines.diffusion.presence import State, look, present
from understudy.engines.diffusion.safetensors_file import fault_of, shards_of
from understudy.engines.diffusion.verdict import verify
from understudy.engines.diffusion.weights import (
    LORA,
    SETS,
    WAN_ANIMATE_1,
    WAN_ANIMATE_2,
    fingerprint,
    lora_path,
    weights_folder,
)
from understudy.errors import ModelError

MANIFEST = "understudy-weights.json"
SHARD = "transformer/diffusion_pytorch_model-00002-of-00002.safetensors"
INDEX = "transformer/diffusion_pytorch_model.safetensors.index.json"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("UNDERSTUDY_WEIGHTS_DIR", raising=False)
    monkeypatch.setenv("UNDERSTUDY_MODELS_DIR", str(tmp_path / "models"))
    return tmp_path / "models" / "wan-animate-2"


def refused(name: str = "wan-animate-2") -> ModelError:
    with pytest.raises(ModelError) as caught:
        weights_folder(name)
    return caught.value


def test_a_folder_of_anybodys_tool_is_ready(home: Path) -> None:
    lay(home, small_files())
    assert weights_folder("wan-animate-2") == home
    found = look(WAN_ANIMATE_2)
    assert (found.state, found.lacking, found.damaged, found.commits) == (State.READY, (), (), ())
    assert found.here_bytes == found.size_bytes == sum(map(len, small_files().values()))


def test_a_fingerprint_is_of_the_files_that_are_loaded(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    none = fingerprint("wan-animate-2")
    lay(home, small_files())
    first = fingerprint("wan-animate-2")
    assert first != none
    assert fingerprint("wan-animate-2") == first
    (home / "notes.md").write_text("of no use")
    assert fingerprint("wan-animate-2") == first
    monkeypatch.setenv("UNDERSTUDY_GPU_PRECISION", "8")
    assert fingerprint("wan-animate-2") != first
    monkeypatch.delenv("UNDERSTUDY_GPU_PRECISION")
    os.utime(home / SHARD, ns=(1, 1))  # a file of the same size in its place
    assert fingerprint("wan-animate-2") != first


def test_a_fingerprint_of_what_was_pulled_is_the_same_on_every_machine(home: Path) -> None:
    lay(home, {**small_files(), MANIFEST: manifest_of(small_files())})
    first = fingerprint("wan-animate-2")
    os.utime(home / SHARD, ns=(1, 1))
    assert fingerprint("wan-animate-2") == first
    other = small_files(salt=b"another")
    lay(home, {**other, MANIFEST: manifest_of(other)})
    assert fingerprint("wan-animate-2") != first


def test_no_folder_is_missing_and_says_what_to_run(home: Path) -> None:
    error = refused()
    assert error.code == "weights_missing"
    assert str(home) in error.message
    assert "modular_model_index.json" in error.message
    assert error.fix == "Run `understudy models pull wan-animate-2`. It downloads 46 GB."


@pytest.mark.parametrize("path", sorted(small_files()))
def test_any_file_that_is_not_there_makes_it_partial(home: Path, path: str) -> None:
    files = small_files()
    del files[path]
    lay(home, files)
    error = refused()
    assert error.code == "weights_partial"
    wanted = "tokenizer/tokenizer.json" if path == "tokenizer/spiece.model" else path
    assert wanted in error.message


@pytest.mark.parametrize("path", sorted(path for path in small_files() if path.endswith(".safetensors")))
@pytest.mark.parametrize("change", [lambda c: c[:-1], lambda c: c + b"x", lambda c: c[:4], lambda _: b""])
def test_a_file_cut_off_or_grown_is_damaged(home: Path, path: str, change: object) -> None:
    lay(home, {**small_files(), path: change(small_files()[path])})  # type: ignore[operator]
    error = refused()
    assert error.code == "weights_corrupt"
    assert path in error.message


def test_an_empty_configuration_is_damaged(home: Path) -> None:
    lay(home, {**small_files(), "vae/config.json": b""})
    assert look(WAN_ANIMATE_2).damaged == ("vae/config.json",)


def test_a_manifest_says_what_belongs_there(home: Path) -> None:
    files = {**small_files(), "tokenizer/special_tokens_map.json": b"{}"}
    lay(home, {**files, MANIFEST: manifest_of(files)})
    assert look(WAN_ANIMATE_2).commits == (COMMIT,)
    (home / "tokenizer/special_tokens_map.json").unlink()
    assert look(WAN_ANIMATE_2).lacking == ("tokenizer/special_tokens_map.json",)
    (home / "tokenizer/special_tokens_map.json").write_bytes(b"{} ")
    assert look(WAN_ANIMATE_2).damaged == ("tokenizer/special_tokens_map.json",)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{",
        b'{"format": 2, "taken": []}',
        b'{"format": 1, "taken": [{}]}',
        b'{"format": 1, "taken": 5}',
        b"[" * 100_000,
        manifest_of({"../../escape.json": b"x"}),
        manifest_of({"transformer/../../x.json": b"x"}),
        manifest_of({"README.md": b"x"}),
        manifest_of(small_files()).replace(COMMIT.encode(), b"main"),
        manifest_of(small_files()).replace(b"Wan-AI", b"Other"),
        manifest_of({"vae/config.json": b"x"}).replace(b'"size_bytes": 1', b'"size_bytes": -1'),
        manifest_of({"vae/config.json": b"x"}).replace(b'"size_bytes": 1', b'"size_bytes": true'),
    ],
    ids=range(14),
)
def test_a_manifest_that_no_pull_wrote_is_damage(home: Path, content: bytes) -> None:
    lay(home, {**small_files(), MANIFEST: content})
    assert look(WAN_ANIMATE_2).damaged == (MANIFEST,)


def test_halves_of_downloads_count_as_here(home: Path) -> None:
    files = small_files()
    lay(home, {MANIFEST: manifest_of(files), ".parts/abc": bytes(1000)})
    found = look(WAN_ANIMATE_2)
    assert (found.state, found.here_bytes) == (State.PARTIAL, 1000)
    assert found.size_bytes == sum(map(len, files.values()))


def test_what_is_of_no_use_is_not_asked_for_and_not_counted(home: Path) -> None:
    source = WAN_ANIMATE_2.sources[0]
    useless = (
        "README.md",
        "assets/picture.png",
        "assets/config.json",
        "text_encoder/pytorch_model.bin",
        "text_encoder/pytorch_model.bin.index.json",
        "vae/diffusion_pytorch_model.fp16.safetensors",
        "vae/diffusion_pytorch_model.fp16.safetensors.index.json",
        "transformer/deeper/config.json",
        "transformer/.hidden.json",
        "tokenizer/weights.safetensors",
        "tokenizer/new\nline.json",
        "../config.json",
        "vae/..",
    )
    assert not [path for path in useless if source.wants(path)]
    assert all(source.wants(path) for path in small_files())
    lay(home, {**small_files(), "text_encoder/pytorch_model.bin": b"pickle", "README.md": b"words"})
    assert set(present(WAN_ANIMATE_2, home)) == set(small_files())


def test_weights_may_lie_on_another_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERSTUDY_WEIGHTS_DIR", str(tmp_path / "large"))
    lay(tmp_path / "large" / "wan-animate-2", small_files())
    assert weights_folder("wan-animate-2") == tmp_path / "large" / "wan-animate-2"


def test_the_lora_is_optional(home: Path) -> None:
    folder = home.parent / "wan-animate-1"
    files = {
        **small_files(),
        "model_index.json": b'{"_class_name": "Pipeline"}',
        "image_processor/preprocessor_config.json": b'{"do_resize": true}',
    }
    del files["modular_model_index.json"]
    lay(folder, files)
    assert weights_folder("wan-animate-1") == folder
    assert lora_path() is None
    lay(folder, {f"lora/{LORA}": safetensors({"a": b"12"})})
    assert lora_path() == folder / "lora" / LORA
    assert verify(WAN_ANIMATE_1).wrong == (f"lora/{LORA}",)  # its checksum is known without a manifest
    lay(folder, {f"lora/{LORA}": b"half"})
    assert lora_path() is None
    assert refused("wan-animate-1").code == "weights_corrupt"


def test_the_sets_say_their_licence_and_name_commits_that_are_whole() -> None:
    for weights in SETS.values():
        assert all("Apache-2.0" in licence for licence in weights.licences)
        for source in weights.sources:
            assert source.revision == "main" or len(source.revision) == 40


def test_verifying_reads_every_byte(home: Path) -> None:
    files = small_files()
    lay(home, {**files, MANIFEST: manifest_of(files)})
    told: list[tuple[str, int, int]] = []
    good = verify(WAN_ANIMATE_2, lambda *step: told.append(step))
    assert (good.good, good.files, good.summed) == (True, len(files), len(files))
    changed = bytearray(files[SHARD])
    changed[-1] ^= 1
    (home / SHARD).write_bytes(changed)
    assert look(WAN_ANIMATE_2).state is State.READY  # by its header it is whole
    bad = verify(WAN_ANIMATE_2)
    assert (bad.good, bad.wrong) == (False, (SHARD,))


def test_verifying_without_a_manifest_says_that_it_has_no_sums(home: Path) -> None:
    lay(home, small_files())
    verdict = verify(WAN_ANIMATE_2)
    assert (verdict.good, verdict.summed) == (True, 0)
    lay(home, {"scheduler/scheduler_config.json": b"<html>login</html>"})
    assert verify(WAN_ANIMATE_2).wrong == ("scheduler/scheduler_config.json",)


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b'{"weight_map": {}}',
        b'{"weight_map": []}',
        b'{"weight_map": {"a": 5}}',
        b'{"weight_map": {"a": "../../etc/passwd"}}',
        b'{"weight_map": {"a": "other.safetensors"}}',
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_an_index_of_other_files_is_damaged(home: Path, content: bytes) -> None:
    lay(home, {**small_files(), INDEX: content})
    assert look(WAN_ANIMATE_2).damaged == (INDEX,)


def test_an_index_names_its_shards(tmp_path: Path) -> None:
    lay(tmp_path, {"i.json": small_files()[INDEX]})
    names = shards_of(tmp_path / "i.json", "diffusion_pytorch_model")
    assert names == [f"diffusion_pytorch_model-0000{n}-of-00002.safetensors" for n in (1, 2)]


headers = st.dictionaries(
    st.text(max_size=5),
    st.one_of(
        st.none(),
        st.fixed_dictionaries(
            {"data_offsets": st.lists(st.one_of(st.integers(), st.booleans(), st.text()), max_size=3)}
        ),
    ),
    max_size=4,
).map(lambda told: json.dumps(told).encode())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.tuples(headers, st.integers(0, 2**64 - 1), st.binary(max_size=40)).map(
            lambda made: made[1].to_bytes(8, "little") + made[0] + made[2]
        ),
        st.tuples(headers, st.binary(max_size=40)).map(
            lambda made: len(made[0]).to_bytes(8, "little") + made[0] + made[1]
        ),
    )
)
def test_whatever_bytes_a_file_has_it_is_ready_or_damaged(home: Path, content: bytes) -> None:
    lay(home, {**small_files(), "vae/diffusion_pytorch_model.safetensors": content})
    found = look(WAN_ANIMATE_2)
    fault = fault_of(home / "vae/diffusion_pytorch_model.safetensors")
    assert found.state is (State.DAMAGED if fault else State.READY)
    if fault is None:  # then it is one by the format's own rules
        length = int.from_bytes(content[:8], "little")
        told = json.loads(content[8 : 8 + length])
        ends = [value["data_offsets"][1] for name, value in told.items() if name != "__metadata__"]
        assert len(content) == 8 + length + max(ends, default=0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.dictionaries(st.text(max_size=5), st.binary(max_size=50), max_size=4), st.data())
def test_a_whole_file_is_ready_and_any_beginning_of_it_is_not(
    tmp_path: Path, tensors: dict[str, bytes], data: st.DataObject
) -> None:
    tensors.pop("__metadata__", None)
    content = safetensors(tensors)
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    assert fault_of(path) is None
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    assert fault_of(path)
