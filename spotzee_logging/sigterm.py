"""`flush_on_sigterm`: what is pending is delivered before SIGTERM does what it did before.

Without it a SIGTERM that no handler catches ends the process at once, and no exit of Python's runs.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
from types import FrameType
from typing import Final

from spotzee_logging import lifecycle
from spotzee_logging.errors import InvalidSettings

_GRACE_SECONDS: Final = 0.2
"""How long after the timeout the signal is handed on, where a hook or a blocked stderr holds delivery up."""

_RAISE_AGAIN_SECONDS: Final = 0.02


def flush_on_sigterm() -> None:
    """On SIGTERM deliver what is pending, then let what SIGTERM did before take over.

    All handlers are flushed within one deadline, the longest `shutdown_timeout_seconds` of theirs, those
    with `flushOnClose` False left out. Meanwhile the program goes on, and a further SIGTERM changes nothing.
    Then, where SIGTERM had

    - its default, the process dies of SIGTERM, as whoever sent it expects. What could not be delivered is
      counted as `dropped["shutdown"]`, told to `on_error`, and said in one line on stderr, as at exit;
    - a handler of Python's, it is called, in the main thread, with the signal and the frame;
    - been ignored, it stays so, and nothing is delivered: the process goes on.

    Call it once, in the main thread, where the program starts, and after it has installed a handler of its
    own; one that is installed later replaces this. Calling it again changes nothing; forked children
    inherit it. As the first process of a container, which Linux spares the default of SIGTERM, the process
    delivers and goes on.

    Raises `InvalidSettings` outside of the main thread, and where SIGTERM's handler is the C code of a
    program that embeds Python.
    """
    earlier = signal.getsignal(signal.SIGTERM)
    if isinstance(earlier, _SigtermHandler) or earlier is signal.SIG_IGN:
        return
    # uWSGI's handlers may come after Python has looked: they would be lost without a trace.
    if earlier is None or "uwsgi" in sys.modules:
        raise InvalidSettings(
            "flush_on_sigterm() cannot stand before a SIGTERM handler that is not Python's, which could not "
            "be called any more. Leave it out, and call flush() where the program that embeds Python lets it end."
        )
    try:
        signal.signal(signal.SIGTERM, _SigtermHandler(earlier))
    except ValueError as error:
        raise InvalidSettings(
            "flush_on_sigterm() was called outside of the main thread, where Python installs no signal "
            "handlers. Call it in the main thread, where the program starts."
        ) from error


class _SigtermHandler:
    """Called for SIGTERM it has a thread deliver, which raises SIGTERM again; called then, it hands on.

    It waits for nothing itself. The line that it has interrupted may hold any lock, of logging's, of ours or
    of a hook's, that the delivery needs, and goes on once it returns.
    """

    def __init__(self, earlier: signal._HANDLER) -> None:
        self._earlier = earlier
        # asyncio's own stands in for callbacks that a file descriptor has called by now; twice is once too often.
        self._is_asyncios = getattr(earlier, "__module__", None) == "asyncio.unix_events"
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._pid = os.getpid()
        self._above: signal._HANDLER = self
        self._turn: threading.Event | None = None
        self._is_over = False
        self._may_echo = False

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        if self._pid != os.getpid():
            self._begin_anew()  # a forked child, where the parent's threads are not
        if self._is_over:
            self._hand_on(signum, frame)
        elif self._turn is None and not self._may_echo:
            self._turn = threading.Event()
            self._begin(self._turn, signum, frame)

    def _begin(self, turn: threading.Event, signum: int, frame: FrameType | None) -> None:
        if lifecycle.process_exit.has_begun or not threading.main_thread().is_alive():
            # The exit delivers, on the thread that this call has interrupted. Where others' callbacks come
            # first, one that hangs must not keep the process alive: the next SIGTERM finds this over.
            self._is_over = not lifecycle.process_exit.has_begun
            lifecycle.process_exit.postpone(lambda: self._hand_on(signum, frame))
            return
        self._take_the_top(signum)
        try:
            # Not threading.Thread, whose start waits: under gevent the hub calls this, which must not.
            _thread.start_new_thread(self._deliver, (turn,))
            _thread.start_new_thread(self._raise_after, (turn, signum))
        except RuntimeError:
            # The system's limit. To deliver here could wait for a lock that the interrupted line holds.
            self._hand_on(signum, frame)

    def _take_the_top(self, signum: int) -> None:
        """A handler that was installed later and calls this one must not be called for our own raise."""
        self._above = signal.getsignal(signum)
        signal.signal(signum, self)

    def _deliver(self, delivered: threading.Event) -> None:
        try:
            if self._is_the_end():
                lifecycle.deliver_at_exit()
            else:
                lifecycle.deliver_before_exit()
        finally:
            delivered.set()

    def _raise_after(self, delivered: threading.Event, signum: int) -> None:
        delivered.wait(lifecycle.longest_timeout_seconds() + _GRACE_SECONDS)
        if self._is_asyncios:
            self._turn = None
            return
        self._is_over = True
        try:
            self._raise_until_handed_on(delivered, signum)
        finally:
            self._may_echo = False

    def _raise_until_handed_on(self, turn: threading.Event, signum: int) -> None:
        # Once may not be enough: a signal that comes in the moment before the main thread blocks, with its
        # lock on the interpreter given up already, is seen only when the thread wakes, be that in an hour.
        tick = threading.Event()
        seconds = _RAISE_AGAIN_SECONDS
        while self._turn is turn:
            if os.name == "nt":
                signal.raise_signal(signum)  # os.kill would end the process there, whatever its handler
            else:
                os.kill(self._pid, signum)  # to the process: what its main thread waits for is interrupted
            tick.wait(seconds)
            seconds *= 2
            if self._turn is turn:
                self._may_echo = True  # the next may come just after the one before has been seen

    def _is_the_end(self) -> bool:
        """Whether the default kills: Linux spares the first process of a PID namespace."""
        return self._earlier is signal.SIG_DFL and self._pid != 1

    def _hand_on(self, signum: int, frame: FrameType | None) -> None:
        above, is_the_end = self._above, self._is_the_end()
        self._above, self._turn, self._is_over = self, None, False
        if above is not self:
            signal.signal(signum, above)
        if is_the_end:
            signal.signal(signum, signal.SIG_DFL)
            os.kill(os.getpid(), signum)
        elif callable(self._earlier):
            self._earlier(signum, frame)
