"""The web page: files that ``bin/setup`` built from ``web/``, served with the headers that keep them harmless."""

import re
from pathlib import Path

from aiohttp import web

#: Where the built page lies in the package.
FOLDER = Path(__file__).parent / "static"

#: What may run and be fetched: this server's own files, nothing written into a document, nothing from elsewhere.
#: The consoles' frames make style elements at run time (xterm.js); nothing else may.
_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'{style}; img-src 'self' data: blob:; "
    "media-src 'self' blob:; font-src 'self'; connect-src 'self'; worker-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_FRAMES = frozenset({"screen.html", "serial.html"})

_MISSING = (
    "The web page has not been built. Run bin/setup in the checkout and start the server again; "
    "the API at /api/current works without it.\n"
)
#: File names carry a hash of what is in them, so what was fetched once stays true.
_HASHED = re.compile(r"assets/[A-Za-z0-9_.-]+-[A-Za-z0-9_-]{8}\.[a-z0-9]+")
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".json": "application/json",
    ".map": "application/json",
    ".md": "text/plain; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}


class Page:
    """The files of the page.

    Args:
        folder: where they are; it may be missing, then every address answers how to build them.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        # What can be asked for is listed once: no name that a client sends becomes a path.
        self._files = {
            str(path.relative_to(folder)): path
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.suffix in _TYPES
        }

    @property
    def is_built(self) -> bool:
        """Whether there is anything to serve."""
        return "index.html" in self._files

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Serve the page at ``/ui/``, at ``/`` by redirection, and where addresses of displays point."""
        router.add_get("/", self._redirect)
        router.add_get("/ui", self._redirect)
        router.add_get("/ui/{path:.*}", self._file)
        router.add_get(r"/vm/display/{device:\d+}/spice_auto.html", self._start)

    async def _redirect(self, _: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("/ui/")

    async def _start(self, request: web.Request) -> web.StreamResponse:
        return self._answer("index.html")

    async def _file(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["path"]
        if name in self._files:
            return self._answer(name)
        # Every screen has an address of its own; only the page knows which there are.
        if Path(name).suffix or name.startswith("assets/"):
            return web.Response(status=404, text="There is no such file.\n")
        return self._answer("index.html")

    def _answer(self, name: str) -> web.StreamResponse:
        if not self.is_built:
            return web.Response(status=503, text=_MISSING)
        path = self._files[name]
        headers = {**_HEADERS, "Content-Type": _TYPES[path.suffix]}
        if _HASHED.fullmatch(name):
            headers["Cache-Control"] = "public, max-age=31536000, immutable"
        else:
            headers["Cache-Control"] = "no-cache"
        style = " 'unsafe-inline'" if name in _FRAMES else ""
        headers["Content-Security-Policy"] = _POLICY.format(style=style)
        # aiohttp takes the .br or .gz file beside it where the browser can read that.
        return web.FileResponse(path, headers=headers)
