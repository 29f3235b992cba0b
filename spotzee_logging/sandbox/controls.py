"""What tests and people look at and set under `/sandbox`, outside of the API that is played."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from spotzee_logging.errors import InvalidSettings
from spotzee_logging.sandbox import strict_json
from spotzee_logging.sandbox.events_api import present
from spotzee_logging.sandbox.live import LiveStream
from spotzee_logging.sandbox.problems import Refusal
from spotzee_logging.sandbox.receiving import ClientGone, read_body

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from spotzee_logging.sandbox.faults import FaultScript
    from spotzee_logging.sandbox.store import Store


def _route(path: str, **handlers: Callable[[Request], Awaitable[Response]]) -> Route:
    """Make one route of all methods, so that a 405 names them all."""

    async def endpoint(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        return await handlers[method](request)

    return Route(path, endpoint, methods=list(handlers))


class Controls:
    """The routes, over what was seen and what is scripted."""

    def __init__(self, store: Store, faults: FaultScript, max_body_bytes: int) -> None:
        self._store = store
        self._faults = faults
        self._max_body_bytes = max_body_bytes

    def routes(self) -> list[Route]:
        """Give them, to be mounted."""
        return [
            _route("/events", GET=self._events, DELETE=self._forget),
            _route("/requests", GET=self._requests),
            _route("/faults", GET=self._left, PUT=self._script, POST=self._add, DELETE=self._unscript),
            Route("/stream", LiveStream(self._store, self._faults), methods=["GET"]),
        ]

    async def _events(self, _request: Request) -> Response:
        headers = {"X-Sandbox-Forgotten": str(self._store.forgotten()["events"])}
        return Response(self._store.events_json(), 200, headers, "application/json")

    async def _requests(self, _request: Request) -> Response:
        headers = {"X-Sandbox-Forgotten": str(self._store.forgotten()["requests"])}
        return JSONResponse(self._store.requests(), 200, headers)

    async def _forget(self, _request: Request) -> Response:
        self._store.forget()
        return Response(status_code=204)

    async def _left(self, _request: Request) -> Response:
        return JSONResponse(self._faults.left())

    async def _unscript(self, _request: Request) -> Response:
        self._faults.replace([])
        return Response(status_code=204)

    async def _script(self, request: Request) -> Response:
        return await self._read_script(request, self._faults.replace)

    async def _add(self, request: Request) -> Response:
        return await self._read_script(request, self._faults.extend)

    async def _read_script(self, request: Request, take: Callable[[Any], None]) -> Response:
        try:
            body = await read_body(request.receive, self._max_body_bytes)
            take(strict_json.parse(present(body)))
        except ClientGone:
            return Response(status_code=204)  # that nobody reads
        except Refusal as error:
            refusal = error
        except InvalidSettings as error:
            refusal = Refusal("validation_failed", str(error))
        except ValueError as error:
            refusal = Refusal("parameter_invalid_format", f"the body {error}")
        else:
            return Response(status_code=204)
        answer = refusal.answer(request.state.request_id)
        return Response(answer.body, answer.status, dict(answer.headers))
