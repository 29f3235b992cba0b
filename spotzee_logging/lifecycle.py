"""The turns in a process's life, once for the whole package: its exit, and a fork.

Nothing is hooked before the first member registers, and members are held weakly.
"""

from __future__ import annotations

import atexit
import functools
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import Final, Protocol

from spotzee_logging import hosts, late
from spotzee_logging.amounts import amount
from spotzee_logging.exit_budget import ExitBudget
from spotzee_logging.foreign import attempt


class Member(Protocol):
    """Something with events pending that a process must not leave behind."""

    flush_on_close: bool
    """Whether the process's exit waits for it at all."""

    is_forgotten: bool
    """Whether its handler is gone: no more events come, and it may end once it holds none."""

    last_word: Callable[[], object]
    """Called when the exit's deliveries are over."""

    @property
    def shutdown_timeout_seconds(self) -> float:
        """The longest that the process may wait for it."""
        ...

    @property
    def has_just_waited_in_vain(self) -> bool:
        """Whether a wait as long as the exit's has just ended, and nothing came through meanwhile."""
        ...

    def flush_soon(self) -> None:
        """Begin to deliver all that is pending, without waiting."""
        ...

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until it is delivered, rejected or dropped; whether it is."""
        ...

    def rest(self) -> None:
        """Keep no thread waiting for more events, once none is pending."""
        ...

    @property
    def place(self) -> str:
        """The file that keeps what is pending at the end; "" where that is dropped."""
        ...

    def give_up(self) -> tuple[int, int]:
        """Drop, counted, what is still pending and kept nowhere; how many events are dropped, and kept."""
        ...

    def before_fork(self) -> None:
        """Close what must not cross a fork, until `after_fork` or `begin_anew`."""
        ...

    def after_fork(self) -> None:
        """In the parent: go on."""
        ...

    def begin_anew(self) -> None:
        """Forget the parent's threads, locks, connections and events: this is a forked child."""
        ...


# Copied to be read, in one step of C, and not under the lock: a fork, or a signal's handler, waits for nobody.
_members: list[weakref.ref[Member]] = []
_orphans: set[Member] = set()
_lock = threading.RLock()
_is_installed = False
_may_fork_unseen = False
_pid = os.getpid()

process_exit = ExitBudget()

_MOST_FLUSHES_AT_EXIT: Final = 100
"""How often the exit looks for more: an `on_error` may log whenever it is told."""


def register(member: Member) -> None:
    """Have `member` flushed at the exit of the process, and begun anew in a forked child."""
    global _is_installed, _may_fork_unseen, _pid  # noqa: PLW0603  the process's own
    _let_settled_orphans_go()
    _may_fork_unseen = hosts.may_fork_in_c()
    with _lock:
        for dead in [reference for reference in list(_members) if reference() is None]:
            _members.remove(dead)
        _members.append(weakref.ref(member))
        if _is_installed:  # hooks cannot be taken back: once a process
            return
        _is_installed = True
        _pid = os.getpid()  # a fork since the import, before there was a member, was none of theirs
        # Runs before logging's own shutdown, which was registered when logging was imported.
        atexit.register(_at_exit)
        hosts.call_at_uwsgis_end(_at_exit)
        _deliver_at_a_childs_end()
        _deliver_when_a_child_is_set_up()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(
                before=_before_fork,
                after_in_parent=_after_fork_in_parent,
                after_in_child=_after_fork_in_child,
            )


def members() -> list[Member]:
    """Those that are alive."""
    notice_fork()
    return [member for reference in list(_members) if (member := reference()) is not None]


def adopt(member: Member) -> None:
    """Hold a member whose handler is gone until what is pending is settled: at the exit, if not before.

    The thread that delivers holds its member. Where none could be started nobody would, and its events
    would go without a count. No lock and no delivery here: garbage collection may call this at any line.
    """
    member.is_forgotten = True
    _orphans.add(member)
    member.rest()


def let_go(member: Member) -> None:
    """Hold an adopted member no more: it has settled everything."""
    _orphans.discard(member)


def _let_settled_orphans_go() -> None:
    for orphan in list(_orphans):
        if attempt(orphan.flush, 0.0)[0]:
            let_go(orphan)


def flush_all(timeout_seconds: float | None = None) -> bool:
    """Flush every member within one deadline (None: the longest shutdown timeout); whether all are empty."""
    return _flush(members(), timeout_seconds)


def _flush(waiting: list[Member], timeout_seconds: float | None) -> bool:
    if not may_wait():
        timeout_seconds = 0.0
    # One that fails, as a buffer of the program's own may, keeps no other from being delivered.
    for member in waiting:
        attempt(member.flush_soon)
    if timeout_seconds is None:
        timeout_seconds = max((member.shutdown_timeout_seconds for member in waiting), default=0.0)
    return process_exit.wait(functools.partial(_flush_each, waiting), timeout_seconds)


