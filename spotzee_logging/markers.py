"""`arg`, `result`, `error` and `elapsed`: paths that are written once and looked up at each call."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final, NamedTuple, NoReturn


class Missing:
    """The type of `MISSING`."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing()
"""What a path gives where it leads to nothing: not None, which is a value like any other."""


class Step(NamedTuple):
    """One step of a path: an attribute's name, or an item's key."""

    key: Any
    is_item: bool

    def __str__(self) -> str:
        return f"[{self.key!r}]" if self.is_item else f".{self.key}"


class Path(NamedTuple):
    """What a marker has recorded: where it starts, and the steps from there."""

    root: str
    steps: tuple[Step, ...] = ()

    def __str__(self) -> str:
        return self.root + "".join(map(str, self.steps))


class Marker:
    """A value that is known only at the call, named by its path (`arg.order.lines[0].sku`).

    Attributes and items of a marker are markers again. Nothing is looked up before the call, and what
    cannot be found then is left out of the event. Anything else that is done with one raises `TypeError`,
    or `AttributeError` for a name like `__this__`: a callable can do it, in the same place.

    >>> arg.order.lines[0].sku
    arg.order.lines[0].sku
    """

    __slots__ = ("_spotzee_path",)
    _spotzee_path: Path

    def __init__(self, path: Path) -> None:
        object.__setattr__(self, "_spotzee_path", path)

    def __getattr__(self, name: str) -> Marker:
        # Copiers, debuggers, doctest and others probe any object for such names, and must not find them.
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(f"{self!r} records no {name}: names with two underscores are Python's own")
        return self._spotzee_step(Step(name, is_item=False))

    def __getitem__(self, key: object) -> Marker:
        if isinstance(key, Marker):
            raise TypeError(f"{self!r} takes no marker as a key. {_use_callable(self)}")
        return self._spotzee_step(Step(key, is_item=True))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{self!r} stands for a value of a later call, and nothing can be set on it")

    def __repr__(self) -> str:
        return str(self._spotzee_path)

    def __reduce__(self) -> tuple[type[Marker], tuple[Path]]:
        return type(self), (self._spotzee_path,)

    def __hash__(self) -> int:
        return object.__hash__(self)

    def __eq__(self, other: object) -> bool:
        return _refuse(self, "compared")

    def __ne__(self, other: object) -> bool:
        return _refuse(self, "compared")

    def __bool__(self) -> bool:
        return _refuse(self, "tested")

    def __str__(self) -> str:
        return _refuse(self, "written into a text")

    def __format__(self, spec: str) -> str:
        return _refuse(self, "written into a text")

    def _spotzee_step(self, step: Step) -> Marker:
        path = self._spotzee_path
        if path.root == "elapsed":
            raise AttributeError(f"elapsed is a number of seconds, and has no {step}. {_use_callable(self)}")
        return Marker(path._replace(steps=(*path.steps, step)))


def _use_callable(marker: Marker) -> str:
    root = marker._spotzee_path.root  # noqa: SLF001  of this module's own class
    value = 'call.arguments["..."]' if root == "arg" else f"call.{root}"
    return f"Put a callable in its place, which gets the call: lambda call: ... {value} ..."


def _refuse(marker: Marker, done: str) -> NoReturn:
    raise TypeError(
        f"{marker!r} has no value before the call, so it cannot be {done}. {_use_callable(marker)}"
    )


def _refusal(done: str) -> Callable[..., NoReturn]:
    def refuse(self: Marker, *_: object, **__: object) -> NoReturn:
        _refuse(self, done)

    return refuse


# Set here and not in the class: so a type checker reports `arg.total * 2` too.
_REFUSED: Final = {
    "called": "call",
    "looped over or searched": "iter len contains reversed next",
    "compared": "lt le gt ge",
    "turned into a number": "int float complex index round abs neg pos invert",
    "calculated with": "add sub mul truediv floordiv mod divmod pow matmul and or xor lshift rshift "
    "radd rsub rmul rtruediv rfloordiv rmod rdivmod rpow rmatmul rand ror rxor rlshift rrshift",
}
for _done, _names in _REFUSED.items():
    for _name in _names.split():
        setattr(Marker, f"__{_name}__", _refusal(_done))

arg: Final = Marker(Path("arg"))
"""The call's arguments, as they were before it: `arg.order.id`, `arg.self.user_id`, `arg["from"]`."""

result: Final = Marker(Path("result"))
"""What the call returned: `result`, `result.id`, `result["total"]`."""

error: Final = Marker(Path("error"))
"""The exception that left the call, None where it returned: `error`, `error.args[0]`."""

elapsed: Final = Marker(Path("elapsed"))
"""How long the call took, in seconds, a float."""


def path_of(marker: Marker) -> Path:
    """What the marker has recorded."""
    return marker._spotzee_path  # noqa: SLF001  the path is kept where no user's name can meet it


def follower(steps: tuple[Step, ...]) -> Callable[[Any], Any]:
    """A function that takes these steps from a value; it raises whatever the values on the way do."""
    if all(not step.is_item and "." not in step.key for step in steps):
        return operator.attrgetter(".".join(step.key for step in steps)) if steps else _itself
    if len(steps) == 1 and steps[0].is_item:
        return operator.itemgetter(steps[0].key)

    def follow(value: Any) -> Any:
        for key, is_item in steps:
            value = value[key] if is_item else getattr(value, key)
        return value

    return follow


def _itself(value: Any) -> Any:
    return value
