"""Scripted faults: what goes wrong with the next requests, one entry each, in order.

An entry is an object with any of the keys below; `{}` is normal handling.

`status`   the HTTP status of the answer, 200 to 599
`code`     the problem's code; without `status`, the contract's table gives the status
`headers`  headers of the answer; the sandbox adds Content-Type and X-Request-Id where they are missing,
           and nothing else: a `Retry-After` is sent where the script has one
`body`     a string is sent as it is, any other value as JSON; an error status without it gets a problem
           body. A 2xx body whose `errors[]` name items has these items failed, the rest committed.
`delay`    seconds before the answer (or the reset)
`reset`    "before" or "after" the commit: the TCP connection is reset and nothing is answered
`hang`     true: nothing is answered until the client goes or the sandbox stops
`commit`   whether the request goes through normal handling first; by default it does for a 2xx status,
           for a `reset` "after" and for a mere `delay`, not for another status, a hang or a `reset` "before"
`fresh`    true: for requests only whose `Idempotency-Key` is new; one that stands for a committed request
           gets its first answer again, as from a server that keeps the contract
`times`    so many requests get this entry; default 1

A commit comes before the delay: a client that gives up and tries again meets the key of a committed request.
While the client still waits, its key counts as running (409 `idempotency_in_progress`). What is answered
without a commit leaves no trace in the idempotency memory, as if a proxy in front had answered. A script
cannot make a bad request good: where normal handling refuses, a scripted 2xx gives way to the refusal.
"""

from __future__ import annotations

import json
import math
import re
import threading
from collections import deque
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from spotzee_logging.errors import InvalidSettings
from spotzee_logging.sandbox.bell import Bell
from spotzee_logging.sandbox.problems import PROBLEM_TYPE, STATUS_OF_CODE, Answer, Refusal, code_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

MAX_ENTRIES: Final = 10_000
MAX_DELAY_SECONDS: Final = 24 * 60 * 60

_TOO_MANY: Final = f"the faults must be at most {MAX_ENTRIES}; say `times` for repetitions"
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[!-~\x80-\xff]([ \t!-~\x80-\xff]*[!-~\x80-\xff])?|")
_FRAMING: Final = frozenset({"content-length", "transfer-encoding"})
_ITEM: Final = re.compile(r"\[?(\d{1,9})", re.ASCII)
_BODILESS: Final = frozenset({204, 304})


@dataclass(frozen=True, slots=True)
class Fault:
    """One entry of a script, validated. `given` is the entry as it was written, without `times`."""

    given: Mapping[str, Any] = field(default_factory=dict)
    times: int = 1

    @property
    def status(self) -> int | None:
        """The status of the scripted answer; None where nothing is scripted about it."""
        code = self.given.get("code")
        status: int | None = self.given.get("status", STATUS_OF_CODE.get(code) if code else None)
        return status

    @property
    def delay_seconds(self) -> float:
        """How long the client waits, after the commit."""
        return float(self.given.get("delay", 0))

    @property
    def resets(self) -> bool:
        """Whether the connection is reset in the place of an answer."""
        return "reset" in self.given

    @property
    def hangs(self) -> bool:
        """Whether the client waits for ever."""
        return bool(self.given.get("hang"))

    @property
    def is_for_new_keys(self) -> bool:
        """Whether a request whose key is known gets normal handling in its place."""
        return bool(self.given.get("fresh"))

    @property
    def accepts(self) -> bool:
        """Whether it scripts the answer to a request that normal handling accepts."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def commits(self) -> bool:
        """Whether the request goes through normal handling."""
        if self.resets:
            return bool(self.given["reset"] == "after")
        default = self.accepts if self.status is not None else not self.hangs
        return bool(self.given.get("commit", default))

    @property
    def failed_items(self) -> frozenset[int]:
        """The items that a scripted 2xx body names as failed."""
        body = self.given.get("body")
        errors = body.get("errors") if self.accepts and isinstance(body, dict) else None
        items = [item for item in errors if isinstance(item, dict)] if isinstance(errors, list) else []
        matches = [_ITEM.match(str(item.get("param"))) for item in items]
        return frozenset(int(match[1]) for match in matches if match)

    def answer(self, request_id: str) -> Answer | None:
        """Make the scripted answer; None where the entry has no status."""
        if self.status is None:
            return None
        headers = tuple((name, str(value)) for name, value in self.given.get("headers", {}).items())
        if "body" not in self.given:
            plain = self._plain(request_id)
            return Answer(plain.status, headers, plain.body, plain.code).with_headers(*plain.headers)
        content_type, body = _encoded(self.given["body"], is_problem=self.status >= 400)
        answer = Answer(self.status, headers, body, self._code())
        return answer.with_headers(("Content-Type", content_type), ("X-Request-Id", request_id))

    def _plain(self, request_id: str) -> Answer:
        """Make the answer of a status without a body of its own."""
        status = self.status or 204
        if status < 400:
            return Answer(status, (("X-Request-Id", request_id),))
        code = self.given.get("code") or code_of(status)
        return Refusal(code, "scripted by the sandbox", status=status).answer(request_id)

    def _code(self) -> str | None:
        body = self.given["body"]
        code = body.get("code") if isinstance(body, dict) else None
        return code if isinstance(code, str) else self.given.get("code")

    def as_json(self) -> dict[str, Any]:
        """Give the entry as it is written in a script."""
        return {**self.given, **({"times": self.times} if self.times > 1 else {})}


def _encoded(body: Any, *, is_problem: bool) -> tuple[str, bytes]:
    if isinstance(body, str):
        return "text/plain; charset=utf-8", body.encode()
    return PROBLEM_TYPE if is_problem else "application/json", json.dumps(body).encode()


class FaultScript:
    """The faults that are left. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: deque[Fault] = deque()
        self.bell = Bell()

    def replace(self, script: Any) -> None:
        """Put a new script in the place of what was left.

        :raises InvalidSettings: (a ValueError) naming the entry and what is wrong with it; what was left
            stays.
        """
        faults = read_script(script)
        with self._lock:
            self._left = deque(faults)
        self.bell.ring()

    def extend(self, script: Any) -> None:
        """Put a script behind what is left.

        :raises InvalidSettings: as `replace` does, and where that would be too many entries.
        """
        faults = read_script(script)
        with self._lock:
            if len(self._left) + len(faults) > MAX_ENTRIES:
                raise InvalidSettings(_TOO_MANY)
            self._left.extend(faults)
        self.bell.ring()

    def take(self) -> Fault | None:
        """Use up the next entry once; None where the script has ended."""
        with self._lock:
            if not self._left:
                return None
            fault = self._left.popleft()
            if fault.times > 1:
                self._left.appendleft(replace(fault, times=fault.times - 1))
        self.bell.ring()
        return replace(fault, times=1)

    def left(self) -> list[dict[str, Any]]:
        """Give what is left, as a script."""
        with self._lock:
            return [deepcopy(fault.as_json()) for fault in self._left]


