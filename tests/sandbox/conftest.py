"""A running sandbox for each test, and a plain client for it."""

import pytest
import requests

from spotzee_logging.sandbox import Sandbox

KEY = "sk_test_1"


@pytest.fixture
def sandbox():
    """A sandbox that takes any key, stopped at the end of the test."""
    with Sandbox() as running:
        yield running


@pytest.fixture
def event():
    """An event that obeys the contract; the number makes it another one."""

    def make(number=1, **fields):
        return {"name": "order_placed", "external_id": f"cust_{number}", **fields}

    return make


@pytest.fixture
def post(sandbox):
    """Sends `POST /events`: `json=` or `data=` the body, `key=` the idempotency key; None drops a header."""

    def send(json=None, *, data=None, key=None, to=sandbox, headers=None, timeout=5, session=requests):
        sent = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json", "Idempotency-Key": key}
        sent = {name: value for name, value in (sent | (headers or {})).items() if value is not None}
        return session.post(f"{to.url}/events", json=json, data=data, headers=sent, timeout=timeout)

    return send
