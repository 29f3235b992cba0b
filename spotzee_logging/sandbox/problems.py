"""What the API answers: its problem codes as a table, and answers ready to be sent."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STATUS_OF_CODE: Final[Mapping[str, int]] = MappingProxyType(
    {
        "resource_missing": 404,
        "resource_already_exists": 409,
        "state_conflict": 409,
        "parameter_missing": 400,
        "parameter_invalid_empty": 400,
        "parameter_invalid_format": 400,
        "parameter_unknown": 400,
        "validation_failed": 422,
        "authentication_required": 401,
        "permission_denied": 403,
        "idempotency_key_mismatch": 409,
        "idempotency_key_invalid": 400,
        "idempotency_in_progress": 409,
        "rate_limited": 429,
        "version_unsupported": 400,
        "version_required": 400,
        "webhook_signature_invalid": 400,
        "quota_exceeded": 402,
        "service_unavailable": 503,
        "internal_error": 500,
    }
)
"""Every code that the contract lists, with the HTTP status that it usually comes with."""

CODE_OF_STATUS: Final[Mapping[int, str]] = MappingProxyType(
    {
        401: "authentication_required",
        402: "quota_exceeded",
        403: "permission_denied",
        404: "resource_missing",
        405: "resource_missing",
        408: "service_unavailable",
        409: "idempotency_in_progress",
        410: "resource_missing",
        422: "validation_failed",
        425: "service_unavailable",
        429: "rate_limited",
        500: "internal_error",
        502: "service_unavailable",
        503: "service_unavailable",
        504: "service_unavailable",
    }
)
"""The code of a scripted error status that names none."""

PROBLEM_TYPE: Final = "application/problem+json"


def code_of(status: int) -> str:
    """Give the code that fits an error status best; the contract has none of its own for some."""
    return CODE_OF_STATUS.get(status, "parameter_invalid_format" if status < 500 else "internal_error")


def phrase(status: int) -> str:
    """Give the words of an HTTP status; an unassigned one has only its number."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"Status {status}"


@dataclass(frozen=True, slots=True)
class Answer:
    """One response, complete but for the connection that carries it."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    code: str | None = None

    def header(self, name: str) -> str | None:
        """Give the value of a header, whatever its case, or None."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def with_headers(self, *headers: tuple[str, str]) -> Answer:
        """Add headers; one that the answer has already is kept."""
        new = tuple(pair for pair in headers if self.header(pair[0]) is None)
        return Answer(self.status, (*self.headers, *new), self.body, self.code)


class Refusal(Exception):
    """A request breaks the contract; carries what the problem body says, never a value from the request."""

    def __init__(  # noqa: PLR0913 - what a problem body has fields for
        self,
        code: str,
        message: str,
        *,
        status: int | None = None,
        param: str | None = None,
        errors: Sequence[Mapping[str, str]] = (),
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status or STATUS_OF_CODE[code]
        self.param = param
        self.errors = errors
        self.headers = headers

    def answer(self, request_id: str) -> Answer:
        """Make the RFC 7807 answer, with the extensions that the contract names."""
        problem: dict[str, Any] = {
            "status": "error",
            "code": self.code,
            "title": phrase(self.status),
            "message": self.message,
            "error": self.message,
            "type": f"urn:spotzee:problem:{self.code}",
            "request_id": request_id,
        }
        if self.param is not None:
            problem["param"] = self.param
        if self.errors:
            problem["errors"] = list(self.errors)
        headers = (*self.headers, ("Content-Type", PROBLEM_TYPE), ("X-Request-Id", request_id))
        return Answer(self.status, headers, json.dumps(problem).encode(), self.code)
