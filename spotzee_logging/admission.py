"""An event is put into the buffer; one that finds no room there waits for it, or is counted and told of."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable, Sequence

from spotzee_logging.buffers.base import Body, Buffer
from spotzee_logging.foreign import attempt, how_raised
from spotzee_logging.reporting import Reporter
from spotzee_logging.senders import is_sender
from spotzee_logging.settings import Settings


class Admission:
    """Lets events into a buffer, in the thread of whoever logs them.

    :param settings: what is done where the buffer is full.
    :param buffer: where the events wait.
    :param reporter: counts, and tells of, what is not held.
    :param deliver_soon: has room made, without waiting for it.
    """

    def __init__(
        self, settings: Settings, buffer: Buffer, reporter: Reporter, deliver_soon: Callable[[], None]
    ) -> None:
        self._buffer = buffer
        self._reporter = reporter
        self._deliver_soon = deliver_soon
        self._block_seconds = settings.block_timeout_seconds if settings.overflow == "block" else 0.0
        self.is_buffer_ours = type(buffer).__module__.startswith("spotzee_logging.")
        """Whether it is none of the program's own: ours raises for nothing but what a signal's handler does."""
        self.hold: Callable[..., Sequence[Body]] = buffer.put if self.is_buffer_ours else self._hold_safely
        """As the buffer's own `put`: gives what it has dropped, which is nothing at most times."""

    def find_room(self, dropped: Sequence[Body], body: Body, key: str) -> None:
        """What is done of a full buffer: wait for room where `overflow` is "block", and count what is dropped.

        :param dropped: what `hold` gave, the event itself the last of it where that was not held.
        :param body: the event that was put, for the contact `key`.
        """
        if self._block_seconds and dropped[-1] is body:
            dropped = self._wait_for_room(body, key)
        if dropped and dropped[-1] is body:
            self._reporter.not_held(body, "buffer_full", self._why_full)
            dropped = dropped[:-1]
        if dropped:
            self._reporter.dropped(dropped, "buffer_full", self._why_full)

    def say_not_kept_to(self, failure: BaseException) -> None:
        """Tell of a buffer of the program's own that does not keep to its contract where an event is put."""
        raised = f"{type(self._buffer).__name__} {how_raised(failure)}"
        self._reporter.diagnostics.say(
            "buffer_error",
            logging.ERROR,
            f"{raised}, or gave what its contract does not have, where an event was put: whether it holds that is "
            "its own to say. Mend it, or leave buffer out",
        )

    def _wait_for_room(self, body: Body, key: str) -> Sequence[Body]:
        self._deliver_soon()
        # The thread that makes room must not wait for it: an on_error that logs runs there.
        wait_seconds = 0.0 if is_sender(threading.get_ident()) else self._block_seconds
        position = self._buffer.position
        try:
            return self.hold(body, key, wait_seconds=wait_seconds)
        except BaseException:
            # Ctrl-C, or what else a signal's handler raises into the wait: the event has seldom found room.
            if self._buffer.position == position:
                self._reporter.not_held(body, "buffer_full", self._why_full)
            raise

    def _hold_safely(self, body: Body, key: str, *, wait_seconds: float = 0.0) -> Sequence[Body]:
        """The `put` of a buffer of the program's own: an event that it raises for is dropped, counted and told of."""
        put = (
            functools.partial(self._buffer.put, wait_seconds=wait_seconds)
            if wait_seconds
            else self._buffer.put
        )
        dropped, failure = attempt(put, body, key)
        if failure is None:
            return dropped or ()
        raised = f"put of {type(self._buffer).__name__} {how_raised(failure)}"
        self._reporter.not_held(body, "buffer_error", f"{raised}. Mend it, or leave buffer out")
        return ()

    @property
    def _why_full(self) -> str:
        bound = "Raise spool_max_bytes" if self._buffer.place else "Raise max_pending_bytes"
        remedy = bound if self.is_buffer_ours else "Give it more room"
        return f"the buffer was full. {remedy}, or see in stats().last_error why delivery does not keep up"
