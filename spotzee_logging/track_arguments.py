"""Where each argument of a function sits in a call, worked out once, when the function is decorated."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any

from spotzee_logging.errors import did_you_mean
from spotzee_logging.foreign import attempt
from spotzee_logging.markers import MISSING

Arguments = tuple[tuple[Any, ...], dict[str, Any]]
ReadArgument = Callable[[tuple[Any, ...], dict[str, Any]], Any]

if sys.version_info >= (3, 14):
    import annotationlib


class Layout:
    """The parameters of one function, with a way to read each from a call's `args` and `kwargs`.

    `signature` is that of the unbound function: `self` or `cls` is its first parameter, and the first of
    the `args` read. None: a function that does not tell (some of C's); only keywords can be read then.
    """

    def __init__(self, signature: inspect.Signature | None) -> None:
        self._parameters = {} if signature is None else dict(signature.parameters)
        self._is_open = signature is None
        self._named = frozenset(
            name
            for name, parameter in self._parameters.items()
            if parameter.kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        )

    def reader(self, name: str, function_name: str) -> ReadArgument:
        """How to read the argument `name`; a default counts as given. Raises TypeError for none."""
        parameter = self._parameters.get(name)
        if parameter is not None:
            return self._reader_of(parameter)
        if self._is_open or self._takes(inspect.Parameter.VAR_KEYWORD):
            return _keyword_reader(name, MISSING)
        listed = ", ".join(self._parameters) or "none"
        raise TypeError(
            f"track: {function_name} has no parameter {name!r}; it has {listed}."
            f"{did_you_mean(name, self._parameters)} Name one of them in arg."
        )

    def read_all(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Mapping[str, Any]:
        """Every argument of a call by its name, defaults among them."""
        read = {name: self._reader_of(each)(args, kwargs) for name, each in self._parameters.items()}
        return {name: value for name, value in read.items() if value is not MISSING}

    def _takes(self, kind: Any) -> bool:
        return any(parameter.kind is kind for parameter in self._parameters.values())

    def _reader_of(self, parameter: inspect.Parameter) -> ReadArgument:
        default = MISSING if parameter.default is parameter.empty else parameter.default
        if parameter.kind is parameter.KEYWORD_ONLY:
            return _keyword_reader(parameter.name, default)
        if parameter.kind is parameter.VAR_KEYWORD:
            return self._rest_reader()
        place = list(self._parameters).index(parameter.name)
        if parameter.kind is parameter.VAR_POSITIONAL:
            return lambda args, _: args[place:]
        if parameter.kind is parameter.POSITIONAL_ONLY:
            return lambda args, _: args[place] if len(args) > place else default
        return _place_reader(place, parameter.name, default)

    def _rest_reader(self) -> ReadArgument:
        named = self._named
        return lambda _, kwargs: {key: value for key, value in kwargs.items() if key not in named}


def signature_of(function: Any) -> inspect.Signature | None:
    """The signature of what is decorated, `self` or `cls` included; None where it does not tell.

    A bound method's and a classmethod's is that of the function beneath.
    """
    if isinstance(function, (classmethod, staticmethod)) or inspect.ismethod(function):
        function = function.__func__
    elif isinstance(function, (functools.partialmethod, functools.singledispatchmethod)):
        function = function.__get__(None, object)
    return attempt(_signature, function)[0]


def _signature(function: Any) -> inspect.Signature:
    if sys.version_info >= (3, 14):
        # As text: annotations are evaluated late from there on, and may name what only type checkers import.
        return inspect.signature(function, annotation_format=annotationlib.Format.STRING)
    return inspect.signature(function)


def _keyword_reader(name: str, default: Any) -> ReadArgument:
    return lambda _, kwargs: kwargs.get(name, default)


def _place_reader(place: int, name: str, default: Any) -> ReadArgument:
    def read(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return args[place] if len(args) > place else kwargs.get(name, default)

    return read
