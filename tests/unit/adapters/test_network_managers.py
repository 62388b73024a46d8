"""What the programs that configure interfaces leave in their files."""

from pathlib import Path

import pytest

from vmstead.adapters import network_managers
from vmstead.adapters.network_managers import read_management


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which programs are found: a bus on which services are that lie in it as files."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    bus = folder / "busctl"
    bus.write_text(
        f'#!/bin/sh\nfor name; do :; done\n[ -e "{folder}/$name" ] && f=true || f=false\n'
        'echo "{\\"type\\":\\"b\\",\\"data\\":[$f]}"\n'
    )
    bus.chmod(0o755)
    return folder


async def test_networkd_says_by_which_file_and_what_it_has_borrowed(tmp_path: Path, programs: Path) -> None:
    (programs / "org.freedesktop.network1").touch()
    etc, run = tmp_path / "etc", tmp_path / "run"
    # The one interface that every machine has.
    (run / "systemd/netif/links").mkdir(parents=True)
    (run / "systemd/netif/leases").mkdir()
    (etc / "systemd/network/10-lan.network.d").mkdir(parents=True)
    (run / "systemd/network/10-lan.network.d").mkdir(parents=True)
    file = etc / "systemd/network/10-lan.network"
    file.write_text("[Match]\n")
    (etc / "systemd/network/10-lan.network.d/b.conf").write_text("b of etc")
    (run / "systemd/network/10-lan.network.d/b.conf").write_text("b of run")
    (run / "systemd/network/10-lan.network.d/a.conf").write_text("a of run")
    (run / "systemd/netif/links/1").write_text(f"# Private\nADMIN_STATE=configured\nNETWORK_FILE={file}\n")
    (run / "systemd/netif/leases/1").write_text("ADDRESS=10.0.0.2\nCLIENTID=ff00aabbcc0002\n")
    found = await read_management("lo", etc, run)
    assert (found.networkd, found.network_file) == ("configured", str(file))
    assert found.network_texts == ("[Match]\n", "a of run", "b of etc")
    assert found.client_id == "ff00aabbcc0002"
    moved = file.rename(run / "systemd/network/10-lan.network")
    assert (await read_management("lo", etc, run)).network_texts == found.network_texts
    moved.unlink()
    assert (await read_management("lo", etc, run)).network_texts == ()
    assert (await read_management("none9", etc, run)).networkd == "unmanaged"
    (programs / "org.freedesktop.network1").unlink()
    found = await read_management("lo", etc, run)
    assert (found.networkd, found.network_texts, found.client_id) == (None, (), None)


async def test_network_manager_is_asked_where_it_runs(tmp_path: Path, programs: Path) -> None:
    nmcli = programs / "nmcli"
    nmcli.write_text("#!/bin/sh\necho 'enp1s0:connected'\necho 'lo:connected (externally)'\n")
    nmcli.chmod(0o755)
    assert (await read_management("enp1s0", tmp_path, tmp_path)).network_manager is None
    (programs / "org.freedesktop.NetworkManager").touch()
    assert (await read_management("enp1s0", tmp_path, tmp_path)).network_manager == "connected"
    assert (await read_management("enp2s0", tmp_path, tmp_path)).network_manager == "unmanaged"


def test_ifupdowns_files_and_those_that_they_take_in(tmp_path: Path) -> None:
    main = tmp_path / "interfaces"
    (tmp_path / "interfaces.d").mkdir()
    (tmp_path / "more").mkdir()
    main.write_text(
        f"source {tmp_path}/interfaces.d/*\nsource-directory more\nsource {main}\nsource /nowhere/*\n"
    )
    (tmp_path / "interfaces.d/b.cfg").write_text("b")
    (tmp_path / "interfaces.d/a").write_text("a")
    (tmp_path / "more/c").write_text("c")
    (tmp_path / "more/c.dpkg-old").write_text("not this")
    found = dict(network_managers._interfaces(main, set()))
    assert list(found.values())[1:] == ["a", "b", "c"]
    assert dict(network_managers._interfaces(tmp_path / "none", set())) == {}
