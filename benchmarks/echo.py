"""The least that answers JSON over a WebSocket: aiohttp, and a result for each call.

    .venv/bin/python -m benchmarks.echo SOCKET

It decodes and encodes with what Vmstead uses, on the same event loop, so that the difference is the API alone.
"""

import asyncio
import sys

import msgspec
from aiohttp import web

from vmstead.cli.serve import _loop_factory


async def answer(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        call = msgspec.json.decode(message.data)
        result = {"jsonrpc": "2.0", "id": call["id"], "result": "pong"}
        await socket.send_str(msgspec.json.encode(result).decode())
    return socket


async def serve(path: str) -> None:
    app = web.Application()
    app.router.add_get("/api/current", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.UnixSite(runner, path).start()
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(serve(sys.argv[1]))
