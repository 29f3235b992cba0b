"""The threads of one dispatcher: started when there is work, woken by a note, ended where nothing comes."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Callable
from typing import Final

from spotzee_logging import lifecycle
from spotzee_logging.senders import sending

_ENDING_SECONDS: Final = 1.0
"""How long the end waits for a thread that ends."""


class Workers:
    """Threads that take steps until one says that it is enough.

    :param step: one step of a thread; whether it goes on.
    :param when_lost: called, under the lock, where something else has ended a thread.

    A note wakes one of them. It is left in a queue, which cannot block who leaves it: not even a signal's handler
    that comes in where another leaves one.
    """

    def __init__(self, step: Callable[[], bool], when_lost: Callable[[], None]) -> None:
        self._step = step
        self._when_lost = when_lost
        self.begin_anew()

    def begin_anew(self) -> None:
        """In a forked child: the parent's threads are not here."""
        self.threads: set[threading.Thread] = set()
        self._lock = threading.RLock()
        self._notes: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.is_noted = False
        self._may_rest = False

    @property
    def may_rest(self) -> bool:
        """Whether a thread to which nothing comes may end at once."""
        return self._may_rest and not lifecycle.process_exit.has_begun

    def wake(self) -> None:
        """Have a thread look again at what is due."""
        if not self.is_noted:
            self.is_noted = True
            self._notes.put(None)

    def rest(self) -> None:
        """No more work is expected: the threads end once there is none, and the next starts another.

        Not while the process exits, which needs none to end, and tears apart what wakes.
        """
        if not lifecycle.process_exit.has_begun:
            self._may_rest = True
            self.wake()

    def wait(self, seconds: float) -> bool:
        """Wait for a note; whether one came."""
        try:
            self._notes.get(timeout=min(seconds, threading.TIMEOUT_MAX))
        except queue.Empty:
            return False
        self.is_noted = False
        return True

    def start(self) -> None:
        """Start the first thread, where there is none."""
        with self._lock:
            if not self.threads:
                # Made with the thread: gevent may have replaced both kinds since this was made, and a queue of
                # the old kind would block every greenlet of the process.
                self._notes = queue.SimpleQueue()
                self.is_noted = self._may_rest = False
                self._start_one()

    def start_spare(self, is_needed: Callable[[int], bool]) -> None:
        """Start one more, where `is_needed` says so of the number that there is."""
        with self._lock:
            if is_needed(len(self.threads)):
                self._start_one()

    def may_end(self, close_as_last: Callable[[], bool]) -> bool:
        """Whether the calling thread, one of these, to which nothing came, is needed no more.

        :param close_as_last: called, under the lock, where no other is left: closes what is open, and says whether it
            may end then.
        """
        with self._lock:
            if lifecycle.process_exit.has_begun:
                return False
            # First the thread is gone, then it is asked: work that comes meanwhile is either seen there, or its
            # caller finds no thread and waits for this lock to start one.
            self.threads.discard(threading.current_thread())
            if self.threads or close_as_last():
                return True
            self._may_rest = False  # it stays: else it would look for more without a pause
            self.threads.add(threading.current_thread())
            return False

    def wait_for_ending(self) -> None:
        """Let a thread that is ending just now close what it holds: the process's end would tear that apart."""
        if self._lock.acquire(timeout=_ENDING_SECONDS):
            self._lock.release()

    def _start_one(self) -> None:
        if sys.is_finalizing():
            return  # no other thread runs any more: until Python 3.11 to start one would wait for it for ever
        thread = threading.Thread(target=self._run, name="spotzee_logging", daemon=True)
        try:
            self.threads.add(thread)
            thread.start()
        except BaseException as error:
            if thread.ident is None:
                self.threads.discard(thread)
            # Python 3.12 starts no thread while the interpreter exits, and a system has its limit. The
            # events wait; the next one tries again, and a flush delivers them itself.
            if not isinstance(error, RuntimeError):
                raise  # of a signal's handler, as Ctrl-C is

    def _run(self) -> None:
        try:
            with sending():
                # Without the lock: an interrupted start may take a thread for one that never runs, and whoever
                # interrupts it may hold the lock and wait for this one's deliveries.
                self.threads.add(threading.current_thread())
                while self._step():
                    pass
        finally:
            self._replace()

    def _replace(self) -> None:
        """Where a hook has ended this thread (SystemExit passes both walls), another goes on."""
        with self._lock:
            if threading.current_thread() in self.threads:
                self.threads.discard(threading.current_thread())
                self._when_lost()
