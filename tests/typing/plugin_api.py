"""What a user's type checker sees of the pytest plugin. Checked by mypy --strict and pyright, not run."""

from __future__ import annotations

from collections.abc import Callable

from typing_extensions import assert_type

from spotzee_logging import Event, SpotzeeHandler
from spotzee_logging.pytest_plugin import TrackedEvents, assert_not_tracked, assert_tracked
from spotzee_logging.sandbox import Sandbox


def test_it(spotzee_events: TrackedEvents) -> None:
    assert_type(spotzee_events[0], Event)
    assert_type(spotzee_events.named("order_placed"), list[Event])
    event = spotzee_events.assert_tracked(
        "order_placed", external_id="cust_001", data={"total": 129.5}, times=1
    )
    assert_type(event, Event)
    spotzee_events.assert_not_tracked("order_placed", user={"locale": "en-AU"})
    assert_type(assert_tracked("order_placed", anonymous_id="anon"), Event)
    assert_not_tracked("order_placed")
    assert_tracked(name="order_placed")  # type: ignore[call-arg]
    assert_tracked("order_placed", externalId="x")  # type: ignore[call-arg]
    spotzee_events.assert_tracked("order_placed", times="1")  # type: ignore[arg-type]


def test_end_to_end(spotzee_sandbox: Sandbox, make_spotzee_handler: Callable[..., SpotzeeHandler]) -> None:
    handler = make_spotzee_handler(capacity=1)
    assert_type(handler.base_url, str)
    assert spotzee_sandbox.url == handler.base_url
