"""`SpotzeeHandler`: the door from logging. Tag test, event, bytes, buffer; nothing gets out of it."""

from __future__ import annotations

import logging
import threading
import time
import weakref
from types import MethodType
from typing import TYPE_CHECKING, Any, Final

from spotzee_logging import late, lifecycle
from spotzee_logging.amounts import amount
from spotzee_logging.diagnostics import LOGGER_NAME
from spotzee_logging.errors import InvalidEvent, InvalidSettings, SpotzeeError
from spotzee_logging.foreign import attempt, how_raised
from spotzee_logging.formatter import TAG, EventFormatter, is_tagged
from spotzee_logging.intake import Intake
from spotzee_logging.repeats import repeats_of
from spotzee_logging.senders import is_sender

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Unpack

    from spotzee_logging.buffers.base import Buffer
    from spotzee_logging.dispatcher import Dispatcher
    from spotzee_logging.setting_types import ApiKey, GivenSettings
    from spotzee_logging.settings import Settings
    from spotzee_logging.stats import Stats

# What our transport logs; on a thread that sends, these lines are about the events, and never events.
_TRANSPORT: Final = ("urllib3", "requests")
_MISSED_LATELY_SECONDS: Final = 5.0
"""For how long a flush in vain stands for the one that close would make: nothing is waited for twice."""

_OURS_OR_TRANSPORT: Final = (LOGGER_NAME, *_TRANSPORT)


