"""What a user's type checker sees of every exported name. Checked by mypy --strict, pyright and ty, not run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import requests
from typing_extensions import assert_type

from spotzee_logging import (
    ContactFilter,
    Event,
    EventFormatter,
    EventTag,
    Settings,
    SpotzeeHandler,
    Stats,
    UserFields,
    arg,
    bind_contact,
    clear_contact,
    contact,
    elapsed,
    error,
    errors,
    flush,
    flush_on_sigterm,
    get_contact,
    result,
    track,
)


def without_phone(event: Event) -> Event | None:
    return None if event.name == "debugged" else replace(event, user={**(event.user or {}), "phone": None})


def told(event: Event | None, problem: errors.SpotzeeError) -> None:
    assert_type(problem.event_name, str | None)
    assert_type(problem.external_id, str | None)
    assert_type(problem.anonymous_id, str | None)
    assert_type(problem.request_id, str | None)
    assert_type(problem.reason, str | None)


handler = SpotzeeHandler(
    "sk_test",
    level=logging.INFO,
    flush_interval_seconds=2,
    spool=Path("events.db"),
    durability="power",
    overflow="block",
    session=requests.Session,
    before_send=without_phone,
    on_error=told,
    redact=["password"],
    requests_per_second=None,
    strict=True,
)
SpotzeeHandler(lambda: "sk_test")
SpotzeeHandler()
SpotzeeHandler("sk_test", flush_interval=2)  # type: ignore[call-arg]
SpotzeeHandler("sk_test", overflow="drop")  # type: ignore[arg-type]
SpotzeeHandler("sk_test", capacity="100")  # type: ignore[arg-type]
SpotzeeHandler("sk_test", before_send=told)  # type: ignore[arg-type]
SpotzeeHandler(key="sk_test")  # type: ignore[call-arg]

plain_handler: logging.Handler = handler
handler.api_key = "sk_new"
handler.api_key = lambda: "sk_new"
handler.setFormatter(EventFormatter())
assert_type(handler.base_url, str)
assert_type(handler.capacity, int)
assert_type(handler.flushLevel, int)
assert_type(handler.flushOnClose, bool)
handler.capacity = 10
handler.flushLevel = "WARNING"
handler.flushOnClose = False
assert_type(handler.flush(), bool)
assert_type(handler.flush(timeout=1.5), bool)
assert_type(handler.stats(), Stats)
assert_type(flush(), bool)
assert_type(flush(2.0), bool)
handler.flush("1")  # type: ignore[arg-type]
flush_on_sigterm()

stats = handler.stats()
assert_type(stats.accepted, int)
assert_type(stats.rejected, Mapping[str, int])
assert_type(stats.dropped, Mapping[str, int])
assert_type(stats.last_error, str | None)
assert_type(stats.paused_until, datetime | None)

formatter = EventFormatter(
    "%(levelname)s",
    rename_fields={"levelname": "level"},
    static_fields={"service": "shop"},
    reserved_attrs=["correlation_id"],
)
plain_formatter: logging.Formatter = formatter
assert_type(formatter.format(logging.makeLogRecord({})), str)

settings = Settings(api_key="sk_test", capacity=10)
assert_type(Settings.from_env(), Settings)
assert_type(settings.capacity, int)
settings.capacity = 20  # type: ignore[misc]

user: UserFields = {"email": "ada@example.com", "timezone": "Australia/Sydney", "data": {"plan": "pro"}}
tag: EventTag = {"name": "order_placed", "external_id": "cust_001", "data": {"total": 129.5}, "user": user}
timed: EventTag = {"name": "order_placed", "created_at": datetime.now(timezone.utc), "anonymous_id": None}
no_name: EventTag = {"external_id": "cust_001"}  # type: ignore[typeddict-item]
misspelt: EventTag = {"name": "x", "externalId": "cust_001"}  # type: ignore[typeddict-unknown-key]
no_user: UserFields = {"mail": "ada@example.com"}  # type: ignore[typeddict-unknown-key]
logging.getLogger("shop").info("order placed", extra={"spotzee_event": tag})

event = Event(name="order_placed", external_id="cust_001", data={"total": 129.5})
assert_type(event.name, str)
assert_type(event.external_id, str | None)
assert_type(replace(event, name="order_paid"), Event)
event.name = "order_paid"  # type: ignore[misc]
Event()  # type: ignore[call-arg]

bind_contact(external_id="cust_001", user=user)
bind_contact("cust_001")  # type: ignore[call-arg]
clear_contact()
assert_type(get_contact().external_id, str | None)
contact(external_id=1)  # type: ignore[arg-type]
with contact(external_id="cust_001", anonymous_id="anon", user={"locale": "en-AU"}):
    pass


@contact(external_id="job")
def job(number: int) -> str:
    return str(number)


@contact(external_id="job")
async def job_async(number: int) -> str:
    return str(number)


called: Callable[[int], str] = job
assert_type(job(1), str)
job("1")  # type: ignore[arg-type]


async def main() -> None:
    assert_type(await job_async(1), str)


queue_filter: logging.Filter = ContactFilter()


@track("order_placed", external_id=arg.customer["id"], data={"id": result["id"], "seconds": elapsed})
@track("order_failed", on="raise", external_id=arg.customer["id"], data={"why": error.args[0]})
def place_order(customer: dict[str, str], total: float) -> dict[str, str]:
    return {"id": "ord_42"}


assert_type(place_order({"id": "cust_001"}, 129.5), dict[str, str])
place_order("cust_001", 129.5)  # type: ignore[arg-type]

problems: list[type[errors.SpotzeeError]] = [
    errors.InvalidEvent,
    errors.InvalidSettings,
    errors.MissingExtra,
    errors.MissingLibrary,
    errors.SpoolError,
    errors.EventRejected,
    errors.DeliveryPaused,
    errors.EventDropped,
]
as_value_error: type[ValueError] = errors.InvalidEvent
as_os_error: type[OSError] = errors.SpoolError
as_import_error: type[ImportError] = errors.MissingExtra
