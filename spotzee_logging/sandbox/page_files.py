"""The page's files, as they lie in the package."""

from __future__ import annotations

import functools
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

# Written down, not looked up: on Windows the registry may call a module text/plain, which nosniff then refuses.
_CONTENT_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@functools.cache
def _page_files() -> Mapping[str, tuple[bytes, str]]:
    """Read them once a process: programs' tests may start a sandbox for each."""
    found = {}
    for entry in files("spotzee_logging.sandbox").joinpath("page").iterdir():
        content_type = _CONTENT_TYPES.get(f".{entry.name.rpartition('.')[2]}")
        if content_type is not None:
            found[entry.name] = (entry.read_bytes(), content_type)
    return found


class PageFiles:
    """Serves the files of `page/`; what a request may name is known before the first one comes."""

    def __init__(self) -> None:
        self._files = _page_files()

    async def index(self, _request: Request) -> Response:
        """Give the page."""
        return self._response("index.html")

    async def file(self, request: Request) -> Response:
        """Give what the page is made of."""
        return self._response(request.path_params["name"])

    def _response(self, name: str) -> Response:
        if name not in self._files:
            return Response("there is no such file\n", 404, media_type="text/plain")
        content, content_type = self._files[name]
        return Response(content, 200, {"Content-Type": content_type})
