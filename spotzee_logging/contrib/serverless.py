"""For functions as a service: deliver at the end of each invocation, for the process is frozen after it.

from spotzee_logging.contrib.serverless import flushing

@flushing(timeout=2.0)
def handler(event, context): ...
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Final, ParamSpec, TypeVar, cast

from spotzee_logging import lifecycle
from spotzee_logging.diagnostics import Diagnostics
from spotzee_logging.errors import InvalidSettings
from spotzee_logging.foreign import is_async, is_generator

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_diagnostics: Final = Diagnostics()


class flushing:  # noqa: N801  used as contextlib's are
    """Flush every handler at the end of a function or block, however it ends.

    :param timeout: the longest to wait, in seconds; None: the longest `shutdown_timeout_seconds` of the
        handlers. Keep it below what the platform leaves of the invocation.

    As a decorator, `@flushing(timeout=2.0)`, it takes functions and coroutine functions; as a block,
    `with flushing():` or, in a coroutine, `async with flushing():`. A coroutine waits on a thread, and its event
    loop goes on meanwhile. What the body returns or raises is left as it is.

    What cannot be delivered in time stays pending for the next invocation, and a line a minute says so.
    Raises `InvalidSettings` where it decorates a generator function, whose body runs after the call; flushing
    itself never raises.
    """

    def __init__(self, *, timeout: float | None = None) -> None:
        self._timeout = timeout

    def __enter__(self) -> None:
        """Nothing: all is done at the end."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._flush()

    async def __aenter__(self) -> None:
        """Nothing: all is done at the end."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await beside_the_loop(self._flush)

    def __call__(self, function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        """The function, flushing at its end."""
        if is_generator(function):
            raise InvalidSettings(
                f"flushing decorates functions and coroutine functions, not {function!r}. "
                "Inside a generator write: with flushing(): ..."
            )
        if is_async(function):
            return cast("Callable[Parameters, Result]", self._around_coroutines(function))

        @functools.wraps(function)
        def flushed(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            with self:
                return function(*args, **kwargs)

        return flushed

    def _around_coroutines(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        async def flushed(*args: Any, **kwargs: Any) -> Any:
            async with self:
                return await function(*args, **kwargs)

        return flushed

    def _flush(self) -> None:
        if not lifecycle.flush_all(self._timeout):
            _diagnostics.say(
                "flushing",
                logging.WARNING,
                "an invocation ended with events pending, which wait for the next one. "
                "Raise the timeout of flushing, or see in stats().last_error why delivery takes so long.",
            )


async def beside_the_loop(flush: Callable[[], None]) -> None:
    """Wait for `flush` on a thread, while the event loop goes on."""
    import asyncio  # noqa: PLC0415  only programs that have it already come here

    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        flush()  # another library's loop, which offers nothing to wait by
        return
    # Its own executor: the loop's may be full of what the invocation has left running.
    executor = ThreadPoolExecutor(1, "spotzee_logging_flushing")
    try:
        await loop.run_in_executor(executor, flush)
    finally:
        executor.shutdown(wait=False)
