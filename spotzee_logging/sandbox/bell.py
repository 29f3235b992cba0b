"""Wakes whoever watches for changes, from whichever thread they come."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Bell:
    """Calls its listeners at each change; costs next to nothing where there are none."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: tuple[Callable[[], object], ...] = ()

    def ring(self) -> None:
        """Call every listener, in the caller's thread: they must be quick, and must not raise."""
        for listener in self._listeners:
            listener()

    @contextmanager
    def heard_by(self, listener: Callable[[], object]) -> Iterator[None]:
        """Give the context in which `listener` is called."""
        with self._lock:
            self._listeners += (listener,)
        try:
            yield
        finally:
            with self._lock:
                self._listeners = tuple(each for each in self._listeners if each is not listener)
