"""Where things lie and how the service behaves: from flags, ``UNDERSTUDY_*`` variables or a file, by the same names."""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

from understudy.errors import SettingError

PREFIX = "UNDERSTUDY_"
FILE_NAME = "understudy.toml"
FOLDERS = ("DATA_DIR", "MODELS_DIR", "WEIGHTS_DIR")
LEAST = {
    "result_days": 1,
    "render_memory_mb": 1024,
}  # of settings that are numbers; else 0
MOST = 1_000_000
TIME_LIMIT_S, GPU_TIME_LIMIT_S = 3600, 4 * 3600  # 30 s in pro are hours of a small card's work: docs/gpu.md
GPU_NAME = re.compile(r"[0-9]{1,3}|(GPU|MIG)-[A-Za-z0-9/-]{1,80}")  # as CUDA_VISIBLE_DEVICES has it
SECRET = ("secret_key", "database_url")  # never shown: the one is, the other may hold, a password

Network = IPv4Network | IPv6Network


def data_dir() -> Path:
    """Folder for what Understudy keeps: models, the signing authority, all that the service embeds.

    ``UNDERSTUDY_DATA_DIR`` moves it. Else it is the home's; where that cannot be written, the virtual environment's.
    Raises SettingError ``data_folder`` where there is neither a home nor a virtual environment.
    """
    chosen = _chosen("DATA_DIR")
    if chosen:
        return chosen
    usual = _usual_data_dirs()
    if not usual:
        raise SettingError(
            "data_folder",
            "There is no folder for models and keys: this user has no home.",
            fix=f"Set {PREFIX}DATA_DIR to a folder that can be written.",
        )
    return next(filter(can_write, usual), usual[0])


def models_dir() -> Path:
    """Folder of the tracker's model files. ``UNDERSTUDY_MODELS_DIR`` moves it.

    Else it is ``models`` in the data folder; where that holds none, the usual one that does, which set-up filled.
    """
    chosen = _chosen("MODELS_DIR")
    if chosen:
        return chosen
    own = data_dir() / "models"
    known = (own, *(place / "models" for place in _usual_data_dirs()))
    return next((folder for folder in known if folder.is_dir()), own)


def weights_dir() -> Path:
    """Folder of the GPU models' weights, one folder a set. ``UNDERSTUDY_WEIGHTS_DIR`` moves it: they are large.

    Else they lie with the other models.
    """
    return _chosen("WEIGHTS_DIR") or models_dir()


def chosen_folders() -> dict[str, str]:
    """The variables of this process that move those folders, as absolute paths: for a process that works elsewhere."""
    chosen = {f"{PREFIX}{name}": _chosen(name) for name in FOLDERS}
    return {variable: str(folder) for variable, folder in chosen.items() if folder}


def _chosen(name: str) -> Path | None:
    chosen = os.environ.get(f"{PREFIX}{name}")
    return Path(chosen).expanduser().absolute() if chosen else None


def keep_data_in(folder: Path) -> None:
    """Make ``folder`` the data folder of this process and of those that it starts.

    A flag may have named it: what the command line has too (models, weights, provenance) asks `data_dir` alone.
    """
    os.environ[f"{PREFIX}DATA_DIR"] = str(folder)


def can_write(folder: Path) -> bool:
    """Whether files can be made in ``folder``, which need not be there yet."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def _usual_data_dirs() -> tuple[Path, ...]:
    """The home's, unless this user has no home; the virtual environment's, unless Python is the system's own."""
    found = []
    base = os.environ.get("XDG_DATA_HOME")
    with suppress(RuntimeError):
        found.append((Path(base) if base else Path.home() / ".local" / "share") / "understudy")
    if sys.prefix != sys.base_prefix:
        found.append(Path(sys.prefix) / "share" / "understudy")
    return tuple(found)