def read_script(script: Any) -> list[Fault]:
    """Validate a script.

    :raises InvalidSettings: (a ValueError) naming the entry and what is wrong with it.
    """
    if not isinstance(script, list):
        raise InvalidSettings("the faults must be a list of objects, one for each of the next requests")
    if len(script) > MAX_ENTRIES:
        raise InvalidSettings(_TOO_MANY)
    return [_read_fault(index, entry) for index, entry in enumerate(script)]


def _read_fault(index: int, entry: Any) -> Fault:
    if not isinstance(entry, dict):
        raise InvalidSettings(f"faults[{index}] must be an object, {{}} for normal handling")
    for key, value in entry.items():
        if key not in _RULES:
            raise InvalidSettings(f"faults[{index}] has an unknown key; known: {', '.join(_RULES)}")
        holds, rule = _RULES[key]
        if not holds(value):
            raise InvalidSettings(f"faults[{index}].{key} must be {rule}")
    for wrong, remedy in _contradictions(entry):
        if wrong:
            raise InvalidSettings(f"faults[{index}]: {remedy}")
    # Through JSON, so that later changes by the caller change nothing here.
    given = json.loads(json.dumps({key: value for key, value in entry.items() if key != "times"}))
    return Fault(given, entry.get("times", 1))


def _contradictions(entry: Mapping[str, Any]) -> Iterable[tuple[bool, str]]:
    answers = entry.keys() & {"status", "code", "headers", "body"}
    silent = "reset" in entry or bool(entry.get("hang"))
    status = entry.get("status", STATUS_OF_CODE.get(entry.get("code", "")))
    yield "reset" in entry and bool(entry.get("hang")), "`reset` and `hang` exclude each other"
    yield silent and bool(answers), "`reset` and `hang` answer nothing: leave out status, code, headers, body"
    yield "reset" in entry and "commit" in entry, "`reset` says by itself whether it comes after the commit"
    yield bool(answers) and status is None, "headers, body and a code of its own need a `status`"
    answered = bool(answers) or silent or entry.get("commit", True)
    yield not answered, "`commit` false needs a `status` to answer with"
    yield "body" in entry and status in _BODILESS, "an answer with this status has no body"


def _is_integer(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_delay(value: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and 0 <= value <= MAX_DELAY_SECONDS


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _are_headers(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_header(name, text) for name, text in value.items())


def _is_header(name: Any, value: Any) -> bool:
    is_name = isinstance(name, str) and bool(_TOKEN.fullmatch(name)) and name.lower() not in _FRAMING
    is_text = isinstance(value, (str, int)) and not isinstance(value, bool)
    return is_name and is_text and bool(_VALUE.fullmatch(str(value)))


_RULES: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    "status": (lambda value: _is_integer(value, 200, 599), "an integer from 200 to 599"),
    "code": (lambda value: isinstance(value, str) and value != "" and _is_json(value), "a string"),
    "headers": (_are_headers, "an object of header names and their values, without Content-Length"),
    "body": (_is_json, "a string or another JSON value"),
    "delay": (_is_delay, f"a number of seconds from 0 to {MAX_DELAY_SECONDS}"),
    "reset": (lambda value: isinstance(value, str) and value in {"before", "after"}, '"before" or "after"'),
    "hang": (lambda value: isinstance(value, bool), "true or false"),
    "commit": (lambda value: isinstance(value, bool), "true or false"),
    "fresh": (lambda value: isinstance(value, bool), "true or false"),
    "times": (lambda value: _is_integer(value, 1, 2**53), "an integer of at least 1"),
}
