"""From an answer of the API to the dispatcher's move: one table (contract: events-api.md, "Responses")."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple


class Move(Enum):
    """What becomes of a batch."""

    DELIVERED = "delivered"
    RETRY = "the same request again, after a wait"
    REJECT = "given up, with the server's words"


@dataclass(frozen=True)
class Outcome:
    """What one request came to.

    :param status: the HTTP status; None where no answer came, and nobody knows whether it was committed.
    :param message: the server's words, or what stood in the way of an answer.
    :param code: the server's word for it (`validation_failed`), where it gave one.
    :param request_id: the server's id of the request.
    :param retry_after_seconds: how long it asks to wait.
    """

    status: int | None
    message: str
    code: str | None = None
    request_id: str | None = None
    retry_after_seconds: float | None = None

    @property
    def reason(self) -> str:
        """The word to count it under: the server's `code`, else one made of the status (`http_404`)."""
        if self.code:
            return self.code
        return "no_answer" if self.status is None else f"http_{self.status}"

    def __str__(self) -> str:
        answer = "no answer" if self.status is None else f"{self.status} {self.code or ''}".rstrip()
        return f"{answer}: {self.message}" if self.message else answer


class _Row(NamedTuple):
    statuses: Container[int | None]
    code: str | None
    move: Move


ANSWERS: Final[Sequence[_Row]] = (
    _Row({None}, None, Move.RETRY),
    _Row(range(200, 300), None, Move.DELIVERED),
    _Row({409}, "idempotency_in_progress", Move.RETRY),
    _Row({408, 425, 429}, None, Move.RETRY),
    _Row(range(500, 600), None, Move.RETRY),
    _Row(range(1000), None, Move.REJECT),
)
"""The first row that has the status, and the code where it names one, tells the move."""


def move_for(outcome: Outcome) -> Move:
    """What the dispatcher does after this outcome."""
    return next(
        row.move for row in ANSWERS if outcome.status in row.statuses and row.code in {None, outcome.code}
    )