def _flush_each(waiting: list[Member], timeout_seconds: float) -> bool:
    deadline = time.monotonic() + timeout_seconds
    # Each is asked, also after one that did not make it.
    settled = [attempt(member.flush, max(0.0, deadline - time.monotonic()))[0] for member in waiting]
    return all(settled)


def may_wait() -> bool:
    """Whether the calling thread may wait for another: not while it configures logging.

    dictConfig, fileConfig and basicConfig close handlers holding logging's module lock, which the
    delivering thread may need for its next line; a wait would be a deadlock until its timeout.
    """
    return not late.holds_loggings_lock()


def give_up_on(member: Member) -> None:
    """Drop what the exit's budget was too short for, and say on stderr how many events that is."""
    undelivered, kept = member.give_up()
    for count, where in ((undelivered, "undelivered at exit"), (kept, f"kept in the spool {member.place}")):
        if count:
            _say(f"{amount(count, 'event', 'events')} {where}")


def _say(text: str) -> None:
    """Write a line to stderr: not through logging, whose handlers are being closed, and it must be seen."""
    # It may be closed by now, as in a daemon, or its reader gone: of that nobody can be told.
    attempt(lambda: sys.stderr.write(f"spotzee_logging: {text}\n"))


def deliver_before_exit() -> bool:
    """Deliver what the exit would wait for, while the process may yet go on; whether all of it is."""
    with process_exit.forewaiting():
        return _flush([member for member in members() if member.flush_on_close], None)


def deliver_at_exit() -> None:
    """Deliver what is pending, within the exit's budget, and give up, counted and said, what is left."""
    process_exit.begin()
    hosts.let_gevent_resolve_at_exit()
    try:
        _flush_while_more_comes()
    except KeyboardInterrupt:
        process_exit.wait_no_longer()  # Ctrl-C: somebody who waits for the end, and not for this
    finally:
        _give_up_on_all()


def _flush_while_more_comes() -> None:
    # A program that flushes, or closes, at its end has waited for this already.
    waiting = [each for each in members() if each.flush_on_close and not _has_waited_in_vain(each)]
    # Again for what came meanwhile, as from an `on_error` that logs: within the same budget.
    for _ in range(_MOST_FLUSHES_AT_EXIT):
        if not _flush(waiting, None) or _flush(waiting, 0.0):
            break


def _give_up_on_all() -> None:
    for member in members():
        _, failure = attempt(give_up_on, member)
        if failure is not None:
            _say(f"what was undelivered at exit could not be counted, {type(failure).__name__} was raised")
        attempt(member.last_word)


def _has_waited_in_vain(member: Member) -> bool:
    return bool(attempt(lambda: member.has_just_waited_in_vain)[0])


def longest_timeout_seconds() -> float:
    """The longest that a flush of all takes."""
    return max((member.shutdown_timeout_seconds for member in members()), default=0.0)


def notice_fork() -> None:
    """Begin anew in a child whose fork called none of Python's hooks, where the host's need not."""
    # Asked for every event: the system's word takes 0.4 µs on some machines.
    if _may_fork_unseen and os.getpid() != _pid:
        _after_fork_in_child()


def _at_exit() -> None:
    try:
        deliver_at_exit()
    finally:
        process_exit.finish()


_forking: list[Member] = []


def _before_fork() -> None:
    late.before_fork()
    _forking.clear()
    _forking.extend(member for member in members() if _has_done(member.before_fork))


def _after_fork_in_parent() -> None:
    try:
        for member in _forking:
            _has_done(member.after_fork)
        _forking.clear()
    finally:
        late.after_fork_in_parent()  # or every later import of ours would wait for ever


def _has_done(hook: Callable[[], None]) -> bool:
    """One that fails, as that of a program's own buffer may, keeps no other from being ready."""
    _, failure = attempt(hook)
    if failure is not None:
        _say(f"a handler was not made ready for a fork, {type(failure).__name__} was raised")
    return failure is None


def _after_fork_in_child() -> None:
    # New locks: another thread of the parent may have held these, or the hook before the fork was not called.
    global _lock, _pid  # noqa: PLW0603  they are the process's, and this is another process
    _pid = os.getpid()
    _lock = threading.RLock()
    late.after_fork_in_child()
    _forking.clear()
    _orphans.clear()
    process_exit.begin_anew()
    for member in members():
        _has_done(member.begin_anew)
    _deliver_when_a_child_is_set_up()
    hosts.call_at_a_celery_childs_end(_at_exit)


def _deliver_when_a_child_is_set_up() -> None:
    """Ask again then: while a child of multiprocessing imports the program it does not know yet that it is one."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.register_after_fork(process_exit, lambda _: _deliver_at_a_childs_end())


def _deliver_at_a_childs_end() -> None:
    """In a child of multiprocessing: deliver at its end, where atexit's callbacks may not run."""
    process = sys.modules.get("multiprocessing.process")
    util = sys.modules.get("multiprocessing.util")
    if process is not None and util is not None and process.parent_process() is not None:
        util.Finalize(None, _at_exit, exitpriority=0)
    hosts.call_at_a_celery_childs_end(_at_exit)
