"""Business events ride on Python's logging and arrive at Spotzee in batches.

Tag a record, `logger.info("order placed", extra={"spotzee_event": {...}})`, and put a `SpotzeeHandler` on
its logger, or decorate a function with `@track`; see the README for a complete program.
"""

import typing

from spotzee_logging import errors, late
from spotzee_logging.contact import ContactFilter, bind_contact, clear_contact, contact, get_contact
from spotzee_logging.event import Event, EventTag, UserFields
from spotzee_logging.formatter import EventFormatter
from spotzee_logging.handler import SpotzeeHandler, flush
from spotzee_logging.version import __version__ as __version__

if typing.TYPE_CHECKING:
    # Modules that are imported late, by name: here tools that freeze a program (PyInstaller) see that it needs them.
    import difflib  # noqa: F401
    import encodings.idna  # noqa: F401
    import ipaddress  # noqa: F401
    import pkgutil  # noqa: F401
    import urllib.parse  # noqa: F401
    import zoneinfo  # noqa: F401

    import spotzee_logging.assembly
    import spotzee_logging.buffers.sqlite
    import spotzee_logging.silence
    import spotzee_logging.track_wrapt  # noqa: F401
    from spotzee_logging.markers import arg, elapsed, error, result
    from spotzee_logging.settings import Settings
    from spotzee_logging.sigterm import flush_on_sigterm
    from spotzee_logging.stats import Stats
    from spotzee_logging.tracking import track
else:  # these come with their first use: few programs need them all, and each takes its time
    __getattr__, __dir__ = late.names(
        globals(),
        {
            **dict.fromkeys(("arg", "elapsed", "error", "result"), "spotzee_logging.markers"),
            "flush_on_sigterm": "spotzee_logging.sigterm",
            "Settings": "spotzee_logging.settings",
            "Stats": "spotzee_logging.stats",
            "track": "spotzee_logging.tracking",
        },
    )

__all__ = [
    "ContactFilter",
    "Event",
    "EventFormatter",
    "EventTag",
    "Settings",
    "SpotzeeHandler",
    "Stats",
    "UserFields",
    "arg",
    "bind_contact",
    "clear_contact",
    "contact",
    "elapsed",
    "error",
    "errors",
    "flush",
    "flush_on_sigterm",
    "get_contact",
    "result",
    "track",
]
