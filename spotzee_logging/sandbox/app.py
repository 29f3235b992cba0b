"""The sandbox as an ASGI application: its page at `/`, the API under `/api/client`, controls under `/sandbox`."""

from __future__ import annotations

import asyncio
import json
import secrets
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Mount, Route

from spotzee_logging.sandbox import strict_json
from spotzee_logging.sandbox.connection import connection_of
from spotzee_logging.sandbox.contract import EVENTS_PATH, redacted
from spotzee_logging.sandbox.controls import Controls
from spotzee_logging.sandbox.events_api import ApiRequest, EventsApi, Handled, Progress
from spotzee_logging.sandbox.faults import Fault
from spotzee_logging.sandbox.guard import Guard
from spotzee_logging.sandbox.page_files import PageFiles
from spotzee_logging.sandbox.problems import Answer, Refusal, code_of, phrase
from spotzee_logging.sandbox.rate_limit import RateLimit
from spotzee_logging.sandbox.receiving import ClientGone, client_gone, read_body

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from spotzee_logging.sandbox.faults import FaultScript
    from spotzee_logging.sandbox.store import RequestRecord, Store

MAX_BODY_BYTES: Final = 2 * 1024 * 1024  # 2 MiB; the contract names no limit, the library's own is 1 MiB


def create_app(  # noqa: PLR0913 - what a test may turn, all but the first two with a default
    store: Store,
    faults: FaultScript,
    *,
    api_keys: Collection[str] | None = None,
    max_body_bytes: int = MAX_BODY_BYTES,
    requests_per_10_seconds: int | None = None,
    host: str = "127.0.0.1",
) -> Starlette:
    """Make the application, for a server of your own; `Sandbox` brings one along.

    Scripted resets need the sandbox's own server: under another one they raise `ConnectionResetError`.

    :param api_keys: the keys that are known; None takes every well-formed one.
    :param max_body_bytes: a larger body is answered 413.
    :param requests_per_10_seconds: the rate limit; None is none.
    :param host: the address or name that the server listens on: under it and on loopback alone are the page
        and the controls served, lest another site's name be made to resolve to this machine.
    """
    rate_limit = RateLimit(requests_per_10_seconds)
    api = EventsApi(store, api_keys=api_keys, rate_limit=rate_limit)
    controls, page = Controls(store, faults, max_body_bytes), PageFiles()
    guard = [Middleware(Guard, bound=host)]
    return Starlette(
        routes=[
            Route("/", page.index, methods=["GET"], middleware=guard),
            Route("/page/{name}", page.file, methods=["GET"], middleware=guard),
            Mount("/sandbox", routes=controls.routes(), middleware=guard),
            Route("/{path:path}", _ApiEndpoint(store, faults, api, max_body_bytes)),
        ],
        middleware=[Middleware(_RequestIds)],
        exception_handlers={HTTPException: _problem},
    )


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, dict(answer.headers))


class _ApiEndpoint:
    """Everything outside `/sandbox`: recorded, disturbed as scripted, answered by the contract."""

    def __init__(self, store: Store, faults: FaultScript, api: EventsApi, max_body_bytes: int) -> None:
        self._store = store
        self._faults = faults
        self._api = api
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await read_body(receive, self._max_body_bytes)
        except ClientGone:
            return
        request = _read_request(scope, body)
        record = _record(scope, request)
        self._store.receive(record)
        answer = await self._answer(request, record, receive)
        request.progress.answered = True
        with self._store.changing(record):
            record["ended_at"] = _now()
            if answer is not None:
                record["status"], record["code"] = answer.status, answer.code
                record["request_id"] = answer.header("X-Request-Id") or request.request_id
                record["answer"] = _object(answer.body)
        if answer is None:
            return
        await _response(answer)(scope, receive, send)

    async def _answer(self, request: ApiRequest, record: RequestRecord, receive: Receive) -> Answer | None:
        """Give the answer; None where there is to be none, and the connection has ended."""
        misplaced = _misplaced(record)
        if misplaced is not None:
            return misplaced.answer(request.request_id)
        fault = self._faults.take() or Fault()
        if fault.is_for_new_keys and self._api.knows_key_of(request):
            fault = Fault()
        handled = self._api.handle(request, fault) if fault.commits else None
        with self._store.changing(record):
            record["fault"] = dict(fault.given) or None
            record["committed"] = handled is not None and handled.committed
            record["replayed"] = handled is not None and handled.replayed
        if await _ends_unanswered(request, fault, receive):
            return None
        return _chosen(handled, fault, request.request_id)


def _misplaced(record: RequestRecord) -> Refusal | None:
    if record["path"] != EVENTS_PATH:
        return Refusal("resource_missing", "there is nothing at this path")
    if record["method"] != "POST":
        headers = (("Allow", "POST"),)
        return Refusal(code_of(405), "this path takes POST only", status=405, headers=headers)
    return None


async def _ends_unanswered(request: ApiRequest, fault: Fault, receive: Receive) -> bool:
    """Wait as scripted; True where the connection ended, by the script or by the client."""
    if fault.hangs:
        await client_gone(receive)
        return True
    if fault.delay_seconds:
        try:
            await asyncio.wait_for(client_gone(receive), fault.delay_seconds)
        except asyncio.TimeoutError:
            pass
        else:
            return True
    if fault.resets:
        request.progress.connection.reset()
        await client_gone(receive)
    return fault.resets


def _chosen(handled: Handled | None, fault: Fault, request_id: str) -> Answer | None:
    """Choose between the answer of normal handling, which a scripted 2xx is part of, and the script's."""
    if handled is not None and (fault.status is None or fault.accepts):
        return handled.answer
    return fault.answer(request_id)


def _read_request(scope: Scope, body: bytes | None) -> ApiRequest:
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return ApiRequest(headers, body, scope["state"]["request_id"], Progress(connection_of(scope)))


def _record(scope: Scope, request: ApiRequest) -> RequestRecord:
    body = request.body
    return {
        "number": 0,  # until the store gives it one
        "received_at": _now(),
        "ended_at": None,
        "method": scope["method"],
        "path": scope["path"],
        "status": None,
        "code": None,
        "answer": None,
        "request_id": request.request_id,
        "idempotency_key": request.headers.get("idempotency-key"),
        "headers": redacted(request.headers),
        "body": None if body is None else body.decode("utf-8", "backslashreplace"),
        "events": _count(body),
        "committed": False,
        "replayed": False,
        "fault": None,
        "connection": request.progress.connection.number,
        "peer_port": (scope.get("client") or (None, None))[1],
    }


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _count(body: bytes | None) -> int | None:
    try:
        document = strict_json.parse(body or b"")
    except ValueError:
        return None
    return len(document) if isinstance(document, list) else None


async def _problem(request: Request, error: Exception) -> Response:
    """Answer what the routes under `/sandbox` do not know, as the API would."""
    assert isinstance(error, HTTPException)
    headers = tuple((error.headers or {}).items())
    code = code_of(error.status_code)
    refusal = Refusal(code, phrase(error.status_code), status=error.status_code, headers=headers)
    return _response(refusal.answer(request.state.request_id))


class _RequestIds:
    """Gives each request an id, and each response that names none its `X-Request-Id`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = f"req_{secrets.token_hex(12)}"
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault("X-Request-Id", request_id)
            await send(message)

        await self._app(scope, receive, send_with_id)
