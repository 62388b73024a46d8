"""Names of networks: each is the name of its bridge."""

import re

from vmstead.ports.host_network import Cabling, NetworkError

_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,14}")
#: What NICs are attached to that need no bridge, and words that the kernel and its tools use for themselves.
_TAKEN = {"user", "all", "default", "lo", "none"}


def check_name(name: str, cabling: Cabling) -> None:
    """Refuse a name that no bridge can have, or that is taken."""
    if not _NAME.fullmatch(name) or name in _TAKEN:
        raise NetworkError(
            f"{name!r} cannot be the name of a bridge: it has at most 15 small letters, digits, dots and dashes, "
            f"begins with a letter, and is not one of {', '.join(sorted(_TAKEN))}"
        )
    if name in cabling.cables:
        raise NetworkError(f"there is an interface {name} already; choose another name")
