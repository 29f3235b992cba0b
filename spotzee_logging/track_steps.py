"""Coroutines and generators that tell when they end, and are in all else the ones that they stand for.

Not wrapt's proxies: those have every special method there is, and a server that asks a generator for its
length, because it has `__len__`, gets an error where it would have got none. Not functions that
`yield from` the original either: frames, `gi_yieldfrom` and what `close()` returns would be theirs.
"""

from __future__ import annotations

from collections.abc import Awaitable
from time import perf_counter
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any

from spotzee_logging.track_call import Call
from spotzee_logging.track_plan import Plan


class _Watched:
    """The original, and the call that it is; the event is logged once, when the body has ended.

    What never began was no call, and makes no event. The clock runs from the first step of the body.
    """

    __slots__ = ("__weakref__", "__wrapped__", "_call", "_has_begun", "_plan")

    def __init__(self, original: Any, plan: Plan, call: Call | None) -> None:
        self.__wrapped__ = original
        self._plan = plan
        self._call = call
        self._has_begun = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__wrapped__, name)

    def __repr__(self) -> str:
        return repr(self.__wrapped__)

    def __dir__(self) -> list[str]:
        return dir(self.__wrapped__)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__wrapped__.__reduce_ex__(protocol)  # which refuses, as for any generator

    def _begin(self) -> None:
        if not self._has_begun:
            self._has_begun = True
            if self._call is not None:
                self._call.started = perf_counter()

    def _returned(self, outcome: Any) -> None:
        call, self._call = self._call, None
        if call is not None and self._has_begun:
            self._plan.returned(call, outcome)

    def _raised(self, error: BaseException) -> None:
        call, self._call = self._call, None
        if call is not None and self._has_begun:
            self._plan.raised(call, error)


class _Stepped(_Watched):
    """What coroutines and generators have in common."""

    __slots__ = ()

    def _has_ended(self) -> bool:
        raise NotImplementedError

    def _closed(self, outcome: Any) -> None:
        raise NotImplementedError

    # One method for `send` and `__next__`: if one called the other, both would stand in every traceback.
    def send(self, value: Any = None) -> Any:
        __tracebackhide__ = True
        if value is None:  # the first step can send nothing else
            self._begin()
        try:
            return self.__wrapped__.send(value)
        except StopIteration as stop:
            self._returned(stop.value)
            raise
        except BaseException as error:
            self._failed(error)
            raise

    def throw(self, *exception: Any) -> Any:
        __tracebackhide__ = True
        try:
            return self.__wrapped__.throw(*exception)
        except StopIteration as stop:
            self._returned(stop.value)
            raise
        except BaseException as error:
            self._failed(error)
            raise

    def close(self) -> Any:
        __tracebackhide__ = True
        try:
            outcome = self.__wrapped__.close()
        except BaseException as error:
            self._failed(error)
            raise
        self._closed(outcome)
        return outcome

    def __del__(self) -> None:
        # A `break` leaves a generator to be closed by whoever frees it: by us, who are freed first.
        if self._has_begun and self._call is not None:
            self.close()

    def _failed(self, error: BaseException) -> None:
        # An exception that leaves no body, as for a value sent too early, has not ended it.
        if not self._has_ended():
            return
        if isinstance(error, GeneratorExit):
            self._closed(None)
        else:
            self._raised(error)


class WatchedGenerator(_Stepped):
    """A generator of a tracked function."""

    __slots__ = ()
    __class__ = property(lambda _: GeneratorType)  # pyright: ignore[reportIncompatibleMethodOverride]  isinstance asks

    def __iter__(self) -> WatchedGenerator:
        return self

    __next__ = _Stepped.send

    def _has_ended(self) -> bool:
        return self.__wrapped__.gi_frame is None

    def _closed(self, outcome: Any) -> None:
        self._returned(outcome)


class _CoroutineSteps(_Stepped):
    """The steps of a coroutine. Closed early it has not done its work: that is no return."""

    __slots__ = ()

    def _has_ended(self) -> bool:
        return self.__wrapped__.cr_frame is None

    def _closed(self, outcome: Any) -> None:  # noqa: ARG002  a coroutine's close() has none
        self._raised(GeneratorExit())


class WatchedCoroutine(_CoroutineSteps):
    """A coroutine of a tracked function."""

    __slots__ = ()
    __class__ = property(lambda _: CoroutineType)  # pyright: ignore[reportIncompatibleMethodOverride]  isinstance asks

    def __await__(self) -> _Awaited:
        call, self._call = self._call, None
        return _Awaited(self.__wrapped__, self._plan, call)


class _Awaited(_CoroutineSteps):
    """The iterator behind `await`, which a coroutine is not itself."""

    __slots__ = ()

    def __iter__(self) -> _Awaited:
        return self

    __next__ = _Stepped.send


class WatchedAsyncGenerator(_Watched):
    """An async generator of a tracked function."""

    __slots__ = ()
    __class__ = property(lambda _: AsyncGeneratorType)  # pyright: ignore[reportIncompatibleMethodOverride]  isinstance asks

    def __aiter__(self) -> WatchedAsyncGenerator:
        return self

    def __anext__(self) -> Awaitable[Any]:
        return self._step(self.__wrapped__.__anext__())

    def asend(self, value: Any) -> Awaitable[Any]:
        return self._step(self.__wrapped__.asend(value), begins=value is None)

    def athrow(self, *exception: Any) -> Awaitable[Any]:
        return self._step(self.__wrapped__.athrow(*exception), begins=False)

    def aclose(self) -> Awaitable[None]:
        return self._step(self.__wrapped__.aclose(), begins=False)

    def __del__(self) -> None:
        # The event loop closes the original soon after; nobody will tell us how that went.
        self._returned(None)

    async def _step(self, step: Awaitable[Any], *, begins: bool = True) -> Any:
        __tracebackhide__ = True
        if begins:
            self._begin()
        try:
            value = await step
        except (StopAsyncIteration, GeneratorExit):
            if self.__wrapped__.ag_frame is None:
                self._returned(None)
            raise
        except BaseException as error:
            if self.__wrapped__.ag_frame is None:
                self._raised(error)
            raise
        if self.__wrapped__.ag_frame is None:
            self._returned(None)
        return value
