"""The settings as keyword arguments, for type checkers and editors alone: nothing imports this when it runs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal, TypedDict

from spotzee_logging.settings import BeforeSend, OnError, Session


class GivenSettings(TypedDict, total=False):
    """What `SpotzeeHandler` takes of `Settings` beside *api_key*; a test holds the two to the same names."""

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
