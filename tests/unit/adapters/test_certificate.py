"""The digest of a certificate that clients bind their logins to."""

import datetime as dt
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from vmstead.adapters.certificate import ServerCertificate

NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "host")])
THEN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def certificate(algorithm: hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None) -> x509.Certificate:
    """A certificate signed with that hash, or with a kind of key that has none."""
    key = ec.generate_private_key(ec.SECP256R1()) if algorithm else ed25519.Ed25519PrivateKey.generate()
    builder = x509.CertificateBuilder().subject_name(NAME).issuer_name(NAME).serial_number(1)
    builder = builder.not_valid_before(THEN).not_valid_after(THEN + dt.timedelta(days=1))
    return builder.public_key(key.public_key()).sign(key, algorithm)


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates)


@pytest.mark.parametrize("algorithm", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
async def test_it_is_made_with_the_hash_of_the_signature(
    tmp_path: Path, algorithm: hashes.SHA256 | hashes.SHA384 | hashes.SHA512
) -> None:
    own, issuer = certificate(algorithm), certificate(hashes.SHA256())
    file = tmp_path / "cert.pem"
    file.write_bytes(pem(own, issuer))
    found = await ServerCertificate(file).digest()
    assert found == own.fingerprint(algorithm)
    assert await ServerCertificate(file).digest() == found


async def test_there_is_none_without_a_certificate_or_where_it_is_not_defined(tmp_path: Path) -> None:
    assert await ServerCertificate(None).digest() is None
    file = tmp_path / "cert.pem"
    file.write_bytes(pem(certificate(None)))
    assert await ServerCertificate(file).digest() is None
