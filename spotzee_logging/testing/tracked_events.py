"""The events that the code under test tracked, and assertions about them that say what is different."""

from __future__ import annotations

import collections
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from spotzee_logging.errors import InvalidEvent, did_you_mean
from spotzee_logging.event import Event, describe, fields_of
from spotzee_logging.plain_values import plain

_MOST_CANDIDATES: Final = 3
_ABSENT: Final = object()


class TrackedEvents(list[Event]):
    """Events in the order they were tracked, each as it would be sent by a handler with default settings.

    `invalid` holds the errors of those that broke a rule of the API: each was raised at its call, where the code
    under test may have caught it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.invalid: list[InvalidEvent] = []

    def named(self, name: str) -> list[Event]:
        """Those of one name. Never raises."""
        return [event for event in self if event.name == name]

    def assert_tracked(  # noqa: PLR0913  an event's fields, each optional
        self,
        name: str,
        /,
        *,
        external_id: str | None = None,
        anonymous_id: str | None = None,
        data: Mapping[str, Any] | None = None,
        user: Mapping[str, Any] | None = None,
        times: int | None = None,
    ) -> Event:
        """Give the first event that has this name and these fields; what is not given may be anything.

        :param data: a part of the event's data: what it names must be so, at any depth, and other keys may be
            there. Values are compared as they are sent (a Decimal as its number); `pytest.approx` and
            `unittest.mock.ANY` stand for what they stand for elsewhere.
        :param user: the same of its profile fields.
        :param times: how many such events there must be; None: one or more.

        Raises AssertionError, with the closest events and what is different about each, field by field.
        """
        __tracebackhide__ = True
        wanted = _Wanted(name, external_id, anonymous_id, data, user)
        found = [event for event in self if not wanted.differences(event)]
        if len(found) != times if times is not None else not found:
            raise AssertionError(_explained(self, wanted, len(found), times))
        return found[0] if found else Event(name)

    def assert_not_tracked(
        self,
        name: str,
        /,
        *,
        external_id: str | None = None,
        anonymous_id: str | None = None,
        data: Mapping[str, Any] | None = None,
        user: Mapping[str, Any] | None = None,
    ) -> None:
        """No event has this name and these fields. Raises AssertionError, with the first that has."""
        __tracebackhide__ = True
        wanted = _Wanted(name, external_id, anonymous_id, data, user)
        for event in self:
            if not wanted.differences(event):
                raise AssertionError(f"{describe(fields_of(event))} was tracked: {event!r}")


class _Difference(NamedTuple):
    """One field that is not as it was wanted."""

    path: str
    expected: Any
    actual: Any

    def __str__(self) -> str:
        actual = "it is not there" if self.actual is _ABSENT else f"got {self.actual!r}"
        return f"{self.path}: expected {self.expected!r}, {actual}"


class _Wanted(NamedTuple):
    """The fields that an assertion names."""

    name: str
    external_id: str | None
    anonymous_id: str | None
    data: Mapping[str, Any] | None
    user: Mapping[str, Any] | None

    def differences(self, event: Event) -> list[_Difference]:
        wanted = {field: value for field, value in self._asdict().items() if value is not None}
        return list(_differences("", wanted, fields_of(event)))


def _differences(path: str, expected: Any, actual: Any) -> Iterator[_Difference]:
    """What of `expected` is not so in `actual`; a mapping is a part of another, a list is a whole one."""
    if isinstance(expected, Mapping) and expected and actual is _ABSENT:
        actual = {}  # each of its fields is missing, which tells more, and weighs as much as it should
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        for key, value in _plain_keys(expected).items():
            yield from _differences(f"{path}.{key}".lstrip("."), value, actual.get(key, _ABSENT))
    elif _is_list(expected) and isinstance(actual, list) and len(expected) == len(actual):
        for index, (wanted, got) in enumerate(zip(expected, actual, strict=True)):
            yield from _differences(f"{path}[{index}]", wanted, got)
    elif not _is_same(expected, actual):
        yield _Difference(path, expected, actual)


def _plain_keys(expected: Mapping[Any, Any]) -> dict[str, Any]:
    """The same values under the keys that JSON has for them."""
    return {
        key if isinstance(key, str) else next(iter(plain({key: None}))): expected[key] for key in expected
    }


def _is_list(expected: Any) -> bool:
    return isinstance(expected, Sequence) and not isinstance(expected, (str, bytes, bytearray))


def _is_same(expected: Any, actual: Any) -> bool:
    if actual is _ABSENT:
        return False
    # True is 1 to Python, and not to those who read the events.
    if isinstance(expected, bool) is not isinstance(actual, bool) and isinstance(expected, (int, float)):
        return False
    return bool(expected == actual) or plain(expected) == actual


def _explained(events: TrackedEvents, wanted: _Wanted, found: int, times: int | None) -> str:
    if found:
        return f"event {wanted.name!r} was tracked so {found} times, and not {times}"
    named = events.named(wanted.name)
    if not named:
        told = _told_of_others(events, wanted.name)
    else:
        ranked = sorted(
            ((wanted.differences(event), event) for event in named), key=lambda pair: len(pair[0])
        )
        closest = [_told(event, differences) for differences, event in ranked[:_MOST_CANDIDATES]]
        of = f"; the closest {len(closest)} of {len(named)}" if len(named) > len(closest) else ""
        told = f"event {wanted.name!r} was tracked, but not so{of}:\n" + "\n".join(closest)
    invalid = "".join(f"\ninvalid, and so not tracked: {error}" for error in events.invalid)
    return told + invalid


def _told(event: Event, differences: list[_Difference]) -> str:
    return "\n".join([f"  {describe(fields_of(event))}", *(f"    {each}" for each in differences)])


def _told_of_others(events: TrackedEvents, name: str) -> str:
    if not events:
        return f"event {name!r} was not tracked, nor was any other"
    counts = collections.Counter(event.name for event in events)
    others = ", ".join(f"{each} ({count})" if count > 1 else each for each, count in counts.items())
    return f"event {name!r} was not tracked.{did_you_mean(name, counts)} Tracked were: {others}"
