"""The program whose logging is looked at: loaded as it loads itself, though none of its events leave."""

from __future__ import annotations

import contextlib
import gc
import importlib
import logging
import os
import pkgutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import packages_distributions
from pathlib import PurePath
from typing import Final, NamedTuple

from spotzee_logging import assembly
from spotzee_logging.buffers.base import Buffer
from spotzee_logging.cli.doctor.sources import Sources
from spotzee_logging.dispatcher import Dispatcher
from spotzee_logging.errors import SpotzeeError
from spotzee_logging.event import Event
from spotzee_logging.foreign import attempt
from spotzee_logging.handler import SpotzeeHandler
from spotzee_logging.logger_tree import all_loggers
from spotzee_logging.settings import Settings

# What no list of installed distributions has: the standard library's, and ours where it is installed to be edited.
_NO_PROGRAMS_OWN: Final = frozenset({"asyncio", "concurrent", "multiprocessing", "spotzee_logging"})

_heard: list[str] = []


def no_session() -> None:
    """In the place of a session while a program is loaded: what it logs meanwhile is not sent."""
    raise ConnectionError


def hear(_: Event | None, error: SpotzeeError) -> None:
    """In the place of `on_error` meanwhile: what is rejected then."""
    if error.reason != "closed":
        _heard.append(str(error))


class Failure(NamedTuple):
    """Why a program could not be loaded, and what to do."""

    says: str
    remedy: str = (
        "Set that right first, or name what configures logging alone, as in shop.logs or shop.logs:configure."
    )


@dataclass
class Program:
    """A loaded program.

    :param failure: why it could not be loaded; None where it could.
    :param handlers: its SpotzeeHandlers.
    :param loggers: its own loggers and the root logger, without those of libraries.
    :param sources: those of its own modules.
    :param rejected: events that it logged while it was loaded, and that broke a rule.
    """

    failure: Failure | None
    handlers: Sequence[SpotzeeHandler]
    loggers: Sequence[logging.Logger]
    sources: Sources
    rejected: Sequence[str]

    @staticmethod
    def settings_of(handler: SpotzeeHandler) -> Settings:
        """A handler's settings."""
        settings: Settings = handler._settings  # noqa: SLF001  the handler shows them to nobody else
        return settings


def load(names: Sequence[str], django_settings: str | None) -> Program:
    """Import what was named, and call it where a function was: `shop.logs`, or `shop.logs:configure`."""
    modules_before, loggers_before = set(sys.modules), {logger.name for logger in all_loggers()}
    _heard.clear()
    with _in_its_folder(), _without_sending(), _quiet():
        failure = _failure_of(names, django_settings)
    tops = {name.partition(":")[0].partition(".")[0] for name in (*names, django_settings or "") if name}
    foreign = (packages_distributions().keys() | _NO_PROGRAMS_OWN) - tops
    loggers = [
        logger
        for logger in all_loggers()
        if logger is logging.root
        or (logger.name not in loggers_before and logger.name.partition(".")[0] not in foreign)
    ]
    modules = [
        module
        for name, module in list(sys.modules.items())
        if name not in modules_before
        and name.partition(".")[0] not in (foreign | sys.stdlib_module_names) - tops
    ]
    handlers = list(_handlers())
    rejected = list(_heard)
    _let_go(handlers)
    return Program(failure, handlers, loggers, Sources(modules), rejected)


def _failure_of(names: Sequence[str], django_settings: str | None) -> Failure | None:
    if django_settings is not None:
        failure = _failure(_set_up_django, django_settings)
        if failure:
            return failure
    return next((failure for name in names if (failure := _failure(_import, name))), None)


def _failure(load_it: object, name: str) -> Failure | None:
    assert callable(load_it)
    try:
        _, failure = attempt(load_it, name)
    except SystemExit as ending:
        return Failure(f"{name} ends the process when it is loaded (exit code {ending.code})")
    if failure is None:
        return None
    says = f"{name} cannot be loaded: {_told(failure)}"
    if isinstance(failure, ModuleNotFoundError) and failure.name == name.partition(":")[0].partition(".")[0]:
        return Failure(says, "Run this in the project's folder, or name that folder in PYTHONPATH.")
    return Failure(says)


def _told(failure: BaseException) -> str:
    """What happened; dictConfig hides what was wrong with a handler behind an error of its own."""
    errors = list(_with_causes(failure))
    ours = next((error for error in errors if isinstance(error, SpotzeeError)), None)
    return str(ours) if ours else ": ".join(f"{type(error).__name__}: {error}" for error in errors)


def _with_causes(failure: BaseException) -> Iterator[BaseException]:
    error: BaseException | None = failure
    while error is not None:
        yield error
        error = error.__cause__


def _import(name: str) -> None:
    _refuse_file(name)
    if ":" in name:
        pkgutil.resolve_name(name)()
    else:
        importlib.import_module(name)


def _refuse_file(name: str) -> None:
    """`shop/logs.py` would run the program and then ask `logs` for a `py`."""
    file, colon, function = name.partition(":")
    if file.endswith(".py") or "/" in file or os.sep in file:
        parts = PurePath(file.removesuffix(".py")).parts
        is_inside = not PurePath(file).is_absolute() and ".." not in parts
        module = ".".join(parts if is_inside else parts[-1:])
        raise SpotzeeError(f"give the module's name, {module}{colon}{function}, not its file")


def _set_up_django(settings_module: str) -> None:
    _refuse_file(settings_module)
    os.environ["DJANGO_SETTINGS_MODULE"] = settings_module
    try:
        django = importlib.import_module("django")
    except ImportError as error:
        raise SpotzeeError("Django is not installed here: run this with the program's own Python") from error
    django.setup()
    # Most events are logged by views, and these come with the URLs: `manage.py check` loads as much.
    urls = getattr(importlib.import_module("django.conf").settings, "ROOT_URLCONF", None)
    if urls is not None:
        importlib.import_module(urls)


@contextlib.contextmanager
def _in_its_folder() -> Iterator[None]:
    """As `python -m` does, and a console script does not."""
    sys.path.insert(0, os.getcwd())  # noqa: PTH109  a text, as sys.path holds them
    try:
        yield
    finally:
        sys.path.remove(os.getcwd())  # noqa: PTH109


@contextlib.contextmanager
def _without_sending() -> Iterator[None]:
    """Handlers that are made meanwhile have no way to the server, and nothing of the program's keeps their events."""
    dispatcher_for = assembly.dispatcher_for

    def harmless_dispatcher_for(settings: Settings, buffer: Buffer | None) -> Dispatcher:
        if buffer is not None:
            assembly.checked_buffer(buffer)
        return dispatcher_for(replace(settings, session=no_session, on_error=hear, spool=None), None)

    assembly.dispatcher_for = harmless_dispatcher_for
    try:
        yield
    finally:
        assembly.dispatcher_for = dispatcher_for


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """What the program prints while it loads is no part of the result on stdout."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def _handlers() -> Iterator[SpotzeeHandler]:
    for each in gc.get_objects():
        # By type(): a lazy proxy that is asked for its class may import, or raise, whatever it stands for.
        # One that could not be made may be there yet, as the error's traceback holds it: it has no level set.
        if issubclass(type(each), SpotzeeHandler) and "_flush_level" in vars(each):
            yield each


def _let_go(handlers: Sequence[SpotzeeHandler]) -> None:
    for handler in handlers:
        handler.flushOnClose = False
        handler.close()
