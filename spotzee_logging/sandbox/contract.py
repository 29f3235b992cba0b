"""The headers of `POST /events`, each with its rule, as the contract words it."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Final

from spotzee_logging.sandbox.problems import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

BASE_PATH: Final = "/api/client"
EVENTS_PATH: Final = f"{BASE_PATH}/events"
RELEASES: Final = frozenset({"2026-04-28"})
CLIENT_TYPES: Final = frozenset({"mcp", "mobile", "sdk-js", "sdk-android", "sdk-ios", "cli", "unknown"})
MAX_IDEMPOTENCY_KEY_CHARACTERS: Final = 255

_BEARER: Final = re.compile(r"Bearer +((?:sk|pk)_[!-~]+)", re.IGNORECASE)
_ORGANISATION: Final = re.compile(r"Bearer +ok_", re.IGNORECASE)
_KEY_KIND: Final = re.compile(r"(Bearer +(?:sk|pk|ok)_)", re.IGNORECASE)
_ISO_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_JSON: Final = re.compile(r'application/json(?:\s*;\s*charset="?utf-8"?)?\s*', re.IGNORECASE)
_SECRET_HEADERS: Final = frozenset({"authorization", "proxy-authorization", "cookie"})


def authenticate(headers: Mapping[str, str], api_keys: Collection[str] | None) -> str:
    """Give the API key that a request shows.

    :param headers: by lower-case name.
    :param api_keys: the keys that are known; None takes every well-formed one.
    :raises Refusal: 401 `authentication_required`.
    """
    value = headers.get("authorization")
    if value is None:
        raise Refusal("authentication_required", "the header Authorization is missing")
    if _ORGANISATION.match(value):
        message = (
            "an organisation key (ok_) belongs to another surface; send a key that starts with sk_ or pk_"
        )
        raise Refusal("authentication_required", message)
    match = _BEARER.fullmatch(value)
    if match is None:
        raise Refusal("authentication_required", "Authorization must be: Bearer, and a key (sk_ or pk_)")
    if api_keys is not None and match[1] not in api_keys:
        raise Refusal("authentication_required", "the API key is unknown or revoked")
    return match[1]


def check_headers(headers: Mapping[str, str]) -> None:
    """Hold every header but Authorization against its rule.

    :raises Refusal: 400, with the header as its `param`.
    """
    for name, check in _HEADER_RULES:
        check(headers.get(name))


def redacted(headers: Mapping[str, str]) -> dict[str, str]:
    """Copy headers without their secrets; of an API key its kind is left."""
    return {name: _shown(value) if name in _SECRET_HEADERS else value for name, value in headers.items()}


def _shown(value: str) -> str:
    match = _KEY_KIND.match(value)
    return f"{match[1]}…" if match else "…"


def _check_version(value: str | None) -> None:
    if value is None:
        return
    if not _is_date(value):
        message = "Spotzee-Version must be an ISO date, such as 2026-04-28"
        raise Refusal("parameter_invalid_format", message, param="Spotzee-Version")
    if value not in RELEASES:
        message = f"Spotzee-Version is no known release; known: {', '.join(sorted(RELEASES))}"
        raise Refusal("version_unsupported", message, param="Spotzee-Version")


def _is_date(value: str) -> bool:
    if not _ISO_DATE.fullmatch(value):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _check_content_type(value: str | None) -> None:
    if value is None or not _JSON.fullmatch(value):
        message = "Content-Type must be application/json"
        raise Refusal("parameter_invalid_format", message, param="Content-Type")


def _check_client_type(value: str | None) -> None:
    if value is not None and value not in CLIENT_TYPES:
        message = f"x-spotzee-client-type must be one of: {', '.join(sorted(CLIENT_TYPES))}"
        raise Refusal("parameter_invalid_format", message, param="x-spotzee-client-type")


def _check_idempotency_key(value: str | None) -> None:
    if value is not None and not 1 <= len(value) <= MAX_IDEMPOTENCY_KEY_CHARACTERS:
        message = f"Idempotency-Key must have 1 to {MAX_IDEMPOTENCY_KEY_CHARACTERS} characters"
        raise Refusal("idempotency_key_invalid", message, param="Idempotency-Key")


_HEADER_RULES: Final[tuple[tuple[str, Callable[[str | None], None]], ...]] = (
    ("spotzee-version", _check_version),
    ("content-type", _check_content_type),
    ("x-spotzee-client-type", _check_client_type),
    ("idempotency-key", _check_idempotency_key),
)
