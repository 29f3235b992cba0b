"""From an answer of the API to the dispatcher's move: one table (contract: events-api.md, "Responses")."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from enum import Enum
from types import MappingProxyType
from typing import Final, NamedTuple


class Move(Enum):
    """What becomes of a batch."""

    DELIVERED = "delivered, but for the items that the answer names"
    RETRY = "the same request again, after a wait of all that is pending"
    WAIT = "the same request again, after a wait of this batch and its contacts alone"
    PAUSE = "kept, with all that waits, until a probe a minute gets through"
    SIFT = "the items that the answer names are given up, the rest goes on; named none, it is halved"
    HALVE = "halved, until it fits"
    RENEW = "the same events under a new key, once"
    REJECT = "given up, with the server's words"


MOST_COMPLAINTS: Final = 5
"""How many of an event's errors are told of; the others are counted."""


class Complaint(NamedTuple):
    """One of an answer's `errors`: what is wrong with one event.

    :param field: which of its fields (`user.email`); "" where none is named.
    :param message: the server's words.
    :param code: its word for it (`parameter_invalid_format`), where it gave one.
    """

    field: str = ""
    message: str = ""
    code: str | None = None

    def words(self, known_code: str | None) -> str:
        """All of it in a few words, but for a code that is told already."""
        code = "" if self.code == known_code else self.code or ""
        said = f"{self.message} ({code})" if self.message and code else self.message or code
        return f"{self.field}: {said}" if self.field and said else self.field or said


class Outcome(NamedTuple):
    """What one request came to.

    :param status: the HTTP status; None where no answer came, and nobody knows whether it was committed.
    :param message: the server's words, or what stood in the way of an answer.
    :param code: the server's word for it (`validation_failed`), where it gave one.
    :param request_id: the server's id of the request.
    :param retry_after_seconds: how long it asks to wait.
    :param items: what its `errors` say of single events, by the index of each that they name.
    :param is_replayed: whether it is the first answer to the batch's key once more, kept by the server.
    """

    status: int | None
    message: str
    code: str | None = None
    request_id: str | None = None
    retry_after_seconds: float | None = None
    items: Mapping[int, Sequence[Complaint]] = MappingProxyType({})
    is_replayed: bool = False

    @property
    def reason(self) -> str:
        """The word to count it under: the server's `code`, else one made of the status (`http_404`)."""
        if self.code:
            return self.code
        return "no_answer" if self.status is None else f"http_{self.status}"

    def of(self, index: int) -> Outcome:
        """What it came to for one event: in the words that are its own, where there are such."""
        complaints = self.items.get(index, ())
        code = self.code or next((each.code for each in complaints if each.code), None)
        message = _told(words for each in complaints if (words := each.words(code)))
        if self.message and not any(each.message for each in complaints):
            message = f"{self.message} ({message})" if message else self.message
        return self._replace(message=message, code=code, items=MappingProxyType({}))

    def __str__(self) -> str:
        answer = "no answer" if self.status is None else f"{self.status} {self.code or ''}".rstrip()
        return f"{answer}: {self.message}" if self.message else answer


def _told(words: Iterable[str]) -> str:
    """Each of them once, as many as are told."""
    different = list(dict.fromkeys(words))
    left_out = len(different) - MOST_COMPLAINTS
    return "; ".join(different[:MOST_COMPLAINTS]) + (f"; and {left_out:,} more" if left_out > 0 else "")


KEY_UNAVAILABLE: Final = "api_key_unavailable"
"""The code of the outcome where a callable `api_key` gave no key: there was nothing to send with."""


class _Row(NamedTuple):
    statuses: Container[int | None]
    code: str | None
    move: Move


ANSWERS: Final[Sequence[_Row]] = (
    _Row({None}, KEY_UNAVAILABLE, Move.PAUSE),
    _Row({None}, None, Move.RETRY),
    _Row(range(100, 200), None, Move.RETRY),  # the answer itself was still to come
    _Row(range(200, 300), None, Move.DELIVERED),
    _Row(range(300, 400), None, Move.PAUSE),
    _Row({400}, "version_unsupported", Move.PAUSE),
    _Row({400}, "version_required", Move.PAUSE),
    _Row({400}, "idempotency_key_invalid", Move.PAUSE),
    _Row({400, 422}, None, Move.SIFT),
    _Row({401, 402, 403, 404, 405, 410}, None, Move.PAUSE),
    _Row({408, 425, 429}, None, Move.RETRY),
    _Row({409}, "idempotency_in_progress", Move.WAIT),
    _Row({409}, "idempotency_key_mismatch", Move.RENEW),
    _Row({413}, None, Move.HALVE),
    _Row(range(500, 600), None, Move.RETRY),
    _Row(range(1000), None, Move.REJECT),
)
"""The first row that has the status, and the code where it names one, tells the move."""

PAUSE_REMEDIES: Final[Sequence[tuple[Container[int | None], str]]] = (
    ({None}, "The api_key callable must return a project's key (sk_… or pk_…)"),
    ({400}, "See the settings api_version and base_url"),
    ({401, 403}, "Give a valid key of the project, as SPOTZEE_API_KEY or, while it runs, as handler.api_key"),
    ({402}, "Raise the project's quota"),
    (range(1000), "See the setting base_url: this is not the events API, or not the project"),
)
"""What to do where delivery pauses: the first row that has the status."""

REJECTION_REMEDIES: Final[Sequence[tuple[Container[int | None], str]]] = (
    (range(200, 300), "It will not be sent again: mend the event where it is logged"),
    ({400, 422}, "It will not be sent again: mend the event where it is logged"),
    ({413}, "It will not be sent again: log the event with less data"),
    (range(1000), "It will not be sent again"),
)
"""What to do about an event that is rejected: the first row that has the status."""


def remedy_for(outcome: Outcome, remedies: Sequence[tuple[Container[int | None], str]]) -> str:
    """What one of these tables says of the outcome's status."""
    return next(words for statuses, words in remedies if outcome.status in statuses)


def move_for(outcome: Outcome) -> Move:
    """What the dispatcher does after this outcome."""
    return next(
        row.move for row in ANSWERS if outcome.status in row.statuses and row.code in {None, outcome.code}
    )
