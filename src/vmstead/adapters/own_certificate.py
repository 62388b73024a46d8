"""A certificate that the server makes for itself, where nobody has given it one.

Clients of TrueNAS demand TLS and take a certificate that signs itself. It names this machine as well as can be
told, so that who wants to can have it checked, too.
"""

import datetime as dt
import ipaddress
import os
import socket
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

#: Browsers take no certificate that is good for longer.
_DAYS = 397
_RENEWED_BEFORE = dt.timedelta(days=30)
#: Clocks of clients that are late are to take a new certificate, too.
_ALREADY = dt.timedelta(days=1)
#: What a common name may have; where a name is longer, the alternative names are enough.
_COMMON_NAME = 64


def is_good(file: Path, now: dt.datetime) -> bool:
    """Whether the file holds a certificate that is good for another month. Blocks. Raises OSError."""
    try:
        certificate = x509.load_pem_x509_certificate(file.read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    return certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - _RENEWED_BEFORE


def make(file: Path, names: Iterable[str], now: dt.datetime) -> None:
    """Make a key and a certificate for it. The file is written whole or not at all, for its owner alone.

    Blocks: it makes keys, and writes.

    Args:
        names: names and addresses of this machine.

    Raises:
        OSError: the file cannot be written.
    """
    part = file.with_name(f"{file.name}.part")
    part.unlink(missing_ok=True)
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(_made(names, now))
        stream.flush()
        os.fsync(stream.fileno())
    part.rename(file)


def names_of_this_machine() -> list[str]:
    """What the machine calls itself, without and with its domain. Blocks while that is looked up."""
    name = socket.gethostname()
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM, flags=socket.AI_CANONNAME)
    except OSError:
        return [name]  # the domain is a service to people, not a need
    return [name, *(canonical for *_, canonical, _ in found if canonical)]


def _made(names: Iterable[str], now: dt.datetime) -> bytes:
    """A new key and a certificate for it, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key()
    wanted = dict.fromkeys(["localhost", "127.0.0.1", "::1", *names])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, socket.gethostname()[:_COMMON_NAME])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _ALREADY)
        .not_valid_after(now + dt.timedelta(days=_DAYS) - _ALREADY)
        .add_extension(x509.SubjectAlternativeName([*_alternative(wanted)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + certificate.public_bytes(Encoding.PEM)


def _alternative(names: Iterable[str]) -> Iterable[x509.GeneralName]:
    for name in names:
        try:
            yield x509.IPAddress(ipaddress.ip_address(name.partition("%")[0]))
        except ValueError:
            # A name that no certificate can hold is of no use to clients either.
            if name.isascii() and name.isprintable() and name:
                yield x509.DNSName(name)
