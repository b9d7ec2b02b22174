"""The service's secret: its file, and what it seals and signs."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.config import Settings
from understudy.errors import SettingError, UnavailableError
from understudy.server.links import Links
from understudy.tasks.seal import FILE_NAME, Secrets

OLD, NEW = "an old word, long enough", "a new word, long enough"
SECRETS = Secrets([OLD])


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_sealed_can_be_unsealed(text: str) -> None:
    sealed = SECRETS.seal(text)
    assert SECRETS.unseal(sealed) == text
    assert len(text) < 4 or text not in sealed


def test_the_same_text_is_sealed_differently_each_time() -> None:
    assert SECRETS.seal("text") != SECRETS.seal("text")


def test_a_change_of_secret_keeps_what_was_sealed_and_signed() -> None:
    sealed = SECRETS.seal("kept")
    both = Secrets([NEW, OLD])
    assert both.unseal(sealed) == "kept"
    assert both.link_keys[1] == SECRETS.link_keys[0]
    link = Links("http://x", SECRETS.link_keys).make(7, "video")
    assert Links("http://x", both.link_keys).check(7, "video", link.split("/")[-2])
    assert Secrets([NEW]).unseal(both.seal("new")) == "new"  # the first seals


def test_without_the_old_word_nothing_of_it_opens_and_the_error_tells_no_secret() -> None:
    sealed = SECRETS.seal("kept")
    with pytest.raises(UnavailableError) as caught:
        Secrets([NEW]).unseal(sealed)
    assert caught.value.code == "internal"
    assert not any(word in str(caught.value) for word in (OLD, NEW, sealed, "kept"))


@pytest.mark.parametrize("sealed", ["", "no seal", "gAAAA", "ä"])
def test_what_is_no_seal(sealed: str) -> None:
    with pytest.raises(UnavailableError):
        SECRETS.unseal(sealed)


def test_each_purpose_has_a_key_of_its_own() -> None:
    keys = Secrets([OLD, NEW]).link_keys
    assert len(set(keys)) == 2
    assert all(len(key) == 32 and OLD.encode() not in key for key in keys)


@pytest.mark.parametrize("words", [[], ["short"], [OLD, "short"], ["x" * 15]])
def test_a_short_word_is_refused(words: list[str]) -> None:
    with pytest.raises(SettingError) as caught:
        Secrets(words)
    assert caught.value.code == "secret_weak"


def test_the_file_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "deep" / "data")
    first = Secrets.load(settings)
    path = settings.data_dir / FILE_NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) & 0o077 == 0
    before = path.read_bytes()
    second = Secrets.load(settings)
    assert second.unseal(first.seal("same")) == "same"
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [FILE_NAME]


def test_two_installations_have_different_secrets(tmp_path: Path) -> None:
    one, other = (Secrets.load(Settings(data_dir=tmp_path / name)) for name in ("one", "other"))
    assert one.link_keys != other.link_keys


def test_many_that_start_at_once_agree(tmp_path: Path) -> None:
    barrier = threading.Barrier(16)
    found: list[tuple[bytes, ...]] = []

    def start() -> None:
        barrier.wait()
        found.append(Secrets.load(Settings(data_dir=tmp_path)).link_keys)

    threads = [threading.Thread(target=start) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16
    assert len(set(found)) == 1


def test_the_setting_comes_before_the_file(tmp_path: Path) -> None:
    secrets = Secrets.load(Settings(data_dir=tmp_path, secret_key=(NEW, OLD)))
    assert secrets.link_keys == Secrets([NEW, OLD]).link_keys
    assert not (tmp_path / FILE_NAME).exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_file_that_others_can_use_is_refused_and_left_as_it_is(tmp_path: Path, mode: int) -> None:
    path = tmp_path / FILE_NAME
    path.write_text(OLD)
    path.chmod(mode)
    with pytest.raises(SettingError) as caught:
        Secrets.load(Settings(data_dir=tmp_path))
    assert caught.value.code == "secret_file"
    assert f"{mode:03o}" in caught.value.message
    assert "600" in caught.value.fix
    assert OLD not in str(caught.value)
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.parametrize(
    ("content", "code"), [(b"", "secret_weak"), (b"short\n", "secret_weak"), (b"\xff" * 40, "secret_file")]
)
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / FILE_NAME
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(SettingError) as caught:
        Secrets.load(Settings(data_dir=tmp_path))
    assert caught.value.code == code


def test_a_folder_in_the_file_s_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir(mode=0o700)
    with pytest.raises(SettingError) as caught:
        Secrets.load(Settings(data_dir=tmp_path))
    assert caught.value.code == "secret_file"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_data_folder_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(SettingError) as caught:
        Secrets.load(Settings(data_dir=tmp_path))
    tmp_path.chmod(0o700)
    assert caught.value.code == "secret_file"


def test_a_file_where_the_data_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(SettingError) as caught:
        Secrets.load(Settings(data_dir=tmp_path / "data"))
    assert caught.value.code == "secret_file"
