"""Content credentials (C2PA): every result says, machine-readably, that it is generated."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import c2pa
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from understudy import config
from understudy.errors import EngineError

CERTIFICATE_VARIABLE = "UNDERSTUDY_C2PA_CERT"
KEY_VARIABLE = "UNDERSTUDY_C2PA_KEY"
SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
# IPTC: a mix of elements of which at least one is synthetic. The puppet moves pieces of a real picture over a
# filled background; engines that draw every pixel with a trained model are "trainedAlgorithmicMedia".
COMPOSITES = frozenset({"puppet", "fake", "fake-slow"})
YEARS = 20
OFFLINE = {
    "verify": {"ocsp_fetch": False, "remote_manifest_fetch": False, "verify_after_sign": True},
    "builder": {"thumbnail": {"enabled": False}},
}


def sign(path: Path, *, title: str, engine: str) -> None:
    """Put a signed manifest into an mp4: generator, engine, and that the content is synthetic.

    The file is replaced whole. Nothing is asked of the network, so there is no trusted time stamp. Raises
    EngineError (provenance_failed) rather than leave a file unsigned and unnoticed.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.signed")
    try:
        chain, key = _identity()
        info = c2pa.C2paSignerInfo(_algorithm(key), chain.encode("ascii"), key.encode("ascii"), None)
        with (
            c2pa.Settings.from_dict(OFFLINE) as settings,
            c2pa.Context(settings) as context,
            c2pa.Signer.from_info(info) as signer,
            c2pa.Builder(_manifest(title, engine), context) as builder,
            path.open("rb") as source,
            part.open("w+b") as target,
        ):
            builder.sign(signer, "video/mp4", source, target)
        part.replace(path)
    except (c2pa.C2paError, UnsupportedAlgorithm, OSError, ValueError, TypeError, KeyError) as error:
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
        c2pa.Reader("video/mp4", file, context=context) as reader,
    ):
        store: dict[str, Any] = json.loads(reader.json())
        return store


def _manifest(title: str, engine: str) -> dict[str, Any]:
    generator = {"name": "Understudy", "version": version("understudy")}
    source = "compositeSynthetic" if engine in COMPOSITES else "trainedAlgorithmicMedia"
    created = {
        "action": "c2pa.created",
        "digitalSourceType": SOURCE_TYPES + source,
        "softwareAgent": {**generator, "engine": engine},
    }
    return {
        "claim_generator_info": [generator],
        "title": title,
        "format": "video/mp4",
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [created]}}],
    }


def _identity() -> tuple[str, str]:
    """Certificate chain and private key (PEM): the operator's own where given, else this machine's."""
    certificate, key = os.environ.get(CERTIFICATE_VARIABLE), os.environ.get(KEY_VARIABLE)
    if certificate or key:
        if not (certificate and key):
            raise ValueError(f"{CERTIFICATE_VARIABLE} and {KEY_VARIABLE} belong together")
        return Path(certificate).read_text("ascii"), Path(key).read_text("ascii")
    folder = config.data_dir() / "provenance"
    file = folder / "identity.pem"  # key and chain in one file, so that they can never be of two makings
    if not file.is_file():
        _keep(file, _new_identity())
    text = file.read_text("ascii")
    end = text.index("-----BEGIN CERTIFICATE-----")
    return text[end:], text[:end]


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


def _new_identity() -> str:
    """A certificate authority of this machine's own, used once and forgotten, and what it vouches for."""
    now = datetime.now(UTC)
    authority_key = ec.generate_private_key(ec.SECP256R1())
    key = ec.generate_private_key(ec.SECP256R1())
    mark = secrets.token_hex(4)
    authority_name = _name(f"Understudy local authority {mark}")

    def certificate(
        subject: x509.Name, public: ec.EllipticCurvePublicKey, *, authority: bool
    ) -> x509.CertificateBuilder:
        usage = x509.KeyUsage(
            digital_signature=not authority,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=authority,
            crl_sign=authority,
            encipher_only=False,
            decipher_only=False,
        )
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(authority_name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=365 * YEARS))
            .add_extension(
                x509.BasicConstraints(ca=authority, path_length=0 if authority else None), critical=True
            )
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
            )
        )

    authority = certificate(authority_name, authority_key.public_key(), authority=True)
    leaf = certificate(_name(f"Understudy {mark}"), key.public_key(), authority=False).add_extension(
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=True
    )
    chain = [made.sign(authority_key, hashes.SHA256()) for made in (leaf, authority)]
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return (private + b"".join(made.public_bytes(pem) for made in chain)).decode("ascii")


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Understudy"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _algorithm(key: str) -> str:
    """C2PA's name for the signatures that this key makes."""
    loaded = serialization.load_pem_private_key(key.encode("ascii"), None)
    if isinstance(loaded, ec.EllipticCurvePrivateKey):
        return {256: "es256", 384: "es384", 521: "es512"}[loaded.curve.key_size]
    return "ed25519" if isinstance(loaded, ed25519.Ed25519PrivateKey) else "ps256"
