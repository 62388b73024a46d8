"""A synchronous client for the TrueNAS VM API: calls, jobs, events and serial consoles, without threads.

    with Client("ws://vmhost:6080") as client:
        client.login_with_api_key("1-...")
        for vm in client.call("vm.query"):
            print(vm["name"])
        client.call_job("vm.stop", 4, {"force_after_timeout": True}).result()

A client belongs to one thread at a time. It reads from its connection only while one of its methods waits;
what arrives for somebody else meanwhile (progress of other jobs, events) is kept until it is asked for.

Importing this package is cheap: the WebSocket library is loaded by the first connection.
"""

from vmstead.client.client import Client
from vmstead.client.errors import (
    CallTimeout,
    CertificateError,
    ClientError,
    ConnectError,
    ConnectionLostError,
    JobAbortedError,
    LoginError,
    ValidationErrors,
)
from vmstead.client.events import Subscription
from vmstead.client.jobs import Job, Progress
from vmstead.client.login import Credentials

__all__ = [
    "CallTimeout",
    "CertificateError",
    "Client",
    "ClientError",
    "ConnectError",
    "ConnectionLostError",
    "Credentials",
    "Job",
    "JobAbortedError",
    "LoginError",
    "Progress",
    "Subscription",
    "ValidationErrors",
]
