"""Settings: flags before variables before the file, by the same names; a wrong one is one clear error."""

from __future__ import annotations

import sys
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy import config
from understudy.config import Settings, data_dir, models_dir
from understudy.errors import SettingError

FIELDS = sorted(set(Settings.__dataclass_fields__) - {"data_dir"})


def test_flags_win_over_variables_and_those_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "understudy.toml").write_text(
        'port = 1\nhost = "file"\nengine = "file"\nsecret_key = ["new", "old"]\n'
    )
    environ = {"UNDERSTUDY_DATA_DIR": str(tmp_path), "UNDERSTUDY_PORT": "2", "UNDERSTUDY_HOST": "variable"}
    settings = Settings.load({"port": 3, "public_url": None}, environ)
    assert (settings.port, settings.host, settings.engine) == (3, "variable", "file")
    assert settings.secret_key == ("new", "old")
    assert settings.data_dir == tmp_path


def test_matting_is_our_own_unless_another_is_asked_for(tmp_path: Path) -> None:
    environ = {"UNDERSTUDY_DATA_DIR": str(tmp_path)}
    assert Settings.load({}, environ).matting == "own"
    assert Settings.load({}, {**environ, "UNDERSTUDY_MATTING": "learned"}).matting == "learned"


def test_a_worker_takes_all_that_it_can_unless_it_is_told(tmp_path: Path) -> None:
    environ = {"UNDERSTUDY_DATA_DIR": str(tmp_path)}
    settings = Settings.load({}, environ)
    assert (settings.work, settings.gpus) == ("all", ())
    told = Settings.load({"work": "gpu"}, {**environ, "UNDERSTUDY_GPUS": "0, 3,GPU-8f6a0e1c-1b"})
    assert (told.work, told.gpus) == ("gpu", ("0", "3", "GPU-8f6a0e1c-1b"))


def test_an_empty_variable_counts_as_absent(tmp_path: Path) -> None:
    settings = Settings.load({}, {"UNDERSTUDY_DATA_DIR": str(tmp_path), "UNDERSTUDY_PORT": ""})
    assert settings.port == 8000


def test_networks_and_keys_are_lists_with_commas(tmp_path: Path) -> None:
    environ = {
        "UNDERSTUDY_DATA_DIR": str(tmp_path),
        "UNDERSTUDY_ALLOW_NETWORKS": "127.0.0.0/8, fd00::/8",
        "UNDERSTUDY_SECRET_KEY": "new,old",
    }
    settings = Settings.load({}, environ)
    assert settings.allow_networks == (ip_network("127.0.0.0/8"), ip_network("fd00::/8"))
    assert settings.secret_key == ("new", "old")


def test_a_gpus_video_may_take_longer_unless_somebody_sets_the_limit(tmp_path: Path) -> None:
    plain, chosen = Settings(tmp_path), Settings(tmp_path, render_timeout_s=7000)
    assert (plain.time_limit_s(gpu=False), plain.time_limit_s(gpu=True)) == (3600, 14400)
    assert (chosen.time_limit_s(gpu=False), chosen.time_limit_s(gpu=True)) == (7000, 7000)


