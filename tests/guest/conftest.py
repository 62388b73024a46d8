"""What holds for every test with a real guest."""

import pytest

from tests.guest.guests import display_ports


@pytest.fixture(autouse=True)
def own_display_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers of tests that run side by side do not know of each other: each gets other ports for its displays."""
    monkeypatch.setenv("VMSTEAD_DISPLAY_PORTS", str(display_ports()))
