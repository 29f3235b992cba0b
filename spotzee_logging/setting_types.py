"""What type checkers and editors are told of the settings: their kinds, and the keyword arguments that they are."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypedDict

from spotzee_logging.errors import SpotzeeError
from spotzee_logging.event import Event

ApiKey = str | Callable[[], str]
BeforeSend = Callable[[Event], Event | None]
OnError = Callable[[Event | None, SpotzeeError], None]
Session = Any
"""A `requests.Session` or a function that gives one; requests itself is imported with the first batch."""


class GivenSettings(TypedDict, total=False):
    """What `SpotzeeHandler`, and `Settings` itself, take beside *api_key*; a test holds the two to the same names."""

    base_url: str
    api_version: str | None
    client_type: str | None
    capacity: int
    flush_level: int | str
    flush_interval_seconds: float
    max_pending_bytes: int
    spool: str | os.PathLike[str] | None
    durability: Literal["process", "power"]
    spool_max_bytes: int
    overflow: Literal["drop_newest", "drop_oldest", "block"]
    block_timeout_seconds: float
    max_batch_bytes: int
    max_event_bytes: int
    connections: int
    requests_per_second: float | None
    connect_timeout_seconds: float
    read_timeout_seconds: float
    shutdown_timeout_seconds: float
    session: Session | str | None
    before_send: BeforeSend | str | None
    redact: Sequence[str] | str | None
    on_error: OnError | str | None
    strict: bool
    disabled: bool
