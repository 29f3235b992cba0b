"""What `track` was told of the event, compiled once into functions that fill it in at each call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from spotzee_logging.event import Unresolved
from spotzee_logging.foreign import attempt, guarded, is_async
from spotzee_logging.markers import MISSING, Marker, Path, Step, follower, path_of
from spotzee_logging.plain_values import plain
from spotzee_logging.track_arguments import Layout, ReadArgument
from spotzee_logging.track_call import Call
from spotzee_logging.track_diagnostics import say_failure

Fill = Callable[[Call], Any]
Fields = tuple[tuple[str, Fill], ...]

# What nobody can change after the call; anything else is made plain at once, as it is then.
_UNCHANGEABLE: Final = frozenset({str, int, float, bool, type(None), bytes, datetime, date, time, timedelta})


class Template:
    """The fields of a tracked call's event, to be filled in by `fill`.

    `reads` gives the values that `arg` names, in the order that `fill` takes them from the call's `read_before`.

    :param layout: the function's parameters; None around a block, which has no arguments and no result.

    Raises TypeError for a marker that can never be resolved.
    """

    def __init__(
        self, event_name: str, fields: Mapping[str, Any], layout: Layout | None, function_name: str
    ) -> None:
        self.event_name = event_name
        self._layout = layout
        self._function_name = function_name
        self.reads: list[ReadArgument] = []
        self.asks_for_call = False
        self._fields: Fields = tuple(
            (field, self._id(field, value) if field.endswith("_id") else self._fill(field, value))
            for field, value in fields.items()
            if value is not None
        )

    def fill(self, call: Call) -> dict[str, Any]:
        """The event of this call as a new dict, without the fields that were not found. Never raises."""
        tag: dict[str, Any] = {"name": self.event_name}
        for field, fill in self._fields:
            value = fill(call)
            if value is not MISSING:
                tag[field] = value
        return tag

    def _id(self, field: str, value: Any) -> Fill:
        """An id that was named and not found is no text, so that the event's rules refuse it.

        Left out, the event would be taken for one that names no id, and get the contact's.
        """
        fill = self._fill(field, value, is_id=True)
        led = (
            f"{value!r} is None, or leads to nothing"
            if isinstance(value, Marker)
            else "its callable gave none"
        )
        unresolved = Unresolved(f"was not found at the call: {led}")

        def fill_id(call: Call) -> Any:
            found = fill(call)
            return unresolved if found is None or found is MISSING else found

        return fill_id

    def _fill(self, place: str, value: Any, *, is_id: bool = False) -> Fill:
        if isinstance(value, Marker):
            return self._of_path(path_of(value), is_id=is_id)
        if isinstance(value, Mapping):
            return self._of_mapping(place, value)
        if isinstance(value, (list, tuple)):
            return self._of_sequence(place, value)
        if isinstance(value, (set, frozenset)):
            return _of_set(place, value)
        if callable(value):
            self.asks_for_call = True
            return _of_callable(place, value, is_id=is_id)
        return lambda _: value

    def _of_path(self, path: Path, *, is_id: bool) -> Fill:
        if path.root == "arg":
            return self._of_argument(path, is_id=is_id)
        if path.root == "elapsed":
            return lambda call: call.elapsed
        if path.root == "result" and self._layout is None:
            raise TypeError(f"track: a block has no {path}. Put the value into the draft, inside the block.")
        follow = _follower(path.steps, is_id=is_id)
        if path.root == "result":
            return lambda call: follow(call.outcome)
        return lambda call: follow(call.error)

    def _of_argument(self, path: Path, *, is_id: bool) -> Fill:
        if self._layout is None:
            raise TypeError(f"track: a block has no {path}. Put the value itself in its place.")
        if not path.steps or not isinstance(path.steps[0].key, str):
            raise TypeError(f"track: {path} names no argument. Name one, as in arg.order or arg['order'].")
        read = self._layout.reader(path.steps[0].key, self._function_name)
        follow = _follower(path.steps[1:], is_id=is_id)
        place = len(self.reads)
        self.reads.append(lambda args, kwargs: follow(read(args, kwargs)))
        return lambda call: call.read_before[place]

    def _of_mapping(self, place: str, value: Mapping[Any, Any]) -> Fill:
        for key in value:
            if isinstance(key, Marker):
                raise TypeError(f"track: {place} has the marker {key!r} as a key. Markers are for values.")
        fills = [(key, self._fill(f"{place}[{key!r}]", item)) for key, item in value.items()]

        def fill(call: Call) -> dict[Any, Any]:
            made = {}
            for key, fill_item in fills:
                item = fill_item(call)
                if item is not MISSING:
                    made[key] = item
            return made

        return fill

    def _of_sequence(self, place: str, value: list[Any] | tuple[Any, ...]) -> Fill:
        fills = [self._fill(f"{place}[{index}]", item) for index, item in enumerate(value)]

        def fill(call: Call) -> list[Any]:
            return [item for fill_item in fills if (item := fill_item(call)) is not MISSING]

        return fill


def _of_set(place: str, value: set[Any] | frozenset[Any]) -> Fill:
    if any(isinstance(item, Marker) for item in value):
        raise TypeError(f"track: {place} is a set with a marker in it. Use a list: the values may not hash.")
    constant = frozenset(value)
    return lambda _: constant


def _of_callable(place: str, function: Callable[[Call], Any], *, is_id: bool) -> Fill:
    if is_async(function):
        raise TypeError(f"track: {place} is an async function, which nobody would await. Use a plain one.")

    def fill(call: Call) -> Any:
        value, failure = attempt(function, call)
        if failure is not None:
            say_failure(f"the callable for {place}", failure, "the field is left out")
            return MISSING
        return value if is_id else unchangeable(value)

    return fill


def _follower(steps: tuple[Step, ...], *, is_id: bool) -> Callable[[Any], Any]:
    """From a root's value to the path's, as it is now; an id stays what it is, for the rules to judge.

    `MISSING` where that leads to nothing, as it does from `MISSING` itself.
    """
    follow = guarded(follower(steps), MISSING)
    return follow if is_id else lambda root: unchangeable(follow(root))


def unchangeable(value: Any) -> Any:
    """The value as it is now: itself where nobody can change it, else made plain, where it is not too large.

    Never raises. The event of a value that is too large is rejected, as any other.
    """
    return value if type(value) in _UNCHANGEABLE or value is MISSING else plain(value)
