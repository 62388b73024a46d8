"""What listeners encrypt with: made, read, renewed, and taken over while they run."""

import asyncio
import datetime as dt
import ssl
from pathlib import Path

import pytest

from tests.harness import PATIENCE
from tests.unit.client.certificate import self_signed
from vmstead.adapters import own_certificate
from vmstead.adapters.server_tls import ServerTls, TlsError
from vmstead.kernel.clock import ManualClock
from vmstead.kernel.tasks import Tasks

_DAY = 86400.0


async def names() -> list[str]:
    return ["box.example.org"]


async def shown(tls: ServerTls) -> bytes:
    """The certificate that a client of a listener gets to see."""
    async with asyncio.timeout(PATIENCE):
        listener = await asyncio.start_server(
            lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=tls.context
        )
        async with listener:
            port = listener.sockets[0].getsockname()[1]
            anybody = ssl.create_default_context()
            anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=anybody)
            certificate: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            writer.close()
            await writer.wait_closed()
    return certificate


async def test_its_own_certificate_is_made_once_and_kept(tmp_path: Path) -> None:
    file, now = tmp_path / "certificate.pem", ManualClock().now()
    first = ServerTls(file, names=names)
    await first.refresh(now)
    content = file.read_bytes()
    again = ServerTls(file, names=names)
    await again.refresh(now + 30 * _DAY)
    assert file.read_bytes() == content
    assert await shown(first) == await shown(again)


async def test_its_own_certificate_is_renewed_while_it_is_used(tmp_path: Path) -> None:
    file, clock, tasks = tmp_path / "certificate.pem", ManualClock(), Tasks()
    tls = ServerTls(file, names=names)
    await tls.refresh(clock.now())
    before = await shown(tls)
    tls.keep_fresh(clock, tasks)
    clock.advance(365 * _DAY)
    await tasks.close(PATIENCE)
    assert await shown(tls) == before
    clock.advance(2 * _DAY)
    await tasks.close(PATIENCE)
    assert await shown(tls) != before
    tls.close()
    assert clock.next_timer is None


async def test_a_certificate_that_was_given_is_read_again_when_it_was_replaced(tmp_path: Path) -> None:
    file = self_signed(tmp_path / "both.pem")
    tls = ServerTls(file)
    await tls.refresh(0)
    before = await shown(tls)
    await tls.refresh(0)
    assert await shown(tls) == before
    self_signed(tmp_path / "other.pem").rename(file)
    await tls.refresh(0)
    assert await shown(tls) != before


async def test_the_one_that_was_good_goes_on_when_a_newer_one_is_not(tmp_path: Path) -> None:
    file, clock, tasks = self_signed(tmp_path / "both.pem"), ManualClock(), Tasks()
    tls = ServerTls(file)
    await tls.refresh(clock.now())
    before = await shown(tls)
    tls.keep_fresh(clock, tasks)
    file.write_text("nonsense")
    clock.advance(3601)
    await tasks.close(PATIENCE)
    assert await shown(tls) == before
    self_signed(file)
    clock.advance(3601)
    await tasks.close(PATIENCE)
    assert await shown(tls) != before


async def test_what_cannot_be_used_is_told_with_its_name(tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    with pytest.raises(TlsError, match=f"^the certificate {missing} cannot be used: No such file"):
        await ServerTls(missing).refresh(0)
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("nonsense")
    with pytest.raises(TlsError, match=r"nonsense\.pem cannot be used: "):
        await ServerTls(nonsense).refresh(0)
    with pytest.raises(TlsError, match="cannot be used: "):
        await ServerTls(tmp_path / "nowhere" / "x.pem", names=names).refresh(0)


async def test_a_key_with_a_password_is_refused_and_not_asked_for(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    file = self_signed(tmp_path / "both.pem")
    key = serialization.load_pem_private_key(file.read_bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    file.write_bytes(locked + file.read_bytes().partition(b"-----END PRIVATE KEY-----\n")[2])
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(TlsError, match="cannot be used"):
            await ServerTls(file).refresh(0)


async def test_who_trusts_it_can_have_it_checked(tmp_path: Path) -> None:
    """With all that newer clients check by default."""
    file = tmp_path / "certificate.pem"
    own_certificate.make(file, ["box.example.org"], dt.datetime.now(dt.UTC))
    tls = ServerTls(file)
    await tls.refresh(0)
    async with asyncio.timeout(PATIENCE):
        listener = await asyncio.start_server(
            lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=tls.context
        )
        async with listener:
            port = listener.sockets[0].getsockname()[1]
            careful = ssl.create_default_context(cafile=file)
            careful.verify_flags |= ssl.VERIFY_X509_STRICT
            for name in ("127.0.0.1", "localhost", "box.example.org"):
                _, writer = await asyncio.open_connection(
                    "127.0.0.1", port, ssl=careful, server_hostname=name
                )
                writer.close()
                await writer.wait_closed()
            with pytest.raises(ssl.SSLCertVerificationError):
                await asyncio.open_connection("127.0.0.1", port, ssl=careful, server_hostname="other.example")
