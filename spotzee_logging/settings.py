"""`Settings`: one table of all that can be set, which validation, `doctor` and the docs read.

Explicit argument, then environment (`SPOTZEE_` and the field in capitals), then default.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final

from spotzee_logging.errors import did_you_mean
from spotzee_logging.event import ARRAY_BRACKETS_BYTES, MOST_BYTES
from spotzee_logging.setting_kinds import MISSING_KEY_REMEDY, Row, parsed, refuse, valid
from spotzee_logging.setting_types import ApiKey, BeforeSend, GivenSettings, OnError, Session

if TYPE_CHECKING:
    from typing_extensions import Unpack

MIB: Final = 1024 * 1024


def _setting(default: Any, row: Row, *, is_secret: bool = False) -> Any:
    return field(default=default, metadata={"row": row}, repr=not is_secret)


@dataclass(frozen=True, init=False)
class Settings:
    """All that can be set: from explicit arguments, then the environment, then defaults, as a handler's are.

    An empty variable counts as unset, and an `api_key` of None is looked up too. Raises `InvalidSettings`, with the
    remedy, where a value cannot be. `Settings.table()` lists every setting with its meaning.
    """

    api_key: ApiKey | None = _setting(
        None,
        Row(
            "key",
            "the project's key: `sk_…`, or `pk_…`, which may send events only; or a function that gives it, "
            "asked for each request",
            may_be_none=True,
        ),
        is_secret=True,
    )
    base_url: str = _setting(
        "https://apix.spotzee.com/api/client",
        Row("url", "where the API is; plain `http` only to this machine (the sandbox)"),
    )
    api_version: str | None = _setting(
        "2026-04-28",
        Row("date", "the release that `Spotzee-Version` asks for; None leaves it off", may_be_none=True),
    )
    client_type: str | None = _setting(
        None,
        Row(
            "choice",
            "what `x-spotzee-client-type` says; a backend leaves it off",
            choices=("mcp", "mobile", "sdk-js", "sdk-android", "sdk-ios", "cli", "unknown"),
            may_be_none=True,
        ),
    )
    capacity: int = _setting(
        100,
        Row(
            "count",
            "pending events that wake the dispatcher, and the most in one request",
            unit="events",
            minimum=1,
            maximum=100,
        ),
    )
    flush_level: int | str = _setting(
        logging.ERROR,
        Row("level", "a tagged record at this level or above wakes the dispatcher at once"),
    )
    flush_interval_seconds: float = _setting(
        1.0, Row("seconds", "how old a pending event gets before it is sent", unit="s", minimum=0)
    )
    max_pending_bytes: int = _setting(
        32 * MIB,
        Row("count", "the most that pending events may take in memory", unit="bytes", minimum=256),
    )
    spool: str | os.PathLike[str] | None = _setting(
        None,
        Row(
            "path",
            "a file in which events are kept until they are delivered, also past the process's end; one project's",
            may_be_none=True,
        ),
    )
    durability: str = _setting(
        "process",
        Row(
            "choice",
            "what events in a spool survive: the process's death, or a power failure too, for which each call waits",
            choices=("process", "power"),
        ),
    )
    spool_max_bytes: int = _setting(
        1024 * MIB,
        Row(
            "count",
            "the most that the events in a spool may take, of all processes",
            unit="bytes",
            minimum=256,
        ),
    )
    overflow: str = _setting(
        "drop_newest",
        Row(
            "choice",
            "what happens when there is no room for an event: drop it, drop the oldest that wait, or block the call",
            choices=("drop_newest", "drop_oldest", "block"),
        ),
    )
    block_timeout_seconds: float = _setting(
        1.0,
        Row(
            "seconds",
            'with `overflow="block"`, how long a call waits for room before its event is dropped',
            unit="s",
            minimum=0,
        ),
    )
    max_batch_bytes: int = _setting(
        MIB, Row("count", "the most in one request's body", unit="bytes", minimum=256)
    )
    max_event_bytes: int = _setting(
        MOST_BYTES,
        Row(
            "count",
            "a larger event is rejected; by default no more than the smallest of the other bounds holds",
            unit="bytes",
            minimum=128,
        ),
    )
    connections: int = _setting(
        4,
        Row(
            "count",
            "the most requests in flight; one serves while it keeps up, and a contact's events stay in order",
            unit="requests",
            minimum=1,
            maximum=100,
        ),
    )
    requests_per_second: float | None = _setting(
        100.0,
        Row(
            "rate",
            "the pace of this process: at most ten times so many requests in any 10 seconds; None: unpaced",
            unit="1/s",
            minimum=0.1,
            maximum=10_000,
            may_be_none=True,
        ),
    )
    connect_timeout_seconds: float = _setting(
        3.0, Row("seconds", "how long a connection may take to open", unit="s", minimum=0.001)
    )
    read_timeout_seconds: float = _setting(
        10.0,
        Row(
            "seconds",
            "how long the headers of the server's answer may take, and then its body",
            unit="s",
            minimum=0.001,
        ),
    )
    shutdown_timeout_seconds: float = _setting(
        5.0,
        Row("seconds", "how long flush, close and the interpreter's exit wait", unit="s", minimum=0),
    )
    session: Session | str | None = _setting(
        None,
        Row(
            "session",
            "a `requests.Session` to send with, or better a function that makes one: proxies, certificates and "
            "adapters as you need them; the key, the headers and the timeouts stay ours",
            may_be_none=True,
        ),
        is_secret=True,
    )
    before_send: BeforeSend | str | None = _setting(
        None,
        Row(
            "callable",
            "`(Event) -> Event | None`, in the caller's thread: changes an event, or drops it with None",
            may_be_none=True,
        ),
    )
    redact: Sequence[str] | str | None = _setting(
        (
            "password",
            "passwd",
            "secret",
            "token",
            "api_key",
            "authorization",
            "card_number",
            "iban",
        ),
        Row(
            "names",
            'keys of `data` and `user.data`, at any depth, whose values become `"[redacted]"`; '
            "`card_number` and `iban` stand for such numbers in all values too; `()` and None: nothing",
            may_be_none=True,
        ),
    )
    on_error: OnError | str | None = _setting(
        None,
        Row(
            "callable",
            "`(Event | None, SpotzeeError) -> None`: told of every rejected and dropped event, and of a pause",
            may_be_none=True,
        ),
    )
    strict: bool = _setting(
        False, Row("flag", "an invalid event raises at the call: for tests and development")
    )
    disabled: bool = _setting(False, Row("flag", "accept and count events, send nothing"))

    def __init__(self, api_key: ApiKey | None = None, **given: Unpack[GivenSettings]) -> None:
        self._take(_given(os.environ, {"api_key": api_key, **given}))

    def _take(self, given: Mapping[str, Any]) -> None:
        for each in fields(self):
            value = given.get(each.name, each.default)
            object.__setattr__(self, each.name, valid(each.name, ROWS[each.name], value))
        if self.api_key is None and not self.disabled:
            refuse("api_key", "is missing", MISSING_KEY_REMEDY)
        room = {
            "max_batch_bytes": self.max_batch_bytes - ARRAY_BRACKETS_BYTES,
            "max_pending_bytes": self.max_pending_bytes,
            "spool_max_bytes": self.spool_max_bytes,
        }
        if "max_event_bytes" not in given:
            object.__setattr__(self, "max_event_bytes", min(MOST_BYTES, *room.values()))
        for name, most_bytes in room.items():
            if self.max_event_bytes > most_bytes:
                refuse(name, "has no room for one event of max_event_bytes", "Raise it, or lower that.")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ, **explicit: Any) -> Settings:
        """Settings from explicit arguments, then `environ`, then defaults; raises as making one does."""
        made = cls.__new__(cls)
        made._take(_given(environ, explicit))  # noqa: SLF001  in the place of its __init__
        return made

    @classmethod
    def table(cls) -> list[dict[str, Any]]:
        """Every setting as a dict: `name`, `env`, `type`, `unit`, `default`, `meaning`, and its bounds."""
        return [
            {
                "name": each.name,
                "env": env_variable(each.name),
                "type": each.type,
                "default": each.default,
                **ROWS[each.name]._asdict(),
            }
            for each in fields(cls)
        ]


_OF_A_HANDLER: Final = {"flushOnClose": "Set it on the handler, as in handler.flushOnClose = False."}
"""What a `MemoryHandler` is given where it is made, and ours has as an attribute alone."""


def _given(environ: Mapping[str, str], explicit: Mapping[str, Any]) -> dict[str, Any]:
    """The value of each setting that is given: the explicit one, else that of its variable."""
    for name in explicit:
        if name not in ROWS:
            remedy = f"{did_you_mean(name, ROWS)} The settings are {', '.join(ROWS)}."
            refuse(name, "is no setting", _OF_A_HANDLER.get(name, remedy.lstrip()))
    given = {name: value for name, value in explicit.items() if name != "api_key" or value is not None}
    found = {
        name: parsed(name, row, environ[env_variable(name)], env_variable(name))
        for name, row in ROWS.items()
        if name not in given and environ.get(env_variable(name), "").strip()
    }
    return {**found, **given}


def env_variable(name: str) -> str:
    """The environment variable of a setting: `SPOTZEE_API_KEY` for `api_key`."""
    return f"SPOTZEE_{name.upper()}"


ROWS: Final[Mapping[str, Row]] = {each.name: each.metadata["row"] for each in fields(Settings)}


def validated(name: str, value: Any) -> Any:
    """`value` as the setting `name` would hold it; raises `InvalidSettings` where it cannot."""
    return valid(name, ROWS[name], value)
