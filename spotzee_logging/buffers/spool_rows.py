"""What the tables of a spool hold, a row each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from spotzee_logging.buffers.base import Body


class OwnerRow(NamedTuple):
    """How far an owner's journal is sealed, and what it holds in all."""

    token: str
    scanned: int = 0
    passed: Sequence[int] = ()
    events: int = 0
    bytes: int = 0


class OwnerLife(NamedTuple):
    """Where an owner runs, or ran."""

    token: str
    machine: str
    pid: int
    lease_until: float


class BatchRow(NamedTuple):
    """A sealed batch without its body."""

    key: str
    owner: str
    rank: str
    sealed_at: float
    sizes: Sequence[int]
    contacts: Sequence[int]


class RejectedRow(NamedTuple):
    """An event that the server refused for good."""

    id: int
    rejected_at: float
    reason: str
    why: str
    request_id: str | None
    body: Body
