"""Normal handling of `POST /events`: every rule in the order in which the API would look at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spotzee_logging.sandbox.contract import authenticate, check_headers
from spotzee_logging.sandbox.event_schema import read_events
from spotzee_logging.sandbox.problems import Answer, Refusal

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from spotzee_logging.sandbox.connection import Connection
    from spotzee_logging.sandbox.faults import Fault
    from spotzee_logging.sandbox.rate_limit import RateLimit
    from spotzee_logging.sandbox.store import Store


@dataclass(slots=True)
class Progress:
    """Whether a request still runs: it does until it is answered or its client has gone."""

    connection: Connection
    answered: bool = False

    def running(self) -> bool:
        """Say whether an answer may still arrive at the client."""
        return not self.answered and not self.connection.gone


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One request as it arrived. `headers` by lower-case name; `body` is None where it was too large."""

    headers: Mapping[str, str]
    body: bytes | None
    request_id: str
    progress: Progress


@dataclass(frozen=True, slots=True)
class Handled:
    """What normal handling made of a request."""

    answer: Answer
    committed: bool = False
    replayed: bool = False


class EventsApi:
    """The endpoint without its transport.

    :param api_keys: the keys that are known; None takes every well-formed one.
    """

    def __init__(self, store: Store, *, api_keys: Collection[str] | None, rate_limit: RateLimit) -> None:
        self._store = store
        self._api_keys = api_keys
        self._rate_limit = rate_limit

    def handle(self, request: ApiRequest, fault: Fault) -> Handled:
        """Answer one request, and commit its events where it obeys the contract.

        :param fault: a scripted 2xx takes the place of the 204, and the items it names are not committed.
        """
        try:
            self._rate_limit.take()
            body = present(request.body)
            api_key = authenticate(request.headers, self._api_keys)
            check_headers(request.headers)
            key = request.headers.get("idempotency-key")
            if key is None:
                return self._commit(body, request, fault)
            return self._once((api_key, key, body), request, fault)
        except Refusal as refusal:
            return Handled(refusal.answer(request.request_id))

    def knows_key_of(self, request: ApiRequest) -> bool:
        """Whether the request's `Idempotency-Key` stands for an earlier request, under the same API key."""
        try:
            api_key = authenticate(request.headers, self._api_keys)
        except Refusal:
            return False
        return self._store.idempotency.knows(api_key, request.headers.get("idempotency-key", ""))

    def _once(self, identity: tuple[str, str, bytes], request: ApiRequest, fault: Fault) -> Handled:
        """Commit what its key says is new; replay the first answer otherwise."""
        memory = self._store.idempotency
        first = memory.recall(*identity)
        if first is not None:
            return Handled(first.with_headers(("Idempotent-Replayed", "true")), replayed=True)
        try:
            handled = self._commit(identity[2], request, fault)
        except Refusal as refusal:
            handled = Handled(refusal.answer(request.request_id))
        memory.remember(*identity, handled.answer, request.progress.running)
        return handled

    def _commit(self, body: bytes, request: ApiRequest, fault: Fault) -> Handled:
        failed = fault.failed_items
        events = [event for index, event in enumerate(read_events(body)) if index not in failed]
        self._store.commit(events)
        accepted = Answer(204, (("X-Request-Id", request.request_id),))
        scripted = fault.answer(request.request_id) if fault.accepts else None
        return Handled(scripted or accepted, committed=True)


def present(body: bytes | None) -> bytes:
    """Give a body that was not too large.

    :raises Refusal: 413.
    """
    if body is None:
        raise Refusal("parameter_invalid_format", "the body is too large", status=413)
    return body
