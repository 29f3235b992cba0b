"""What `track` says of itself, where code that it was given fails, or nobody would send its events."""

from __future__ import annotations

import logging
from typing import Final

from spotzee_logging.diagnostics import Diagnostics
from spotzee_logging.foreign import how_raised


class Voice:
    """The diagnostics of all tracked calls of the process. Never raises."""

    def __init__(self) -> None:
        self._has_warned = False
        self._diagnostics = Diagnostics()

    def say(self, kind: str, level: int, message: str) -> None:
        """Say `message`, unless a line of its kind was said within the last minute."""
        self._diagnostics.say(kind, level, message)

    def warn_once(self, message: str) -> None:
        """Say it, unless this was called before in the process or in one that it was forked from."""
        if not self._has_warned:
            self._has_warned = True
            self.say("track_unheard", logging.WARNING, message)


voice: Final = Voice()


def say_failure(what: str, failure: BaseException, consequence: str) -> None:
    """Say that code which was handed to `track` raised, and what that means for the event."""
    voice.say(
        f"track: {what}",
        logging.WARNING,
        f"track: {what} {how_raised(failure)}; {consequence}.",
    )