class SpotzeeHandler(logging.Handler):
    """Sends tagged log records to Spotzee as events, in batches, from a thread of its own.

    :param api_key: the project's key (`sk_…` or `pk_…`), or a function that gives it, asked for each request;
        None: the variable `SPOTZEE_API_KEY`.
    :param level: records below it are no concern of this handler; a number or a name.
    :param buffer: where events wait; None: memory, bounded by `max_pending_bytes`, or the file that is set as
        `spool`. One of your own has bounds of its own: `max_pending_bytes` and the spool's settings are not for it.
    :param settings: any of `Settings`; what is not given comes from the environment, then from defaults.

    Raises `InvalidSettings` where a setting cannot be, `SpoolError` where the spool cannot. Logging to it never
    raises and never waits, unless `strict`, `overflow="block"` or `durability="power"` ask for it. A record is
    tagged by `extra={"spotzee_event": {"name": ..., "external_id": ...}}`, or by a name alone; others pass it by.

    It has a `MemoryHandler`'s habits: `capacity`, `flushLevel` and `flushOnClose` are attributes,
    `shouldFlush(record)` may be overridden, `flush()` and `close()` do what they say there.
    """

    sends_events: Final = True

    def __init__(
        self,
        api_key: ApiKey | None = None,
        *,
        level: int | str = logging.NOTSET,
        buffer: Buffer | None = None,
        **settings: Unpack[GivenSettings],
    ) -> None:
        # First: a handler that cannot be must not get into logging's list of handlers.
        self._settings: Settings = _settings().Settings.from_env(api_key=api_key, **settings)
        if buffer is not None and settings.get("spool") is not None:
            raise InvalidSettings(
                "spool and buffer are both given, and events wait in one place. Leave one of them out.",
                setting="spool",
            )
        valid_level = _level(level)
        self._dispatcher = _dispatcher_for(self._settings, buffer)
        super().__init__(valid_level)
        self._reporter = self._dispatcher.reporter
        self._buffer = self._dispatcher.buffer
        self._intake = Intake(self._settings, self._reporter)
        self._repeats = repeats_of(self._settings, self._reporter.diagnostics)
        self._missed = (-1, -1, 0.0)
        self._has_said_why = False
        self._put = self._dispatcher.put  # looked up once, and not for every record
        # A shouldFlush of a subclass's is asked; ours is written out in `emit` and in the dispatcher.
        self._is_asked_more = type(self).shouldFlush is not SpotzeeHandler.shouldFlush
        # The dispatcher may have to outlive the handler, which a program may forget with events pending.
        weakref.finalize(self, lifecycle.adopt, self._dispatcher).atexit = False
        self.flushLevel = self._settings.flush_level
        self.setFormatter(None)

    @property
    def api_key(self) -> None:
        """The key to send with: it can be set, to a string or a function, and takes effect at the next request.

        Setting it ends a pause at once; raises `InvalidSettings` for what is no key. It cannot be read; raises
        AttributeError.
        """
        raise AttributeError("api_key can be set, and is shown to nobody")

    @api_key.setter
    def api_key(self, api_key: ApiKey) -> None:
        if api_key is None:
            raise InvalidSettings(
                "api_key cannot be set to None, events could not be sent. Give a project's key (sk_… or pk_…), or a "
                "function that gives one.",
                setting="api_key",
            )
        self._dispatcher.set_api_key(_settings().validated("api_key", api_key))

    @property
    def base_url(self) -> str:
        """Where it sends to, as the setting of that name says."""
        return self._settings.base_url

    @property
    def capacity(self) -> int:
        """Pending events that wake the dispatcher, and the most in one request: 1 to 100."""
        return self._dispatcher.schedule.capacity

    @capacity.setter
    def capacity(self, events: int) -> None:
        self._dispatcher.schedule.capacity = _settings().validated("capacity", events)

    @property
    def flushLevel(self) -> int:  # noqa: N802  MemoryHandler's name
        """A tagged record at this level or above wakes the dispatcher at once; a number or a name."""
        return self._flush_level

    @flushLevel.setter
    def flushLevel(self, level: int | str) -> None:  # noqa: N802
        self._flush_level: int = _settings().validated("flush_level", level)

    @property
    def flushOnClose(self) -> bool:  # noqa: N802  MemoryHandler's name
        """Whether close, and the process's exit, deliver what is pending; else they drop it, or leave it in the spool.

        Default: True.
        """
        return self._dispatcher.flush_on_close

    @flushOnClose.setter
    def flushOnClose(self, is_flushed: bool) -> None:  # noqa: N802
        self._dispatcher.flush_on_close = is_flushed

    def setFormatter(self, fmt: logging.Formatter | None) -> None:  # noqa: N802  logging's name
        """Take an `EventFormatter`; None: one with no options. Raises `InvalidSettings` for any other."""
        if fmt is not None and not isinstance(fmt, EventFormatter):
            raise InvalidSettings(
                f"SpotzeeHandler needs an EventFormatter, got {type(fmt).__name__}. "
                "Leave the formatter out, or use spotzee_logging.EventFormatter.",
                setting="formatter",
            )
        self.formatter = formatter = fmt or EventFormatter()
        self._intake.take_formatter(formatter)

    def handle(self, record: logging.LogRecord) -> Any:
        """Turn an untagged record away before any lock; filter and emit the others."""
        if not self.filters:
            attributes = record.__dict__
            if attributes.get(TAG) is None and (
                # Most lines are told by these two, in 0.05 µs: they are no other library's.
                (type(record.msg) is str and "extra" not in attributes) or not is_tagged(record)
            ):
                return False
            if not self._repeats.has_seen(record):
                self.emit(record)
            return True
        passed: Any = self.filter(record)
        # From Python 3.12 on a filter may give another record in place of this one.
        filtered = passed if isinstance(passed, logging.LogRecord) else record
        if passed and is_tagged(filtered) and not self._repeats.has_seen(record):
            self.emit(filtered)
        return passed

    def emit(self, record: logging.LogRecord) -> None:
        """Hold the record's event for delivery. Raises only `InvalidEvent`, and only where `strict`."""
        try:
            if record.name.startswith(_OURS_OR_TRANSPORT) and _is_our_own(record):
                return
        except AttributeError:  # not suppress(), which would cost each event 0.2 µs
            pass  # of makeLogRecord's making, without a name: it is none of ours
        lifecycle.notice_fork()
        try:
            taken = self._intake.take(record)
        except InvalidEvent as error:
            self._reporter.turned_away(error)
            if self._settings.strict:
                raise
            return
        except Exception as error:  # noqa: BLE001  the first of the package's two walls
            self._reporter.turned_away(self._not_made(record, error))
            return
        if taken is None:
            return
        self._put(*taken)
        try:
            demands_more = (
                record.levelno >= self._flush_level or self._is_asked_more or lifecycle.process_exit.has_begun
            )
        except TypeError:
            demands_more = True  # a level that is no number, or none
        if demands_more:
            self._follow_up(record)

    def shouldFlush(self, record: logging.LogRecord) -> bool:  # noqa: N802  MemoryHandler's name
        """Whether the dispatcher is woken after this record: a full batch waits, or the level demands it."""
        return self._buffer.unsealed >= self.capacity or record.levelno >= self._flush_level

    def flush(self, timeout: float | None = None) -> bool:  # type: ignore[override]  # logging ignores it
        """Wait until what is pending now is delivered, rejected or dropped, and say whether it is.

        :param timeout: the longest to wait, in seconds; None: `shutdown_timeout_seconds`.

        Called while logging is being configured (the caller holds logging's module lock), or by what runs
        on the delivering thread, it wakes the dispatcher and returns at once. Never raises.
        """
        lifecycle.notice_fork()
        full = self._settings.shutdown_timeout_seconds
        seconds = full if timeout is None else timeout
        if not lifecycle.may_wait():
            seconds = 0.0
        is_settled = lifecycle.process_exit.wait(self._dispatcher.flush, seconds)
        if not is_settled and seconds >= full:
            self._missed = (*self._progress(), time.monotonic())
        return is_settled

    def close(self) -> None:
        """Deliver what is pending, within `shutdown_timeout_seconds`, and leave logging's list of handlers.

        With `flushOnClose` False, what is pending is dropped instead, and counted, or left in the spool. A handler
        that is still on a logger goes on to work: others' configurations close handlers they do not know. Never raises.
        """
        if not self.flushOnClose:
            if not self._buffer.place:  # what is in a spool stays there
                self._dispatcher.give_up()
        elif (self._has_just_missed() or not self.flush()) and lifecycle.may_wait() and len(self._buffer):
            self._say_undelivered()
        if lifecycle.process_exit.has_begun:
            self._say_if_nothing_came()
        else:  # by another's configuration, as like as not: logging's shutdown does not know it any more
            self._dispatcher.last_word = _weakly(self._say_if_nothing_came)
        # What came of tries in vain is said: how many events are undelivered.
        self._reporter.diagnostics.say_left_out(but=("retry",))
        self._dispatcher.rest()
        super().close()

    def stats(self) -> Stats:
        """The account of every event that was handed in, and of the requests made. Never raises."""
        lifecycle.notice_fork()
        return self._reporter.ledger.snapshot(
            held=lambda: self._buffer.position,
            pending_bytes=self._buffer.bytes,
            in_flight=self._dispatcher.in_flight,
            paused_seconds=self._dispatcher.schedule.paused_seconds,
        )

    def _has_just_missed(self) -> bool:
        """Whether a flush has just waited in vain for the same: logging.shutdown flushes, then closes."""
        *progress, at = self._missed
        return tuple(progress) == self._progress() and time.monotonic() - at < _MISSED_LATELY_SECONDS

    def _not_made(self, record: logging.LogRecord, error: Exception) -> SpotzeeError:
        return SpotzeeError(
            f"a tagged record of logger {record.name!r}: its event could not be made, "
            f"{type(self.formatter).__name__} {how_raised(error)}",
            reason="formatter_error",
        )

    def _follow_up(self, record: logging.LogRecord) -> None:
        """What an event demands that is not the common one, once it is held."""
        if self._is_asked_more:
            self._ask_own_should_flush(record)
        else:
            self._dispatcher.deliver_soon()
        if lifecycle.process_exit.has_begun and not is_sender(threading.get_ident()) and not self.flush():
            # Of a `__del__` that logs while the interpreter goes: Python's own names may be gone by now.
            attempt(lifecycle.give_up_on, self._dispatcher)

    def _ask_own_should_flush(self, record: logging.LogRecord) -> None:
        should_flush, failure = attempt(self.shouldFlush, record)
        if should_flush:
            self._dispatcher.deliver_soon()
        elif failure is not None:
            self._reporter.diagnostics.say(
                "shouldFlush",
                logging.ERROR,
                f"shouldFlush {how_raised(failure)}; events wait for their age",
            )

    def _progress(self) -> tuple[int, int]:
        return self._buffer.position, self._buffer.oldest

    def _say_if_nothing_came(self) -> None:
        """A handler that was never handed an event, where logging's configuration is seen to keep them away."""
        if self._has_said_why or self._settings.disabled or self.stats().accepted:
            return
        # It looks at loggers and adapters of other people's making.
        reason, _ = attempt(lambda: late.module("spotzee_logging.silence").reason_for(self))
        if reason is not None:
            self._has_said_why = (
                True  # or it would be counted as left out: the exit and logging's shutdown both ask
            )
            self._reporter.diagnostics.say(
                "silence", logging.WARNING, f"no event came to this handler: {reason}"
            )

    def _say_undelivered(self) -> None:
        if lifecycle.process_exit.has_begun:
            lifecycle.give_up_on(self._dispatcher)
            return
        self._reporter.diagnostics.say(
            "close",
            logging.WARNING,
            f"closed with {amount(len(self._buffer), 'event', 'events')} undelivered; "
            "delivery goes on until the process ends",
        )


