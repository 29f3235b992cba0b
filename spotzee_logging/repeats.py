"""Whether a record comes a second time, as it does to a handler that is on a logger and on its parent."""

from __future__ import annotations

import logging
import threading
import weakref
from collections import deque
from typing import Final

RECENT_RECORDS: Final = 4
"""How many of a thread's records are known again: a filter or hook on the way may log others in between."""


class Repeats(threading.local):
    """The last records of each thread, held weakly."""

    def __init__(self) -> None:
        self._recent: deque[weakref.ref[logging.LogRecord]] = deque(maxlen=RECENT_RECORDS)

    def has_seen(self, record: logging.LogRecord) -> bool:
        """Whether this very record came just before; it is known from now on."""
        # One that nobody refers to weakly is none of the recent: most are told by this, in 0.04 µs.
        if weakref.getweakrefcount(record) and self._is_recent(record):
            return True
        self._recent.append(weakref.ref(record))
        return False

    def _is_recent(self, record: logging.LogRecord) -> bool:
        # A copy: a signal's handler or a `__del__` that logs may come in while it is gone through.
        return any(seen() is record for seen in self._recent.copy())
