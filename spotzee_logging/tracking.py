"""`track`: a call of a function, or a run of a block, becomes an event."""

from __future__ import annotations

import enum
import functools
import logging
import sys
from collections.abc import Callable, Coroutine, Mapping
from types import FrameType, FunctionType, TracebackType
from typing import Any, Final, Literal, TypeVar, cast, overload

from spotzee_logging import late
from spotzee_logging.errors import InvalidSettings, did_you_mean
from spotzee_logging.event import UserFields
from spotzee_logging.foreign import is_async
from spotzee_logging.markers import Marker, arg, elapsed, error, result
from spotzee_logging.setting_kinds import level_of
from spotzee_logging.track_arguments import Layout, signature_of
from spotzee_logging.track_block import Block, BlockTemplate, Draft, OpenBlocks
from spotzee_logging.track_call import Call
from spotzee_logging.track_plan import Ends, Plan
from spotzee_logging.track_road import Road, place_of_block, place_of_function
from spotzee_logging.track_template import Template

__all__ = ["Call", "Draft", "Tracking", "arg", "elapsed", "error", "result", "track"]

# The decorated function is typed as what it was, whatever that is: nothing of it changes.
Function = TypeVar(
    "Function", bound="Callable[..., Any] | classmethod[Any, Any, Any] | staticmethod[Any, Any]"
)
Value = TypeVar("Value")
Id = str | Marker | Callable[[Call], str | None] | None
Data = Mapping[str, Any] | Marker | Callable[[Call], Mapping[str, Any] | None] | None
User = UserFields | Mapping[str, Any] | Marker | Callable[[Call], Mapping[str, Any] | None] | None
On = Literal["return", "raise", "both"]
When = Callable[[Call], object]

_ENDS: Final = ("return", "raise", "both")
# Python makes these classmethods itself, where they are functions, and what stands for one is none.
_IMPLICIT_CLASSMETHODS: Final = ("__init_subclass__", "__class_getitem__")
_BINDERS: Final = (classmethod, staticmethod, functools.partialmethod, functools.singledispatchmethod)


class Tracking:
    """What `track(...)` gives: a decorator, and a context manager for `with` and `async with`."""

    def __init__(
        self, name: str | None, fields: Mapping[str, Any], ends: Ends, logger: Any, level: int
    ) -> None:
        self._name = name
        self._fields = fields
        self._ends = ends
        self._logger = logger
        self._level = level
        self._blocks = OpenBlocks()
        self._block_template: BlockTemplate | None = None

    def __call__(self, function: Function, /) -> Function:
        """Track the calls of `function`. Raises TypeError where it cannot be, or a marker names nothing."""
        if not _can_be_tracked(function):
            raise TypeError(
                f"track decorates functions, methods and classes, got {type(function).__name__}. "
                "With a property, put @track below @property."
            )
        _refuse_exceptions_and_enums(function)
        if isinstance(function, FunctionType) and function.__name__ in _IMPLICIT_CLASSMETHODS:
            function = cast("Function", classmethod(function))
        # wrapt brings asyncio with it: it enters with the first function that is tracked, not before.
        track_wrapt: Any = late.module("spotzee_logging.track_wrapt")
        tracked: Any = track_wrapt.wrap(function, self._plan(function), self)
        return tracked  # type: ignore[no-any-return]  # it stands for the function

    def __enter__(self) -> Draft:
        return self._enter(sys._getframe(1))  # noqa: SLF001  the record's line is the caller's

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._blocks.pop(sys._getframe(1)).end(error)  # noqa: SLF001  the frame that it was entered in

    # Not `async def`: its frame would stand between us and the caller's.
    def __aenter__(self) -> Coroutine[Any, Any, Draft]:
        return _ready(self._enter(sys._getframe(1)))  # noqa: SLF001

    def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Coroutine[Any, Any, None]:
        self._blocks.pop(sys._getframe(1)).end(error)  # noqa: SLF001
        return _ready(None)

    def _plan(self, function: Any) -> Plan:
        place = place_of_function(function)
        layout = Layout(signature_of(function))
        template = Template(self._name or place.function_name, self._fields, layout, place.function_name)
        return Plan(template, layout, self._ends, Road(self._logger, self._level, place))

    def _enter(self, caller: FrameType) -> Draft:
        if self._name is None:
            raise TypeError('track: a block has no name to default to. Name its event: with track("...").')
        if self._block_template is None:
            self._block_template = BlockTemplate(self._name, self._fields)
        road = Road(self._logger, self._level, place_of_block(caller))
        block = Block(self._block_template, self._ends, road, caller)
        self._blocks.push(block)
        return block.draft


