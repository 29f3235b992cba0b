"""Imports that wait until they are needed: together they would triple the time that the package's own takes.

None may be under way while the process forks. The child would keep a module's lock that nobody owns, and its
first use of that module would wait for ever.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import ModuleType
from typing import Any

_lock = threading.RLock()


def module(name: str) -> ModuleType:
    """The module of this name, imported with its first use. Raises what its import raises."""
    loaded = sys.modules.get(name)
    # One that another thread is still importing is not complete: the import waits for it.
    if loaded is not None and not getattr(getattr(loaded, "__spec__", None), "_initializing", False):
        return loaded
    with _lock:
        return importlib.import_module(name)


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
    """Wait for an import that is under way, and let none begin."""
    _lock.acquire()


def after_fork_in_parent() -> None:
    """Let imports begin again."""
    # A host that forks in C may have called this hook, and not the one before.
    with suppress(RuntimeError):
        _lock.release()


def after_fork_in_child() -> None:
    """Begin with a lock that nobody holds."""
    global _lock  # noqa: PLW0603  it is the process's, and this is another process
    _lock = threading.RLock()
