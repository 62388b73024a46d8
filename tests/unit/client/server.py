"""A server that does what a test tells it: real WebSockets in a thread, answers from the test's functions."""

import asyncio
import json
import ssl
import threading
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, Self

from aiohttp import WSMsgType, web

Method = Callable[..., Any]

#: What a method returns when the call is not to be answered (yet).
NO_ANSWER = object()

NOT_AUTHENTICATED = {
    "code": -32001,
    "message": "Method call error",
    "data": {
        "error": 207,
        "errname": "ENOTAUTHENTICATED",
        "reason": "[ENOTAUTHENTICATED] Not authenticated",
        "trace": {
            "class": "CallError",
            "frames": [],
            "formatted": "Traceback: not in",
            "repr": "CallError()",
        },
        "extra": None,
    },
}


class RefusalError(Exception):
    """Makes the server answer with this error object."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error)
        self.error = error


def call_error(errno: int, reason: str, extra: Any = None, formatted: str | None = None) -> RefusalError:
    trace: dict[str, Any] = {
        "class": "CallError",
        "frames": [],
        "formatted": formatted,
        "repr": "CallError()",
    }
    data = {
        "error": errno,
        "errname": "E",
        "reason": reason,
        "trace": trace if formatted else None,
        "extra": extra,
    }
    return RefusalError({"code": -32001, "message": "Method call error", "data": data})


def invalid_params(*faults: list[Any]) -> RefusalError:
    reason = "".join(f"[EINVAL] {path}: {text}\n" for path, text, _ in faults)
    data = {"error": 22, "errname": "EINVAL", "reason": reason, "trace": None, "extra": list(faults)}
    return RefusalError({"code": -32602, "message": "Invalid params", "data": data})


def job(job_id: int, call_id: str | None = None, state: str = "RUNNING", **changes: Any) -> dict[str, Any]:
    """A job object with every key that servers send."""
    return {
        "id": job_id,
        "message_ids": [] if call_id is None else [call_id],
        "method": "vm.stop",
        "arguments": [],
        "transient": False,
        "description": None,
        "abortable": False,
        "logs_path": None,
        "logs_excerpt": None,
        "progress": {"percent": 0, "description": "", "extra": None},
        "result": None,
        "result_encoding_error": None,
        "error": None,
        "exception": None,
        "exc_info": None,
        "state": state,
        "time_started": {"$date": 1760000000000},
        "time_finished": None,
        "credentials": None,
        **changes,
    }


def at(percent: int, description: str = "") -> dict[str, Any]:
    """The progress member of a job."""
    return {"progress": {"percent": percent, "description": description, "extra": None}}


class Peer:
    """One connected client, as the methods of a test see it."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self.socket = socket
        self.call_id = ""
        self.logged_in = True

    async def send(self, message: dict[str, Any]) -> None:
        await self.socket.send_str(json.dumps({"jsonrpc": "2.0", **message}))

    async def answer(self, call_id: str, result: Any = None) -> None:
        await self.send({"result": result, "id": call_id})

    async def event(self, msg: str, collection: str, **params: Any) -> None:
        params = {"msg": msg, "collection": collection, **params}
        await self.send({"method": "collection_update", "params": params})

    async def job_event(self, msg: str, fields: dict[str, Any]) -> None:
        await self.event(msg, "core.get_jobs", id=fields["id"], fields=fields)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await self.socket.close(code=code, message=reason.encode())

    def drop(self) -> None:
        """End the connection without a closing handshake."""
        transport = self.socket._req.transport if self.socket._req is not None else None
        assert transport is not None
        transport.abort()


Shell = Callable[[web.WebSocketResponse, dict[str, Any]], Awaitable[None]]


class ScriptedServer:
    """Listens on a unix socket and on a TCP port, as a context.

    Args:
        directory: where the unix socket goes.
        methods: name -> function of the peer and the parameters, sync or async. It returns the result or
            `NO_ANSWER`, or raises RefusalError. `core.set_options`, `core.subscribe`, `core.unsubscribe` and
            `core.ping` are there already.
        shell: what the console does once a client has sent its one message.
        certificate: a file with key and certificate: speak TLS on the TCP port.
    """

    def __init__(
        self,
        directory: Path,
        methods: dict[str, Method] | None = None,
        *,
        legacy_jobs: bool = False,
        shell: Shell | None = None,
        certificate: Path | None = None,
        logged_in: bool = True,
    ) -> None:
        self.path = directory / "s.sock"
        self.uri = f"ws+unix://{self.path}"
        self.tcp_uri = ""
        self.requests: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self._legacy_jobs = legacy_jobs
        self._logged_in = logged_in
        self._shell = shell
        self._certificate = certificate
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._runner: web.AppRunner | None = None
        self._methods: dict[str, Method] = {
            "core.set_options": self._set_options,
            "core.subscribe": self._subscribe,
            "core.unsubscribe": lambda peer, subscription: None,
            "core.ping": lambda peer: "pong",
            **(methods or {}),
        }

    def calls(self, method: str) -> list[list[Any]]:
        """The parameters of every call of a method so far."""
        return [request["params"] for request in self.requests if request["method"] == method]

    def methods_called(self) -> list[str]:
        return [request["method"] for request in self.requests]

    def do(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine on the server's loop and wait for it."""
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def __enter__(self) -> Self:
        self._thread.start()
        self.do(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self.do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> None:
        app = web.Application()
        app.router.add_get("/api/current", self._api)
        app.router.add_get("/_shell", self._console)
        app.router.add_get("/websocket/shell", self._console)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.UnixSite(self._runner, str(self.path)).start()
        tls = None
        if self._certificate is not None:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(self._certificate)
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        port = self._runner.addresses[-1][1]
        self.tcp_uri = f"{'wss' if tls else 'ws'}://127.0.0.1:{port}"

    async def _stop(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _api(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.paths.append(request.path)
        self.headers.append(dict(request.headers))
        peer = Peer(socket)
        peer.logged_in = self._logged_in
        async for frame in socket:
            if frame.type is WSMsgType.TEXT:
                await self._answer(peer, json.loads(frame.data))
        return socket

    async def _answer(self, peer: Peer, request: dict[str, Any]) -> None:
        self.requests.append(request)
        peer.call_id = request["id"]
        method = self._methods.get(request["method"])
        if method is None:
            error = {"code": -32601, "message": "Method does not exist"}
            await peer.send({"error": error, "id": request["id"]})
            return
        try:
            result = method(peer, *request["params"])
            if asyncio.iscoroutine(result):
                result = await result
        except RefusalError as refused:
            await peer.send({"error": refused.error, "id": request["id"]})
            return
        if result is not NO_ANSWER and not peer.socket.closed:
            await peer.answer(request["id"], result)

    def _set_options(self, peer: Peer, options: dict[str, Any]) -> dict[str, Any]:
        return {"legacy_jobs": self._legacy_jobs, "private_methods": False, "py_exceptions": False}

    def _subscribe(self, peer: Peer, name: str) -> str:
        if not peer.logged_in:
            raise RefusalError(NOT_AUTHENTICATED)
        return f"subscription-{name}"

    async def _console(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.paths.append(request.path)
        assert self._shell is not None
        await self._shell(socket, json.loads((await socket.receive()).data))
        await socket.close()
        return socket
