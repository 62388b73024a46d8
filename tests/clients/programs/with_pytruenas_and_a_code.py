"""How pytruenas logs in where a password is not enough."""

import json
import sys
from typing import Any

from pytruenas import AuthenticationError, TrueNASClient


def main() -> None:
    """Read where the server is, and who may come in; write what was seen."""
    where = json.load(sys.stdin)
    with client(where, otp=where["code"]) as known:
        me = known.me()["pw_name"]
        try:
            client(where).login()
        except AuthenticationError as error:
            without = str(error)
        json.dump({"with": me, "without": without}, sys.stdout)


def client(where: dict[str, Any], **more: str) -> Any:
    """A client with a password, and perhaps with a code."""
    return TrueNASClient(
        where["uri"], username=where["username"], password=where["password"], verify=where["verify"], **more
    )


main()
