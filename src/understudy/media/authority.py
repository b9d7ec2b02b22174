"""Keys and certificates to sign with."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

YEARS = 20


def new_identity() -> str:
    """A key of this machine's own and the chain that vouches for it (PEM), by an authority forgotten at once."""
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


def algorithm(key: str) -> str:
    """C2PA's name for the signatures that this key (PEM) makes. Raises ValueError where it is none that can be used."""
    try:
        loaded = serialization.load_pem_private_key(key.encode("ascii"), None)
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from error
    if isinstance(loaded, ec.EllipticCurvePrivateKey):
        return {256: "es256", 384: "es384", 521: "es512"}[loaded.curve.key_size]
    return "ed25519" if isinstance(loaded, ed25519.Ed25519PrivateKey) else "ps256"