@pytest.mark.parametrize(
    ("host", "public_url", "expected"),
    [
        ("127.0.0.1", "", "http://127.0.0.1:8000"),
        ("0.0.0.0", "", "http://127.0.0.1:8000"),
        ("::", "", "http://[::1]:8000"),
        ("::1", "", "http://[::1]:8000"),
        ("0.0.0.0", "https://motion.example.com/", "https://motion.example.com"),
    ],
)
def test_links_are_built_on_the_public_url(tmp_path: Path, host: str, public_url: str, expected: str) -> None:
    assert Settings(tmp_path, host=host, public_url=public_url).base_url == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "http"),
        ("port", "-1"),
        ("allow_networks", "127.0.0.1/8"),  # host bits: a slip, not a network
        ("allow_networks", "everything"),
        ("result_links", "short"),
        ("matting", "magic"),
        ("work", "some"),
        ("gpus", "first"),
        ("gpus", "0;1"),
        ("maintenance", "perhaps"),
        ("public_url", "motion.example.com"),
        ("render_timeout_s", "1e3"),
        ("result_days", "0"),
        ("render_memory_mb", "10"),
    ],
)
def test_a_wrong_value_names_setting_and_value(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(SettingError) as caught:
        Settings.load({}, {"UNDERSTUDY_DATA_DIR": str(tmp_path), f"UNDERSTUDY_{name.upper()}": value})
    assert name in caught.value.message
    assert value in caught.value.message


def test_another_database_than_postgres_is_refused_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(SettingError) as caught:
        Settings.load({"database_url": "mysql://me:hidden@host/name"}, {"UNDERSTUDY_DATA_DIR": str(tmp_path)})
    assert "postgresql://" in caught.value.message
    assert "hidden" not in str(caught.value)


def test_a_truth_value_is_no_number(tmp_path: Path) -> None:
    (tmp_path / "understudy.toml").write_text("port = true\n")
    with pytest.raises(SettingError):
        Settings.load({}, {"UNDERSTUDY_DATA_DIR": str(tmp_path)})


def test_a_secret_is_never_shown(tmp_path: Path) -> None:
    (tmp_path / "understudy.toml").write_text("secret_key = 12345\n")
    with pytest.raises(SettingError) as caught:
        Settings.load({}, {"UNDERSTUDY_DATA_DIR": str(tmp_path)})
    assert "12345" not in str(caught.value)
    assert "12345" not in repr(Settings(tmp_path, secret_key=("12345",)))


@pytest.mark.parametrize("text", ["port = ", "prot = 1", 'data_dir = "/"', "\xff"])
def test_a_wrong_file_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "understudy.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(SettingError):
        Settings.load({}, {"UNDERSTUDY_DATA_DIR": str(tmp_path)})


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    environ = {"UNDERSTUDY_DATA_DIR": str(tmp_path), "UNDERSTUDY_CONFIG": str(tmp_path / "none.toml")}
    with pytest.raises(SettingError) as caught:
        Settings.load({}, environ)
    assert caught.value.code == "setting_file"


@given(st.sampled_from(FIELDS), st.text())
def test_any_text_is_taken_or_refused(name: str, value: str) -> None:
    with suppress(SettingError):
        Settings.load({name: value}, {"UNDERSTUDY_DATA_DIR": "/nonexistent"})


def test_models_lie_in_the_usual_folder_where_a_moved_one_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "usual"))
    monkeypatch.setenv("UNDERSTUDY_DATA_DIR", str(tmp_path / "moved"))
    monkeypatch.delenv("UNDERSTUDY_MODELS_DIR", raising=False)
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)  # where this environment has models, too
    assert models_dir() == tmp_path / "moved" / "models"  # neither is there: this is where they would go
    (tmp_path / "usual" / "understudy" / "models").mkdir(parents=True)
    assert models_dir() == tmp_path / "usual" / "understudy" / "models"
    (tmp_path / "moved" / "models").mkdir(parents=True)
    assert models_dir() == tmp_path / "moved" / "models"
    monkeypatch.setenv("UNDERSTUDY_MODELS_DIR", str(tmp_path / "chosen"))
    assert models_dir() == tmp_path / "chosen"


def test_a_home_that_cannot_be_written_leaves_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("UNDERSTUDY_DATA_DIR", "UNDERSTUDY_MODELS_DIR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file" / "home"))  # holds for root, too
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    assert data_dir() == tmp_path / "venv" / "share" / "understudy"
    assert models_dir() == tmp_path / "venv" / "share" / "understudy" / "models"
    monkeypatch.setattr(
        sys, "prefix", sys.base_prefix
    )  # no virtual environment: the home it is, and its error
    assert data_dir() == tmp_path / "file" / "home" / "understudy"


def test_models_at_a_home_that_is_only_read_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UNDERSTUDY_DATA_DIR", "UNDERSTUDY_MODELS_DIR"):
        monkeypatch.delenv(name, raising=False)
    home, venv = tmp_path / "home" / "understudy", tmp_path / "venv" / "share" / "understudy"
    (home / "models").mkdir(parents=True)
    monkeypatch.setenv("XDG_DATA_HOME", str(home.parent))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    monkeypatch.setattr(config, "can_write", lambda folder: folder == venv)
    assert data_dir() == venv
    assert models_dir() == home / "models"


def test_without_home_and_environment_the_error_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("UNDERSTUDY_DATA_DIR", "UNDERSTUDY_MODELS_DIR", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    with pytest.raises(SettingError, match="no home") as caught:
        data_dir()
    assert caught.value.code == "data_folder"
    assert "UNDERSTUDY_DATA_DIR" in str(caught.value.fix)
