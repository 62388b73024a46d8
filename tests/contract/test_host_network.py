"""Every host's network takes steps as the port says."""

from pathlib import Path

import pytest

from vmstead.adapters.fake_host_network import FakeHostNetwork
from vmstead.adapters.host_network import LinuxHostNetwork
from vmstead.ports.host_network import HostNetwork, Kept, NetworkError, Remove, Replace, Run, Write


class Place:
    """A host and a look at its files."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.fake = FakeHostNetwork() if kind == "fake" else None
        self.host: HostNetwork = self.fake or LinuxHostNetwork(folder / "records")
        self.file = str(folder / "some/file")

    @property
    def text(self) -> str | None:
        if self.fake is not None:
            return self.fake.files.get(self.file)
        return Path(self.file).read_text() if Path(self.file).exists() else None


@pytest.fixture(params=["fake", "linux"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Place(request.param, tmp_path)


async def test_files_are_written_and_removed_however_often(place: Place) -> None:
    for _ in range(2):
        await place.host.perform(Write(place.file, "text\n"))
        assert place.text == "text\n"
    await place.host.perform(Write(place.file, "other\n"))
    assert place.text == "other\n"
    for _ in range(2):
        await place.host.perform(Remove(place.file))
        assert place.text is None


async def test_a_file_of_others_is_replaced_only_as_long_as_it_is_what_it_was(place: Place) -> None:
    await place.host.perform(Replace(place.file, "", "old\n") if place.fake else Write(place.file, "old\n"))
    for _ in range(2):
        await place.host.perform(Replace(place.file, "old\n", "new\n"))
        assert place.text == "new\n"
    await place.host.perform(Write(place.file, "edited\n"))
    with pytest.raises(NetworkError):
        await place.host.perform(Replace(place.file, "new\n", "old\n"))
    await place.host.perform(Replace(place.file, "new\n", "old\n", needed=False))
    assert place.text == "edited\n"


async def test_a_program_that_fails_matters_where_it_is_needed(place: Place) -> None:
    await place.host.perform(Run(("true",)))
    await place.host.perform(Run(("false",), needed=False))
    with pytest.raises(NetworkError):
        await place.host.perform(Run(("false",)))


async def test_what_is_recorded_is_remembered(place: Place) -> None:
    assert await place.host.kept() == []
    text = '{"bridge": "lan0", "port": "enp1s0", "manager": "ifupdown", "file": "/etc/x"}'
    await place.host.perform(Write(place.host.record("lan0"), text))
    assert await place.host.kept() == [Kept("lan0", "enp1s0", "ifupdown", file="/etc/x")]
