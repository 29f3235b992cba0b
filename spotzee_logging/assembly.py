"""What a handler delivers with, put together: a reporter, a buffer, a client and a dispatcher."""

from __future__ import annotations

import inspect
from typing import Any, cast

from spotzee_logging import late
from spotzee_logging.buffers.base import Buffer
from spotzee_logging.buffers.memory import MemoryBuffer
from spotzee_logging.client import ApiClient
from spotzee_logging.diagnostics import Diagnostics
from spotzee_logging.dispatcher import Dispatcher
from spotzee_logging.errors import InvalidSettings
from spotzee_logging.reporting import Reporter
from spotzee_logging.setting_types import OnError
from spotzee_logging.settings import Settings
from spotzee_logging.stats import Ledger


def dispatcher_for(settings: Settings, buffer: Buffer | None) -> Dispatcher:
    """Delivers what the buffer holds. Raises `SpoolError`, and `InvalidSettings` for what is no buffer.

    :param buffer: where events wait; None: the one that the settings name.
    """
    held_in = _buffer_for(settings) if buffer is None else checked_buffer(buffer)
    reporter = Reporter(Ledger(), Diagnostics(), cast("OnError | None", settings.on_error))
    return Dispatcher(settings, held_in, ApiClient(settings), reporter)


def checked_buffer(buffer: Buffer) -> Buffer:
    """The buffer itself. Raises `InvalidSettings` for what is none."""
    contract = [name for name in vars(Buffer) if not name.startswith("_")]
    # What stands there is not asked for, and may raise; what another object does in its place is found by asking.
    missing = [
        name
        for name in (*contract, "__len__")
        if inspect.getattr_static(buffer, name, None) is None and not hasattr(buffer, name)
    ]
    if missing:
        raise InvalidSettings(
            f"buffer must keep the contract of spotzee_logging.buffers.base.Buffer, and {type(buffer).__name__} has "
            f"no {', '.join(missing)}. Leave it out, or derive it from spotzee_logging.buffers.memory.MemoryBuffer.",
            setting="buffer",
        )
    return buffer


def _buffer_for(settings: Settings) -> Buffer:
    """Where events wait. Raises `SpoolError`."""
    drops_oldest = settings.overflow == "drop_oldest"
    if settings.spool is None or settings.disabled:
        return MemoryBuffer(settings.max_pending_bytes, drops_oldest=drops_oldest)
    sqlite: Any = late.module("spotzee_logging.buffers.sqlite")  # few programs need SQLite
    spool: Buffer = sqlite.SqliteBuffer(
        str(settings.spool),
        settings.spool_max_bytes,
        drops_oldest=drops_oldest,
        is_power_safe=settings.durability == "power",
        max_memory_bytes=settings.max_pending_bytes,
    )
    return spool
