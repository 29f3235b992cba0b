"""One call of a tracked function, as a callable in place of a marker is given it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from spotzee_logging.identity import Contact
from spotzee_logging.markers import MISSING
from spotzee_logging.track_arguments import Layout

_NO_ARGUMENTS: Final[Mapping[str, Any]] = {}


class Call:
    """A call that has ended, for `when=` and for callables in place of markers.

    Reading it never raises.
    """

    __slots__ = ("_arguments", "_layout", "contact", "elapsed", "error", "outcome", "read_before", "started")

    def __init__(self, contact: Contact) -> None:
        self.contact: Contact = contact
        self.read_before: list[Any] = []
        self._layout: Layout | None = None
        self._arguments: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})
        self.outcome: Any = MISSING
        self.error: BaseException | None = None
        self.elapsed: float = 0.0
        self.started = time.perf_counter()

    @property
    def arguments(self) -> Mapping[str, Any]:
        """Every argument by its name, defaults and `self` or `cls` among them, as it is after the call."""
        return _NO_ARGUMENTS if self._layout is None else self._layout.read_all(*self._arguments)

    @property
    def result(self) -> Any:
        """What the call returned; None where it raised."""
        return None if self.outcome is MISSING else self.outcome

    def keep_arguments(self, layout: Layout, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Hold on to the arguments, for those who ask for all of them."""
        self._layout, self._arguments = layout, (args, kwargs)
