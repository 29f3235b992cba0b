"""pytest's side: what the code under test tracked, without a network, or a whole server for tests from end to end.

pytest loads it by itself where this package is installed (`pytest11`); it brings neither the transport nor the
sandbox before a test asks for them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import pytest

from spotzee_logging.amounts import amount
from spotzee_logging.contact import bind_contact, clear_contact, get_contact
from spotzee_logging.diagnostics import Diagnostics
from spotzee_logging.event import Event
from spotzee_logging.handler import SpotzeeHandler
from spotzee_logging.identity import as_dict
from spotzee_logging.logger_tree import all_loggers, handlers_on_any
from spotzee_logging.testing.tracked_events import TrackedEvents

if TYPE_CHECKING:
    from spotzee_logging.sandbox import Sandbox

__all__ = ["TrackedEvents", "assert_not_tracked", "assert_tracked"]

# A handler that is made in a test would deliver what real processes have left there, and it would be gone.
_SPOOL: Final = "SPOTZEE_SPOOL"

_of_this_test: Final[list[TrackedEvents]] = []


@pytest.fixture
def spotzee_events(request: pytest.FixtureRequest) -> Iterator[TrackedEvents]:
    """What the code under test tracks, as a list of `Event`, with `assert_tracked` and `assert_not_tracked`.

    Tagged records and decorated calls are seen in all threads and tasks of this process, whatever levels,
    disabled loggers, `propagate` and configuration say. Nothing is sent, but to `spotzee_sandbox` where the test
    has that too. An invalid event raises `InvalidEvent` at its call. Who is acting is as before when the test ends.
    While the test runs, `SPOTZEE_SPOOL` is not set: what waits there is no test's.
    """
    # Here: whoever runs other tests pays nothing for it.
    from spotzee_logging.testing.capture import Capture  # noqa: PLC0415

    def may_send(handler: SpotzeeHandler) -> bool:
        if "spotzee_sandbox" not in request.fixturenames:
            return False
        return bool(handler.base_url == request.getfixturevalue("spotzee_sandbox").url)

    events = TrackedEvents()
    acting = get_contact()
    _of_this_test.append(events)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(_SPOOL, raising=False)
        Capture(events, may_send).install(patch.setattr)
        yield events
    _of_this_test.remove(events)
    clear_contact()
    bind_contact(**as_dict(acting))


@pytest.fixture
def spotzee_sandbox() -> Iterator[Sandbox]:
    """A running `Sandbox`, the API as a server on this machine; it needs the extra `sandbox`.

    While the test runs, `SPOTZEE_BASE_URL` and `SPOTZEE_API_KEY` name it: handlers that are made without these
    settings send to it, those of processes that the test starts too, and also where `SPOTZEE_DISABLED` is set.
    `SPOTZEE_SPOOL` is not: what waits there would be sent to it, and be gone. Handlers that were made before send
    nothing meanwhile, as if they were `disabled`, and a line says so; those that send to this machine do.
    """
    from spotzee_logging.sandbox import Sandbox  # noqa: PLC0415  a web server, which few tests need

    with Sandbox() as sandbox, pytest.MonkeyPatch.context() as patch:
        _have_earlier_ones_send_nothing(patch)
        patch.setenv("SPOTZEE_BASE_URL", sandbox.url)
        patch.setenv("SPOTZEE_API_KEY", "sk_test")
        patch.delenv("SPOTZEE_DISABLED", raising=False)
        patch.delenv(_SPOOL, raising=False)
        yield sandbox


@pytest.fixture
def make_spotzee_handler(spotzee_sandbox: Sandbox) -> Iterator[Callable[..., SpotzeeHandler]]:
    """A function that makes handlers for `spotzee_sandbox`: it takes what `SpotzeeHandler` takes.

    When the test ends, each is taken off the loggers and closed, and what it has pending is dropped.
    """
    made: list[SpotzeeHandler] = []

    def make(api_key: str = "sk_test", **settings: Any) -> SpotzeeHandler:
        settings.setdefault("base_url", spotzee_sandbox.url)
        made.append(SpotzeeHandler(api_key, **settings))
        return made[-1]

    yield make
    for handler in made:
        _take_off_loggers(handler)
        handler.flushOnClose = False
        handler.close()


def assert_tracked(  # noqa: PLR0913  an event's fields, each optional
    name: str,
    /,
    *,
    external_id: str | None = None,
    anonymous_id: str | None = None,
    data: Mapping[str, Any] | None = None,
    user: Mapping[str, Any] | None = None,
    times: int | None = None,
) -> Event:
    """Give what `spotzee_events.assert_tracked` gives, in a test that has this fixture in whatever way.

    For tests that cannot name it as an argument, such as the methods of a `unittest.TestCase` that pytest runs. Raises
    AssertionError as that does, and RuntimeError where the test does not use the fixture, or pytest does not run it.
    """
    __tracebackhide__ = True
    events = _events_of_this_test()
    return events.assert_tracked(
        name, external_id=external_id, anonymous_id=anonymous_id, data=data, user=user, times=times
    )


def assert_not_tracked(
    name: str,
    /,
    *,
    external_id: str | None = None,
    anonymous_id: str | None = None,
    data: Mapping[str, Any] | None = None,
    user: Mapping[str, Any] | None = None,
) -> None:
    """Do what `spotzee_events.assert_not_tracked` does; see `assert_tracked`."""
    __tracebackhide__ = True
    events = _events_of_this_test()
    events.assert_not_tracked(name, external_id=external_id, anonymous_id=anonymous_id, data=data, user=user)


def _events_of_this_test() -> TrackedEvents:
    if not _of_this_test:
        raise RuntimeError(
            "this test does not use the fixture spotzee_events, or is not run by pytest, whose fixture that is. "
            'Name it as an argument of the test, or put @pytest.mark.usefixtures("spotzee_events") on it or on its '
            "class; and run it by pytest, not by manage.py test or python -m unittest, which know no fixtures."
        )
    return _of_this_test[-1]


def _have_earlier_ones_send_nothing(patch: pytest.MonkeyPatch) -> None:
    """Handlers of the program's, made as it was imported, know another address: the real one, as like as not."""
    from urllib.parse import urlsplit  # noqa: PLC0415  as above

    from spotzee_logging.setting_kinds import is_loopback  # noqa: PLC0415

    listed = (reference() for reference in list(vars(logging)["_handlerList"]))  # those of QueueListeners too
    earlier = {
        each
        for each in (*handlers_on_any(), *listed)
        if isinstance(each, SpotzeeHandler) and not is_loopback(urlsplit(each.base_url).hostname or "")
    }
    for handler in earlier:
        patch.setattr(handler._intake, "_is_disabled", True)  # noqa: SLF001  as the setting of that name does
    if earlier:
        Diagnostics().say(
            "made_before",
            logging.WARNING,
            f"{amount(len(earlier), 'SpotzeeHandler', 'SpotzeeHandlers')} made before this test would send elsewhere "
            "than to spotzee_sandbox, and send nothing in it. Make them in the test, as make_spotzee_handler does.",
        )


def _take_off_loggers(handler: logging.Handler) -> None:
    for logger in all_loggers():
        logger.removeHandler(handler)
