"""The least that a server of this protocol can do: aiohttp's WebSocket, and JSON read and written.

.venv/bin/python benchmarks/bare.py SOCKET
"""

import json
import sys

from aiohttp import web


async def answer(request):
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    async for message in socket:
        call = json.loads(message.data)
        await socket.send_str(json.dumps({"jsonrpc": "2.0", "id": call["id"], "result": "pong"}))
    return socket


def main() -> None:
    """Serve until the end."""
    application = web.Application()
    application.router.add_get("/api/current", answer)
    web.run_app(application, path=sys.argv[1], print=lambda *_: print("ready", flush=True), access_log=None)


if __name__ == "__main__":
    main()
