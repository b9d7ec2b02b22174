"""Content credentials (C2PA): every result says, machine-readably, that it is generated."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import c2pa

from understudy import config
from understudy.errors import EngineError
from understudy.request import Scene

CERTIFICATE_VARIABLE = "UNDERSTUDY_C2PA_CERT"
KEY_VARIABLE = "UNDERSTUDY_C2PA_KEY"
SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
# IPTC's words. A mix of elements of which at least one is synthetic: the puppet moves pieces of a real picture over a
# filled background. Drawn by a trained model alone; or by one into what a camera has seen.
COMPOSITE, DRAWN, DRAWN_INTO = (
    "compositeSynthetic",
    "trainedAlgorithmicMedia",
    "compositeWithTrainedAlgorithmicMedia",
)
COMPOSITES = frozenset({"puppet", "fake", "fake-slow"})
ALGORITHM = "es256"  # C2PA's name for what this machine's own key signs with
OFFLINE = {
    "verify": {"ocsp_fetch": False, "remote_manifest_fetch": False, "verify_after_sign": True},
    "builder": {"thumbnail": {"enabled": False}},
}


def sign(path: Path, *, title: str, engine: str, scene: Scene = Scene.IMAGE, model: str = "") -> None:
    """Put a signed manifest into an mp4 or a JPEG: generator, engine, its model where it has one, and that the content
    is synthetic, or partly so where the ``scene`` is the driving video's.

    The file is replaced whole. Nothing is asked of the network, so there is no trusted time stamp. Raises
    EngineError (provenance_failed) rather than leave a file unsigned and unnoticed.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.signed")
    try:
        chain, key, algorithm = _identity()
        info = c2pa.C2paSignerInfo(algorithm, chain.encode("ascii"), key.encode("ascii"), None)
        with (
            c2pa.Settings.from_dict(OFFLINE) as settings,
            c2pa.Context(settings) as context,
            c2pa.Signer.from_info(info) as signer,
            c2pa.Builder(_manifest(title, engine, scene, model, _media_type(path)), context) as builder,
            path.open("rb") as source,
            part.open("w+b") as target,
        ):
            builder.sign(signer, _media_type(path), source, target)
        part.replace(path)
    except (c2pa.C2paError, OSError, ValueError, TypeError, KeyError) as error:
        raise EngineError(
            "provenance_failed",
            f"The video could not be signed: {error}.",
            fix=f"Check {CERTIFICATE_VARIABLE} and {KEY_VARIABLE} if they are set, else that the data folder can be "
            "written; or leave the provenance out.",
        ) from error
    finally:
        part.unlink(missing_ok=True)


def read(path: Path) -> Mapping[str, Any]:
    """The manifest store of a file as C2PA's reader gives it, with its ``validation_state``."""
    with (
        c2pa.Settings.from_dict(OFFLINE) as settings,
        c2pa.Context(settings) as context,
        path.open("rb") as file,
        c2pa.Reader(_media_type(path), file, context=context) as reader,
    ):
        store: dict[str, Any] = json.loads(reader.json())
        return store


def _media_type(path: Path) -> str:
    return "image/jpeg" if path.suffix == ".jpg" else "video/mp4"


def _manifest(title: str, engine: str, scene: Scene, model: str, media_type: str) -> dict[str, Any]:
    generator = {"name": "Understudy", "version": version("understudy")}
    source = COMPOSITE if engine in COMPOSITES else DRAWN_INTO if scene is Scene.VIDEO else DRAWN
    agent = {**generator, "engine": engine, **({"model": model} if model else {})}
    created = {
        "action": "c2pa.created",
        "digitalSourceType": SOURCE_TYPES + source,
        "softwareAgent": agent,
    }
    return {
        "claim_generator_info": [generator],
        "title": title,
        "format": media_type,
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [created]}}],
    }


def _identity() -> tuple[str, str, str]:
    """Certificate chain, private key (PEM), its algorithm: the operator's own where given, else this machine's.

    Only a new or an operator's key loads what works on keys, a third of what signing costs.
    """
    certificate, key = os.environ.get(CERTIFICATE_VARIABLE), os.environ.get(KEY_VARIABLE)
    if certificate or key:
        if not (certificate and key):
            raise ValueError(f"{CERTIFICATE_VARIABLE} and {KEY_VARIABLE} belong together")
        from understudy.media.authority import algorithm

        own = Path(key).read_text("ascii")
        return Path(certificate).read_text("ascii"), own, algorithm(own)
    folder = config.data_dir() / "provenance"
    file = folder / "identity.pem"  # key and chain in one file, so that they can never be of two makings
    if not file.is_file():
        from understudy.media.authority import new_identity

        _keep(file, new_identity())
    text = file.read_text("ascii")
    end = text.index("-----BEGIN CERTIFICATE-----")
    return text[end:], text[:end], ALGORITHM


def _keep(file: Path, text: str) -> None:
    """Write once, whole, for the owner alone. Of two processes that come here at once, the first one's stays."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=file.parent)  # mode 0600
    part = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        try:
            os.link(part, file)
        except FileExistsError:
            pass
        except OSError:  # a file system without links
            part.replace(file)
    finally:
        part.unlink(missing_ok=True)
