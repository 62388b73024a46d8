"""The certificate that the server makes for itself: what is in it, and how long it is good."""

import datetime as dt
import socket
import stat
from pathlib import Path

import pytest
from cryptography import x509

from vmstead.adapters.own_certificate import is_good, make, names_of_this_machine

NOW = dt.datetime(2026, 11, 25, 12, 0, tzinfo=dt.UTC)
NAMES = ["box", "box.example.org", "192.0.2.10", "2001:db8::10", "fe80::1%eth0", "box", "böx", ""]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "certificate.pem"
    make(file, NAMES, NOW)
    return file


def read(file: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(file.read_bytes())


def test_it_names_the_machine_and_all_its_addresses(file: Path) -> None:
    names = read(file).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    # A name that no certificate can hold is left out, and none is there twice.
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "box", "box.example.org"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == [
        *("127.0.0.1", "::1", "192.0.2.10", "2001:db8::10", "fe80::1"),
    ]


def test_only_its_owner_can_read_it_and_nothing_is_left_beside_it(file: Path) -> None:
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["certificate.pem"]


@pytest.mark.parametrize(("days", "good"), [(-2, False), (0, True), (365, True), (367, False), (500, False)])
def test_it_is_renewed_a_month_before_it_ends(file: Path, days: int, good: bool) -> None:
    assert is_good(file, NOW + dt.timedelta(days=days)) is good
    certificate = read(file)
    # Browsers take none that is good for longer.
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == dt.timedelta(days=397)


def test_what_is_no_certificate_is_replaced(file: Path) -> None:
    for content in (b"", b"nonsense", file.read_bytes()[:400]):
        file.write_bytes(content)
        assert not is_good(file, NOW)
    file.with_name("certificate.pem.part").write_bytes(b"left by somebody who was killed")
    make(file, NAMES, NOW)
    assert is_good(file, NOW)
    assert not is_good(file.with_name("missing.pem"), NOW)


def test_each_has_its_own_key(file: Path) -> None:
    before = file.read_bytes()
    make(file, NAMES, NOW)
    assert file.read_bytes().split(b"-----BEGIN CERT")[0] != before.split(b"-----BEGIN CERT")[0]


def test_this_machine_has_a_name() -> None:
    assert names_of_this_machine()[0] == socket.gethostname()
