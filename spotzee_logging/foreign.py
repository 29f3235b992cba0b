"""Calling code that is not ours: users' hooks, and the `__str__` of any value they log.

Such code may raise anything, and neither the program that logs nor the thread that delivers may
suffer for it. This is the one place that catches everything, so that every other `except` of the
package can name what it expects.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Final, TypeVar

Result = TypeVar("Result")

_ON_THE_WAY: Final = frozenset({"spotzee_logging", "asgiref", "asyncio", "concurrent"})
"""Packages that call foreign code for us: a line of theirs says nothing of it."""


def attempt(function: Callable[..., Result], *arguments: object) -> tuple[Result | None, Exception | None]:
    """Call `function`; give what it returned and None, or None and the exception that it raised.

    `KeyboardInterrupt` and `SystemExit` pass: they are meant for the program, not for us.
    """
    try:
        return function(*arguments), None
    except Exception as error:  # noqa: BLE001  foreign code; see the module's docstring
        return None, error


def guarded(function: Callable[[Any], Any], instead: Any) -> Callable[[Any], Any]:
    """`function` of one argument, which gives `instead` where it raises; exceptions pass as in `attempt`."""

    def call(argument: Any) -> Any:
        try:
            return function(argument)
        except Exception:  # noqa: BLE001  foreign code; see the module's docstring
            return instead

    return call


async def attempt_async(
    function: Callable[..., Awaitable[Result]], *arguments: object
) -> tuple[Result | None, Exception | None]:
    """Await what a coroutine function gives, as `attempt` calls a plain one; `CancelledError` passes too."""
    try:
        return await function(*arguments), None
    except Exception as error:  # noqa: BLE001  foreign code; see the module's docstring
        return None, error


def how_raised(error: BaseException) -> str:
    """In a few words which exception it is, and the line of foreign code that it came through.

    Never its own words: they may hold an event's data.
    """
    said = f"raised {type(error).__name__}"
    trace = error.__traceback__
    while trace is not None and _package_of(trace) in _ON_THE_WAY:
        trace = trace.tb_next
    return said if trace is None else f"{said} ({trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno})"


def _package_of(trace: TracebackType) -> str:
    return str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]


def is_async(function: Any) -> bool:
    """Whether a call gives a coroutine or an async generator: of a function, or of an object with such a `__call__`."""
    return _is_any_of((inspect.iscoroutinefunction, inspect.isasyncgenfunction), function)


def is_generator(function: Any) -> bool:
    """Whether a call gives a generator, async or not."""
    return _is_any_of((inspect.isgeneratorfunction, inspect.isasyncgenfunction), function)


def _is_any_of(kinds: tuple[Callable[[Any], bool], ...], function: Any) -> bool:
    return any(is_kind(each) for is_kind in kinds for each in (function, type(function).__call__))