@overload
def track(name: Function, /) -> Function: ...
@overload
def track(
    name: str | None = None,
    *,
    external_id: Id = None,
    anonymous_id: Id = None,
    data: Data = None,
    user: User = None,
    on: On = "return",
    when: When | None = None,
    logger: logging.Logger | str | None = None,
    level: int | str = logging.INFO,
) -> Tracking: ...
def track(  # noqa: PLR0913  an event's fields, and when and where it is logged
    name: Any = None,
    *,
    external_id: Any = None,
    anonymous_id: Any = None,
    data: Any = None,
    user: Any = None,
    on: str = "return",
    when: When | None = None,
    logger: logging.Logger | str | None = None,
    level: int | str = logging.INFO,
) -> Any:
    """Make an event of each call of a function, or of a block; a decorator, and a context manager.

    :param name: the event's name; None: the function's. Alone, as in `@track`, it is the function itself.
    :param external_id: the contact's id in your system. Where an id is named, the event takes none from
        the contact (see `contact`), and one that is not found at the call makes the event invalid.
    :param anonymous_id: the contact's id from before it was known.
    :param data: the event's payload.
    :param user: profile fields applied with the event (see `UserFields`).
    :param on: which ends of a call make an event: `"return"`, `"raise"` or `"both"`. Every exception that
        leaves the body counts, `CancelledError` and `KeyboardInterrupt` too; a generator's early end
        (`close()`, a `break`) is a return.
    :param when: a predicate over the call; None: every call. One that raises makes no event.
    :param logger: the logger, or its name; None: that of the function's module.
    :param level: the record's level, a number or a name. SpotzeeHandlers get it at any, others as usual.

    Values are constants, markers (`arg`, `result`, `error`, `elapsed`), or callables, which get the `Call`,
    also inside dicts and lists. Arguments are read before the call, all else after it. What is not found is
    left out. The contact is the one that was bound where the call began.

    A coroutine's or generator's call runs from its first step to its end; one that never starts is none.
    A tracked class is found no longer as itself by pickle, `match` and `type(...) is`, and its subclasses make no
    event: track its `__init__` where that matters, as it does with exceptions, which are refused as enums are.

    Raises TypeError or ValueError where it is used wrongly, never at a call, unless a handler is `strict`. A value that
    breaks a rule of the API, a constant too, is said of each event.

    >>> @track("order_placed", external_id=arg.customer, data={"order_id": result["id"], "seconds": elapsed})
    ... def place_order(customer, cart):
    ...     return {"id": "ord_42"}
    """
    fields = {"external_id": external_id, "anonymous_id": anonymous_id, "data": data, "user": user}
    is_bare = _can_be_tracked(name)
    event_name = None if is_bare else _valid_name(name)
    tracking = Tracking(event_name, fields, _ends(on, when), _valid_logger(logger), _valid_level(level))
    return tracking(name) if is_bare else tracking


def _can_be_tracked(function: Any) -> bool:
    return not isinstance(function, Marker) and (callable(function) or isinstance(function, _BINDERS))


def _refuse_exceptions_and_enums(function: Any) -> None:
    """What stands for a tracked class is no class to Python itself: `except` and iteration would fail, later."""
    if not isinstance(function, type):
        return
    if issubclass(function, BaseException):
        raise TypeError(
            f"track: no except could catch the exception {function.__name__} any more. Track its __init__ instead."
        )
    if issubclass(function, enum.Enum):
        raise TypeError(
            f"track: {function.__name__} would no longer be an enum, to list or to match. "
            "Track its __init__, for an event of each member, or the function that uses it instead."
        )


def _valid_name(name: Any) -> str | None:
    if not isinstance(name, str | None) or name == "":
        kind = ValueError if isinstance(name, str) else TypeError
        raise kind(f'track: the name must be a text, as in track("order_placed"), got {name!r}.')
    return name


def _ends(on: str, when: Any) -> Ends:
    if on not in _ENDS:
        remedy = did_you_mean(on, _ENDS)
        raise ValueError(f'track: on must be "return", "raise" or "both", got {on!r}.{remedy}')
    if when is not None and (isinstance(when, Marker) or not callable(when)):
        raise TypeError(f"track: when must be a callable, as in when=lambda call: call.result, got {when!r}.")
    if is_async(when):
        raise TypeError("track: when is an async function, which nobody would await. Use a plain one.")
    return Ends(on, when)


def _valid_logger(logger: Any) -> logging.Logger | str | None:
    if logger is None or isinstance(logger, (logging.Logger, str)):
        return logger
    raise TypeError(f"track: logger must be a Logger or its name, got {type(logger).__name__}.")


def _valid_level(level: int | str) -> int:
    try:
        return level_of("level", level)
    except InvalidSettings:
        raise ValueError(f'track: level must be a number or a name like "INFO", got {level!r}.') from None


async def _ready(value: Value) -> Value:
    return value
