"""The page's files, as they lie in the package."""

from __future__ import annotations

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


class PageFiles:
    """Serves the files of `page/`; what a request may name is known before the first one comes."""

    def __init__(self) -> None:
        self._files: Mapping[str, tuple[bytes, str]] = {
            entry.name: (entry.read_bytes(), _CONTENT_TYPES[f".{entry.name.rpartition('.')[2]}"])
            for entry in files("spotzee_logging.sandbox").joinpath("page").iterdir()
            if f".{entry.name.rpartition('.')[2]}" in _CONTENT_TYPES
        }

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
