"""Imports that wait until they are needed: together they would triple the time that the package's own takes.

None may be under way while the process forks. The child would keep a module's lock that nobody owns, and its
first use of that module would wait for ever.
"""

from __future__ import annotations

import importlib
import logging
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import ModuleType
from typing import Any

_turn = threading.Condition()  # re-entrant: a signal's handler may come in between
_importing: dict[object, int] = {}
"""The imports that are under way, and the thread of each."""


def module(name: str) -> ModuleType:
    """The module of this name, imported with its first use. Raises what its import raises."""
    loaded = sys.modules.get(name)
    # One that another thread is still importing is not complete: the import waits for it.
    if loaded is not None and not getattr(getattr(loaded, "__spec__", None), "_initializing", False):
        return loaded
    # Imports run side by side. If one waited for another, a dictConfig (which holds logging's lock while it makes a
    # handler) could wait for ever for an import that asks for a logger, as those of urllib3 and asyncio do.
    if holds_loggings_lock():
        # Nor does it wait for a fork, which waits for it: logging's own hook, which comes after ours, takes that lock.
        return importlib.import_module(name)
    this = object()
    try:
        with _turn:
            _importing[this] = threading.get_ident()
        return importlib.import_module(name)
    finally:
        with _turn:
            _importing.pop(this, None)
            _turn.notify_all()


def holds_loggings_lock() -> bool:
    """Whether the calling thread holds logging's module lock, as it does while it configures logging."""
    is_owned = getattr(getattr(logging, "_lock", None), "_is_owned", None)
    return is_owned is not None and bool(is_owned())


def names(
    namespace: dict[str, Any], places: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """A module's `__getattr__` and `__dir__` (PEP 562), which import the module of a name with its first use.

    :param namespace: the module's own, where a name stays from then on.
    :param places: the names, and the module that each comes from.
    """

    def get(name: str) -> Any:
        if name not in places:
            me = namespace["__name__"]
            raise AttributeError(f"module {me!r} has no attribute {name!r}", name=name, obj=sys.modules[me])
        namespace[name] = value = getattr(module(places[name]), name)
        return value

    return get, lambda: sorted({*namespace, *places})


def before_fork() -> None:
    """Wait until no other thread has an import under way, and let none begin.

    With two exceptions. Imports of a thread that holds logging's lock may begin and go on: logging's own hook, which
    comes next, waits for that lock. And where the forking thread holds it, it does not wait: the imports may need it.
    """
    this_thread = threading.get_ident()
    _turn.acquire()
    if not holds_loggings_lock():
        _turn.wait_for(lambda: all(thread == this_thread for thread in _importing.values()))


def after_fork_in_parent() -> None:
    """Let imports begin again."""
    # A host that forks in C may have called this hook, and not the one before.
    with suppress(RuntimeError):
        _turn.release()


def after_fork_in_child() -> None:
    """Begin with a lock that nobody holds."""
    global _turn  # noqa: PLW0603  it is the process's, and this is another process
    _turn = threading.Condition()
    _importing.clear()
