"""A local server that plays the Spotzee events API strictly, for tests and for development.

It needs the extra `sandbox`; without it, importing this package raises `MissingExtra`.
"""

from __future__ import annotations

from spotzee_logging.errors import MissingExtra

try:
    from spotzee_logging.sandbox.app import create_app
    from spotzee_logging.sandbox.faults import FaultScript
    from spotzee_logging.sandbox.guard import is_loopback
    from spotzee_logging.sandbox.server import Sandbox
    from spotzee_logging.sandbox.store import RequestRecord, Store
except ImportError as error:
    if (error.name or "").startswith("spotzee_logging"):
        raise
    raise MissingExtra("the sandbox", "sandbox") from error

__all__ = ["FaultScript", "RequestRecord", "Sandbox", "Store", "create_app", "is_loopback"]