@dataclass(frozen=True)
class Settings:
    """The service's settings. A field ``public_url`` is the variable ``UNDERSTUDY_PUBLIC_URL``, the file's line
    ``public_url = "..."`` and the flag ``--public-url``."""

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 8000
    public_url: str = ""  # what links are built on; empty: http://host:port
    database_url: str = field(default="", repr=False)  # empty: the embedded Postgres
    storage_url: str = ""  # empty: a folder in data_dir; else s3://bucket/prefix, gs://..., az://...
    secret_key: tuple[str, ...] = field(
        default=(), repr=False
    )  # the first signs, all verify; empty: made once
    allow_networks: tuple[Network, ...] = ()  # which fetching and callbacks may reach besides public ones
    result_links: str = "signed"  # or data: the query answers data: URLs
    result_days: int = 30
    dialects: tuple[str, ...] = ()  # spoken besides the native one; empty: all
    maintenance: str = "off"  # or on: no new tasks, while those accepted go on and can be asked for
    engine: str = "puppet"
    engines: tuple[str, ...] = ()  # a task may name them besides; empty: those that work on this machine
    matting: str = "own"  # or learned: a network cuts the character out; `understudy models pull matting`
    work: str = "all"  # of a worker: what this machine can do; or cpu: no GPU's tasks; or gpu: those alone
    gpus: tuple[str, ...] = ()  # numbers or names, one task at once on each; empty: all that are there
    gpu_pixels: int = 0  # of a frame that the GPU engine draws, at most; 0: as many as the mode has
    gpu_steps: int = 0  # of its denoising; 0: the model's own
    concurrency: int = 0  # renders at once; 0: one for every two cores
    threads: int = 0  # of one render; 0: as the command line has it
    render_timeout_s: int = 0  # for one video; 0: TIME_LIMIT_S, or GPU_TIME_LIMIT_S for a GPU's
    render_memory_mb: int = 6144

    @classmethod
    def load(
        cls, flags: Mapping[str, object] | None = None, environ: Mapping[str, str] = os.environ
    ) -> Settings:
        """Flags that are not None win over variables, those over the file: ``UNDERSTUDY_CONFIG``, else
        ``understudy.toml`` in the data folder where it lies. Raises SettingError."""
        given = {name: value for name, value in (flags or {}).items() if value is not None}
        variables = {
            known.name: environ[PREFIX + known.name.upper()]
            for known in fields(cls)
            if environ.get(PREFIX + known.name.upper())
        }
        folder = Path(str(given.get("data_dir") or variables.get("data_dir") or data_dir())).expanduser()
        named = environ.get(f"{PREFIX}CONFIG")
        lines = _read_file(Path(named).expanduser() if named else folder / FILE_NAME, must=bool(named))
        merged: dict[str, Any] = {**lines, **variables, **given, "data_dir": folder.absolute()}
        return cls(**{name: _parsed(name, value) for name, value in merged.items()})

    @property
    def base_url(self) -> str:
        """What links are built on, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        shown = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)
        return (self.public_url or f"http://{shown}:{self.port}").rstrip("/")

    def time_limit_s(self, *, gpu: bool) -> int:
        """Seconds that one video may take, without its waiting for a GPU."""
        return self.render_timeout_s or (GPU_TIME_LIMIT_S if gpu else TIME_LIMIT_S)

    @property
    def renders_at_once(self) -> int:
        return self.concurrency or max(1, (os.cpu_count() or 1) // 2)


def _read_file(path: Path, *, must: bool) -> dict[str, Any]:
    try:
        lines = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if must:
            raise SettingError(
                "setting_file",
                f"There is no settings file {str(path)!r}.",
                value=str(path),
                fix=f"Make it, or unset {PREFIX}CONFIG.",
            ) from None
        return {}
    except (OSError, ValueError) as error:
        raise SettingError(
            "setting_file",
            f"The settings file {str(path)!r} cannot be read: {error}.",
            value=str(path),
            fix='Write one setting a line, such as: public_url = "https://motion.example.com"',
        ) from error
    known = {setting.name for setting in fields(Settings)} - {"data_dir"}
    for name in lines:
        if name not in known:
            raise SettingError(
                "setting_unknown",
                f"The settings file {str(path)!r} has an unknown setting {name!r}.",
                value=name,
                limit=", ".join(sorted(known)),
                fix="Correct its name or take it out.",
            )
    return lines


def _parsed(name: str, value: Any) -> Any:
    """The setting in its own type. Lists may be lists or words parted by commas."""
    kind = {setting.name: str(setting.type) for setting in fields(Settings)}[name]
    try:
        return _typed(name, kind, value)
    except (TypeError, ValueError) as error:
        shown = "" if name in SECRET else f" {str(value)!r}"
        raise SettingError(
            "setting_invalid",
            f"The setting {name}{shown} cannot be used: {error}.",
            value=None if name in SECRET else str(value),
            fix=f"Correct {PREFIX}{name.upper()}, the flag --{name.replace('_', '-')} or the settings file.",
        ) from error


def _typed(name: str, kind: str, value: Any) -> Any:
    if kind == "int":
        if isinstance(value, bool):
            raise ValueError("it is no whole number")
        number, least = int(value), LEAST.get(name, 0)
        if not least <= number <= MOST:
            raise ValueError(f"{least} to {MOST} is allowed")
        return number
    if kind.startswith("tuple"):
        words = value.split(",") if isinstance(value, str) else list(value)
        words = [str(word).strip() for word in words if str(word).strip()]
        if name == "gpus" and not all(GPU_NAME.fullmatch(word) for word in words):
            raise ValueError("a GPU is a number such as 0, or a name such as GPU-8f6a...")
        return tuple(ip_network(word) for word in words) if name == "allow_networks" else tuple(words)
    if kind == "Path":
        return Path(value)
    text = str(value).strip()
    if name == "result_links" and text not in ("signed", "data"):
        raise ValueError("it is neither 'signed' nor 'data'")
    if name == "maintenance" and text not in ("on", "off"):
        raise ValueError("it is neither 'on' nor 'off'")
    if name == "work" and text not in ("all", "cpu", "gpu"):
        raise ValueError("it is neither 'all' nor 'cpu' nor 'gpu'")
    if name == "matting" and text not in ("own", "learned"):
        raise ValueError("it is neither 'own' nor 'learned'")
    if name == "database_url" and text and not text.startswith(("postgresql://", "postgres://")):
        raise ValueError("it does not begin with postgresql://")
    if name == "public_url" and text and not text.startswith(("http://", "https://")):
        raise ValueError("it does not begin with http:// or https://")
    return text
