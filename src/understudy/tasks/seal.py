"""The service's own secret: seals what the database keeps, and signs links to results.

From each secret word HKDF (RFC 5869, SHA-256) derives one key for each purpose, so that none tells anything about
another. The first word seals and signs, all of them open and verify: a new word is put in front, and the old one stays
behind it for as long as something of its time is in use.
"""

from __future__ import annotations

import base64
import os
import secrets as random
import stat
from collections.abc import Sequence
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from understudy.config import Settings
from understudy.errors import SettingError, UnavailableError

FILE_NAME = "secret.key"  # within the data folder
LEAST_CHARACTERS = 16
_MOST_BYTES = 64 * 1024


class Secrets:
    """``link_keys`` are for ``Links``: the first signs, all verify."""

    def __init__(self, words: Sequence[str]) -> None:
        """Raises SettingError (``secret_weak``)."""
        if not words or min(len(word) for word in words) < LEAST_CHARACTERS:
            raise SettingError(
                "secret_weak",
                "A word of the service's secret is missing or too short.",
                value=f"{min((len(word) for word in words), default=0)} characters",
                limit=f"at least {LEAST_CHARACTERS} characters",
                fix="Take a random one, such as `openssl rand -hex 32` gives.",
            )
        self.link_keys = tuple(_derived(word, b"understudy links") for word in words)
        self._fernet = MultiFernet(
            [Fernet(base64.urlsafe_b64encode(_derived(word, b"understudy seal"))) for word in words]
        )

    @classmethod
    def load(cls, settings: Settings) -> Secrets:
        """From the setting ``secret_key``, else from ``secret.key`` in the data folder, which is made where it is
        missing. Raises SettingError (``secret_weak``, ``secret_file``)."""
        return cls(settings.secret_key or _kept_words(settings.data_dir))

    def seal(self, text: str) -> str:
        return self._fernet.encrypt(text.encode()).decode()

    def unseal(self, sealed: str) -> str:
        """Raises UnavailableError (``internal``) for what none of the words has sealed."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise UnavailableError(
                "internal",
                "What the database keeps was sealed with another secret than the present one.",
                fix="The operator must put the former secret behind the new one in UNDERSTUDY_SECRET_KEY, after a "
                f"comma; it may be the word in {FILE_NAME} in the data folder.",
            ) from None


def _derived(word: str, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(word.encode())


def _kept_words(folder: Path) -> tuple[str, ...]:
    path = folder / FILE_NAME
    try:
        if not path.exists():
            _make_file(path)
        return tuple(_private_text(path).split())
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise _file_error(path, f"cannot be made or read: {why}") from None


def _make_file(path: Path) -> None:
    """Whole or not at all, and never in the place of another one: two processes may start at once."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{FILE_NAME}.{random.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(random.token_urlsafe(48) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()


def _private_text(path: Path) -> str:
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise _file_error(path, f"can be used by others than its owner (mode {stat.S_IMODE(mode):03o})")
        return file.read(_MOST_BYTES).decode()


def _file_error(path: Path, why: str) -> SettingError:
    return SettingError(
        "secret_file",
        f"The service's secret {str(path)!r} {why}.",
        value=str(path),
        limit="readable by its owner only (mode 600)",
        fix="Put its mode right with chmod 600; if others may have read it, take a new secret in UNDERSTUDY_SECRET_KEY "
        "and put the file's word behind it.",
    )
