"""The wrapper around a tracked function: the one door to wrapt, opened by the first use of `track`."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from types import AsyncGeneratorType, CoroutineType, GeneratorType, MethodType
from typing import Any, Final

import wrapt

from spotzee_logging.track_plan import Plan
from spotzee_logging.track_road import body_of, innermost
from spotzee_logging.track_steps import WatchedAsyncGenerator, WatchedCoroutine, WatchedGenerator

Reduced = str | tuple[Any, ...]
Watch = Callable[[Any, Plan, Any], Any]


def _of_wrapped(name: str) -> Any:
    """An attribute that is the function's own, also where Python would keep one of the wrapper's class.

    From its class any wrapper could get `__annotations__` of its own: the first look at the class's makes
    an empty dict of them, which then stands before what wrapt shows.
    """

    def get(self: Any) -> Any:
        return getattr(self.__wrapped__, name)

    def put(self: Any, value: Any) -> None:
        setattr(self.__wrapped__, name, value)

    return property(get, put)


class BoundTracked(wrapt.BoundFunctionWrapper):  # type: ignore[type-arg]  # not generic when it runs
    """A tracked function that was read from an instance or a class."""

    __annotations__ = _of_wrapped("__annotations__")

    def __new__(cls, *parts: Any) -> Any:
        # WeakMethod puts a method together again by calling its type, as methods allow: function, instance.
        return MethodType(*parts) if len(parts) == 2 else super().__new__(cls)

    @property
    def __func__(self) -> Any:
        # A WeakMethod, and others who keep a method in two parts, must not lose the tracking.
        bound: Any = self.__wrapped__
        function = bound.__func__
        return self._self_parent if self._self_binding == "function" else function

    def __reduce_ex__(self, protocol: Any) -> Reduced:
        return self.__reduce__()

    def __reduce__(self) -> Reduced:
        holder = getattr(self.__wrapped__, "__self__", self._self_owner)
        return getattr, (holder, self.__wrapped__.__name__)

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: dict[int, Any], /) -> Any:
        if not hasattr(self.__wrapped__, "__self__"):
            return self
        bound: Any = self.__wrapped__
        return getattr(copy.deepcopy(bound.__self__, memo), bound.__name__)


class Tracked(wrapt.FunctionWrapper):  # type: ignore[type-arg]  # not generic when it runs
    """A tracked function. It pickles, and is copied, as functions and classes are: by its name."""

    __annotations__ = _of_wrapped("__annotations__")
    __bound_function_wrapper__ = BoundTracked

    def __init__(self, function: Any, around: Callable[..., Any], tracking: Callable[[Any], Any]) -> None:
        super().__init__(function, around)
        self._self_tracking = tracking

    @property
    def __signature__(self) -> inspect.Signature:
        # From Python 3.13 on inspect looks for a class's parameters in its __dict__, and a proxy's is odd.
        if isinstance(self.__wrapped__, type):
            return inspect.signature(self.__wrapped__)
        raise AttributeError("__signature__")

    def __reduce_ex__(self, protocol: Any) -> Reduced:
        return self.__reduce__()

    def __reduce__(self) -> Reduced:
        if hasattr(self.__wrapped__, "__qualname__"):
            return str(self.__wrapped__.__qualname__)
        return _track_again, (self._self_tracking, self.__wrapped__)

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: dict[int, Any], /) -> Any:
        return self


def wrap(function: Any, plan: Plan, tracking: Callable[[Any], Any]) -> Tracked:
    """Put `plan` around the calls of `function`; `tracking` decorates it again where it is unpickled."""
    return Tracked(function, _around(function, plan), tracking)


_WATCHES: Final = (
    (inspect.iscoroutinefunction, CoroutineType, WatchedCoroutine),
    (inspect.isgeneratorfunction, GeneratorType, WatchedGenerator),
    (inspect.isasyncgenfunction, AsyncGeneratorType, WatchedAsyncGenerator),
)


def _watched(function: Any) -> tuple[type | None, Watch]:
    """What the function returns instead of doing its work, by its own word or that of what it wraps."""
    inner = innermost(function)
    runs = body_of(inner)
    for is_kind, kind, watch in _WATCHES:
        if not inspect.isclass(inner) and (is_kind(function) or is_kind(inner) or is_kind(runs)):
            return kind, watch
    return None, WatchedCoroutine


def _around(function: Any, plan: Plan) -> Callable[..., Any]:
    """What wrapt calls in place of the function, with the instance it was bound to, if any."""
    begin, returned, raised = plan.begin, plan.returned, plan.raised
    kind, watch = _watched(function)
    # A method of C holds its instance by itself, and has no parameter for it.
    binds = inspect.ismethod(function) or not hasattr(function, "__self__")

    def around(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        __tracebackhide__ = True
        call = begin((instance, *args) if instance is not None and binds else args, kwargs)
        try:
            outcome = wrapped(*args, **kwargs)
        except BaseException as error:
            raised(call, error)
            del call  # it holds the error, whose traceback holds this frame
            raise
        # A function that only wraps a coroutine function may have run it, and returned a plain value.
        if kind is not None and isinstance(outcome, kind):
            return watch(outcome, plan, call)
        returned(call, outcome)
        return outcome

    return around


def _track_again(tracking: Callable[[Any], Any], function: Any) -> Any:
    return tracking(function)