# As they are written above: a test of the program's, or a library that traces it, may put others in their place.
_HANDLE: Final = SpotzeeHandler.handle
_EMIT: Final = SpotzeeHandler.emit


def reads_tag_alone(handler: SpotzeeHandler) -> bool:
    """Whether of a record only its name, level, time, tag and contact are read, and by no code of the program's.

    :param handler: one of this very class.
    """
    handle, emit = handler.handle, handler.emit  # as in `track_direct`
    return (
        handler._intake.reads_tag_alone  # noqa: SLF001  of this module's own class
        and not handler.filters
        and type(handle) is type(emit) is MethodType
        and handle.__func__ is _HANDLE
        and emit.__func__ is _EMIT
    )


def flush(timeout: float | None = None) -> bool:
    """Flush every live handler within one deadline; whether all that was pending is settled. Never raises.

    :param timeout: the longest to wait, in seconds; None: the longest `shutdown_timeout_seconds` of theirs.
    """
    return lifecycle.flush_all(timeout)


def _weakly(method: Callable[[], None]) -> Callable[[], object]:
    """A call of the method that does not keep its object alive."""
    reference = weakref.WeakMethod(method)
    return lambda: (alive := reference()) is not None and alive()


# The table of settings, and what delivers, are half of the package: they come with the first handler that is made.


def _level(level: int | str) -> int:
    valid: int = late.module("spotzee_logging.setting_kinds").level_of("level", level)
    return valid


def _settings() -> Any:
    return late.module("spotzee_logging.settings")


def _dispatcher_for(settings: Settings, buffer: Buffer | None) -> Dispatcher:
    dispatcher: Dispatcher = late.module("spotzee_logging.assembly").dispatcher_for(settings, buffer)
    return dispatcher


def _is_our_own(record: logging.LogRecord) -> bool:
    if record.name.startswith(LOGGER_NAME):
        return True
    return is_sender(record.thread) or is_sender(threading.get_ident())
