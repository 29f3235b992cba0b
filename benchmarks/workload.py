"""The one event that everybody sends: the example of the API's own documentation, 314 bytes of JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

NAME = "product_viewed"
CONTACT = "cust-9f4b21"
DATA = {"product_id": "sku-1024", "value": 49.95, "currency": "AUD"}
USER = {
    "email": "jane@example.com",
    "phone": "+61400123456",
    "timezone": "Australia/Sydney",
    "locale": "en-AU",
    "data": {"plan": "pro"},
}
TAG = {"name": NAME, "anonymous_id": "anon-2c8a3e", "external_id": CONTACT, "data": DATA, "user": USER}

MARK = b"sku-1024"
"""Once in each event, whoever sends it: what the sink counts."""

Extra = dict[str, Any]
EXTRA: Extra = {"spotzee_event": TAG}


def extra_of(number: int, contacts: int) -> Extra:
    """The `extra` of the event of this number; its `value` grows within each contact, for the check of order."""
    tag = {**TAG, "external_id": f"cust-{number % contacts:06}", "data": {**DATA, "value": number}}
    return {"spotzee_event": tag}


def ready_body(extras: Sequence[Extra]) -> bytes:
    """The body of a request with these events."""
    created_at = "2026-04-28T05:14:00.000Z"
    events = [{**extra["spotzee_event"], "created_at": created_at} for extra in extras]
    return json.dumps(events, separators=(",", ":")).encode()


def event_bytes() -> bytes:
    """The event as JSON."""
    return ready_body([EXTRA])[1:-1]


def tag_of_bytes(size_bytes: int) -> dict[str, Any]:
    """A tag whose event is about so many bytes of JSON: lines of an order, as many as it takes."""
    tag: dict[str, Any] = {"name": NAME, "external_id": CONTACT, "data": {"product_id": "sku-1024"}}
    line = {"sku": "sku-2048", "title": "desk lamp, brass", "count": 2, "price": 49.95, "gift": False}
    count = max(0, size_bytes - 100) // (len(json.dumps(line, separators=(",", ":"))) + 1)
    if count:
        tag["data"]["lines"] = [dict(line) for _ in range(count)]
    return tag
