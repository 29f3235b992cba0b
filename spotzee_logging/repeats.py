"""Whether a record comes a second time: to a handler that is on a logger and on its parent, or to another like it."""

from __future__ import annotations

import logging
import threading
import weakref
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from spotzee_logging.diagnostics import Diagnostics
    from spotzee_logging.settings import Settings

RECENT_RECORDS: Final = 4
"""How many of a thread's records are known again: a filter or hook on the way may log others in between."""

# A list, which is copied in one step of C: a set that another thread adds to cannot be gone through.
_of_all_handlers: Final[list[weakref.ref[Repeats]]] = []


def repeats_of(settings: Settings, diagnostics: Diagnostics) -> Repeats:
    """Those of one more handler, known to the others'; for the arguments see `Repeats`."""
    repeats = Repeats(settings, diagnostics)
    _of_all_handlers.append(weakref.ref(repeats, _of_all_handlers.remove))
    return repeats


class Repeats(threading.local):
    """The last records of each thread that came to a handler, held weakly.

    :param settings: the handler's: two that send to one place with one key send every event twice.
    :param diagnostics: says so, and where a record came twice.
    """

    def __init__(self, settings: Settings, diagnostics: Diagnostics) -> None:
        self._settings = settings
        self._diagnostics = diagnostics
        self._recent: deque[weakref.ref[logging.LogRecord]] = deque(maxlen=RECENT_RECORDS)
        self._has_looked = False

    def has_seen(self, record: logging.LogRecord) -> bool:
        """Whether this very record came just before, which is said; it is known from now on."""
        # One that nobody refers to weakly is none of the recent: most are told by this, in 0.04 µs.
        if weakref.getweakrefcount(record) and self._is_known(record):
            return True
        self._recent.append(weakref.ref(record))
        return False

    def _is_known(self, record: logging.LogRecord) -> bool:
        if self.is_recent(record):
            self._diagnostics.say(
                "handled_twice",
                logging.WARNING,
                f"logger {record.name!r} reaches the same SpotzeeHandler twice, each event is sent once. "
                "Take the handler off one of the loggers on its way.",
            )
            return True
        if not self._has_looked:  # once a thread: with a hundred handlers each look is one into a hundred
            self._has_looked = True
            self._say_if_sent_by_another(record)
        return False

    def _say_if_sent_by_another(self, record: logging.LogRecord) -> None:
        others = [other for reference in list(_of_all_handlers) if (other := reference()) is not None]
        if any(self._sends_as(other) and other.is_recent(record) for other in others):
            self._diagnostics.say(
                "sent_twice",
                logging.WARNING,
                f"logger {record.name!r} reaches two SpotzeeHandlers with one base_url and one api_key, and each "
                "sends every event. Add one, once: a notebook's cell that is run again adds another.",
            )

    def _sends_as(self, other: Repeats) -> bool:
        mine, its = self._settings, other._settings
        return _place_of(mine) == _place_of(its) and not mine.disabled and not its.disabled

    def is_recent(self, record: logging.LogRecord) -> bool:
        """Whether it is one of the last that came to the handler on this thread."""
        # A copy: a signal's handler or a `__del__` that logs may come in while it is gone through.
        return any(seen() is record for seen in self._recent.copy())


def _place_of(settings: Settings) -> tuple[str, object]:
    """Where its events go: a function that gives a key is known by itself, and asked nothing, not even to compare."""
    key = settings.api_key
    return settings.base_url, key if isinstance(key, str) else id(key)
