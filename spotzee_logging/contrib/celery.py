"""Celery: who acted where a task was sent acts in it; workers keep their handlers, and deliver before they end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from spotzee_logging import lifecycle
from spotzee_logging.contact import get_contact, replace_contact
from spotzee_logging.contrib.identify import ContactFields, contact_of_fields, found_by
from spotzee_logging.errors import MissingLibrary
from spotzee_logging.event import TooLarge
from spotzee_logging.identity import NOBODY, Contact, as_dict
from spotzee_logging.logger_tree import sends_events
from spotzee_logging.plain_values import plain
from spotzee_logging.setting_kinds import plain_function_of

try:
    from celery import signals
except ImportError as error:
    raise MissingLibrary("spotzee_logging.contrib.celery", "celery") from error

Identify = Callable[[Any, tuple[Any, ...], Mapping[str, Any]], ContactFields | None]

HEADER: Final = "spotzee_contact"
"""The header of a task's message that holds who was acting."""

_OUTER: Final = "spotzee_contact_before"
_UID: Final = "spotzee_logging.contrib.celery"

# A worker that sets up its own logging takes all handlers off these: so events would vanish without a word.
_TAKEN_OVER: Final = (None, "celery.task")
_handlers_before: dict[str, list[logging.Handler]] = {}


def carry_contacts(identify: Identify | None = None) -> None:
    """Have tasks run with the contact of the call that sent them; call it once where the Celery app is made.

    :param identify: takes the task, its positional and its keyword arguments, and gives the fields of
        `contact(...)` as a dict, or None: then the contact that was carried acts.

    The contact travels as a header of the message, and reaches what the task sends itself; its profile fields too,
    where they take no more than an event may (`max_event_bytes`).
    Nobody is bound after a task. It concerns every Celery app of the process; a second call replaces the first.
    Workers of pools that are threads deliver what is pending when they are shut down; children of the prefork pool
    do so without it. Where a worker takes handlers off the root logger, or off `celery.task`, those that send
    events are put back; `celery.task`, on whose way the loggers of `get_task_logger` are, gets the root logger's too.
    Raises `InvalidSettings` where `identify` cannot be called, or only awaited.
    """
    if identify is not None:
        identify = plain_function_of("identify", identify)

    def begin(task: Any, args: Any, kwargs: Any, **_: Any) -> None:
        who = NOBODY if identify is None else found_by(identify, task, args, kwargs)
        setattr(task.request, _OUTER, replace_contact(_carried_to(task) if who is NOBODY else who))

    for signal, receiver in {
        signals.before_task_publish: _put_into_headers,
        signals.task_prerun: begin,
        signals.task_postrun: _end,
        signals.worker_shutdown: _deliver,
        signals.celeryd_init: _note_handlers,
        signals.after_setup_logger: _put_back,
        signals.after_setup_task_logger: _put_back,
    }.items():
        signal.disconnect(dispatch_uid=_UID)
        signal.connect(receiver, weak=False, dispatch_uid=_UID)


def _put_into_headers(headers: dict[str, Any], **_: Any) -> None:
    who = as_dict(get_contact())
    if not any(who.values()):
        return
    carried = plain(who)
    if type(carried) is TooLarge:  # no broker would take it
        carried = plain({**who, "user": None})
    if type(carried) is dict:
        headers.setdefault(HEADER, carried)


def _carried_to(task: Any) -> Contact:
    # An eager task is a call like any other, within whatever contact it is made.
    return get_contact() if task.request.is_eager else contact_of_fields(task.request.get(HEADER))


def _end(task: Any, **_: Any) -> None:
    outer = getattr(task.request, _OUTER, None)
    if outer is not None:
        replace_contact(outer)


def _deliver(**_: Any) -> None:
    lifecycle.deliver_before_exit()


def _note_handlers(**_: Any) -> None:
    for logger in map(logging.getLogger, _TAKEN_OVER):
        _handlers_before[logger.name] = _sending(logger)


def _put_back(logger: logging.Logger, **_: Any) -> None:
    # Celery's own are there by now: it gives none to a logger that has one.
    for handler in _handlers_before.get(logger.name, ()):
        logger.addHandler(handler)
    # Celery has cut `celery.task` off by now, and put the root logger's back before: nothing else would reach them.
    if logger is not logging.root and not logger.propagate:
        for handler in _sending(logging.root):
            logger.addHandler(handler)


def _sending(logger: logging.Logger) -> list[logging.Handler]:
    return [handler for handler in logger.handlers if sends_events(handler)]
