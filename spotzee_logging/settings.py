"""`Settings`: one table of all that can be set, which validation, `doctor` and the docs read.

Explicit argument, then environment (`SPOTZEE_` and the field in capitals), then default.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Final, NamedTuple, NoReturn

from spotzee_logging import late
from spotzee_logging.errors import InvalidSettings, SpotzeeError, did_you_mean
from spotzee_logging.event import Event
from spotzee_logging.foreign import attempt

KIB: Final = 1024
MIB: Final = 1024 * KIB

ApiKey = str | Callable[[], str]
BeforeSend = Callable[[Event], Event | None]
OnError = Callable[[Event | None, SpotzeeError], None]
Session = Any
"""A `requests.Session` or a function that gives one; requests itself is imported with the first batch."""


class Row(NamedTuple):
    """What the table knows of one setting beside its name, type and default."""

    kind: str
    meaning: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    may_be_none: bool = False


def _setting(default: Any, row: Row, *, is_secret: bool = False) -> Any:
    return field(default=default, metadata={"row": row}, repr=not is_secret)


@dataclass(frozen=True)
class Settings:
    """All that can be set, validated; raises `InvalidSettings`, with the remedy, where a value cannot be.

    Making one takes arguments and defaults; `Settings.from_env` looks into the environment too, and is what
    `SpotzeeHandler` does with what it is given. `Settings.table()` lists every setting with its meaning.
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
        Row("text", "the release that `Spotzee-Version` asks for; None leaves it off", may_be_none=True),
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
        Row("count", "the most that pending events may take in memory", unit="bytes", minimum=KIB),
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
            minimum=KIB,
        ),
    )
    overflow: str = _setting(
        "drop_newest",
        Row(
            "choice",
            "what becomes of an event that does not fit: it is dropped, or the oldest that wait are, "
            "or the call blocks",
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
        MIB, Row("count", "the most in one request's body", unit="bytes", minimum=KIB)
    )
    max_event_bytes: int = _setting(
        256 * KIB,
        Row("count", "a larger event is rejected", unit="bytes", minimum=128),
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
        10.0, Row("seconds", "how long the server may be silent", unit="s", minimum=0.001)
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

    def __post_init__(self) -> None:
        for name, row in ROWS.items():
            given = getattr(self, name)
            object.__setattr__(self, name, _valid(name, row, given))
        if self.api_key is None and not self.disabled:
            _refuse("api_key", "is missing", _KEY_REMEDY)
        if self.max_event_bytes + 2 > self.max_batch_bytes:
            _refuse("max_batch_bytes", "is too small for one event of max_event_bytes", "Raise it.")
        for name in ("max_pending_bytes", "spool_max_bytes"):
            if self.max_event_bytes > getattr(self, name):
                _refuse(name, "is smaller than max_event_bytes", "Raise it.")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ, **explicit: Any) -> Settings:
        """Settings from explicit arguments, then `environ`, then defaults; an empty variable counts as unset.

        An `api_key` of None is looked up too. Raises `InvalidSettings` with the argument's or the
        variable's name.
        """
        for name in explicit:
            if name not in ROWS:
                remedy = f"{did_you_mean(name, ROWS)} The settings are {', '.join(ROWS)}."
                _refuse(name, "is no setting", remedy.lstrip())
        if explicit.get("api_key") is None:
            explicit.pop("api_key", None)
        found = {
            name: _parsed(name, row, environ[env_variable(name)])
            for name, row in ROWS.items()
            if name not in explicit and environ.get(env_variable(name), "").strip()
        }
        return cls(**{**found, **explicit})

    @classmethod
    def table(cls) -> list[dict[str, Any]]:
        """Every setting as a dict: `name`, `env`, `type`, `unit`, `default`, `meaning`, and its bounds."""
        return [
            {
                "name": each.name,
                "env": env_variable(each.name),
                "type": each.type,
                "default": None if each.default is MISSING else each.default,
                **ROWS[each.name]._asdict(),
            }
            for each in fields(cls)
        ]


def env_variable(name: str) -> str:
    """The environment variable of a setting: `SPOTZEE_API_KEY` for `api_key`."""
    return f"SPOTZEE_{name.upper()}"


ROWS: Final[Mapping[str, Row]] = {each.name: each.metadata["row"] for each in fields(Settings)}

_KEY_REMEDY: Final = (
    "Pass api_key= or set SPOTZEE_API_KEY to a project's key: sk_… (server side) or pk_… (events only)."
)
_TRUE_WORDS: Final = frozenset({"1", "true", "yes", "on"})
_FALSE_WORDS: Final = frozenset({"0", "false", "no", "off"})


def _valid(name: str, row: Row, value: Any) -> Any:
    if value is None and row.may_be_none:
        return None
    return _VALIDATORS[row.kind](name, row, value)


def _parsed(name: str, row: Row, text: str) -> Any:
    """What a variable's text says; raises `InvalidSettings`, which names the variable and not its text."""
    text = text.strip()
    if row.may_be_none and text.lower() == "none":
        return None
    parsed, failure = attempt(_PARSERS.get(row.kind, str), text)
    if failure is not None:
        words = "on or off" if row.kind == "flag" else "a number"
        _refuse(env_variable(name), f"is not {words}", f"It sets {name}: {row.meaning}.")
    return _valid(env_variable(name), row, parsed)


def _parse_flag(text: str) -> bool:
    if text.lower() in _TRUE_WORDS | _FALSE_WORDS:
        return text.lower() in _TRUE_WORDS
    raise ValueError


def _parse_level(text: str) -> int | str:
    return int(text) if text.isdecimal() else text


_PARSERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "count": int,
    "seconds": float,
    "rate": float,
    "flag": _parse_flag,
    "level": _parse_level,
}

# The longest that Python's locks and sockets wait; they raise at more.
_MOST_OF_KIND: Final[Mapping[str, float]] = {
    "count": sys.maxsize,
    "seconds": threading.TIMEOUT_MAX,
    "rate": sys.maxsize,
}


def _valid_number(name: str, row: Row, value: Any) -> Any:
    types, words = ((int,), "a whole number") if row.kind == "count" else ((int, float), "a number")
    if isinstance(value, bool) or not isinstance(value, types):
        _refuse(name, f"must be {words}, got {type(value).__name__}", f"It is {row.meaning}.")
    least, most = row.minimum or 0, _MOST_OF_KIND[row.kind] if row.maximum is None else row.maximum
    if not least <= value <= most:  # NaN is neither
        bounds = f"from {least} to {most:.0f}" if row.maximum or value > most else f"at least {least}"
        got = "more" if value > sys.maxsize else value  # an int may have more digits than Python prints
        _refuse(name, f"must be {bounds}, got {got}", f"It is {row.meaning}.")
    return value


def _valid_flag(name: str, row: Row, value: Any) -> bool:
    if not isinstance(value, bool):
        _refuse(name, f"must be True or False, got {type(value).__name__}", f"It is: {row.meaning}.")
    return value


def _valid_choice(name: str, row: Row, value: Any) -> str:
    if value not in row.choices:
        remedy = f"{did_you_mean(value, row.choices)} Give one of {', '.join(row.choices)}."
        _refuse(name, "is none of those that there are", remedy.lstrip())
    return row.choices[row.choices.index(value)]  # a str-Enum's member equals its choice, and is more than it


def _valid_text(name: str, _: Row, value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isascii() or not value.isprintable():
        _refuse(name, "must be printable ASCII text", 'Give it as in "2026-04-28".')
    return value.strip()  # a header must not begin with white space


def _valid_path(name: str, _: Row, value: Any) -> str:
    path = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(path, str) or not path.strip() or "\0" in path:
        _refuse(name, "must be the path of a file", 'Give it as in "events.db".')
    return os.path.expanduser(path)  # noqa: PTH111  pathlib would be imported for this alone


def _valid_level(name: str, _: Row, value: Any) -> int:
    level = logging.getLevelName(value) if isinstance(value, str) else value
    if isinstance(level, bool) or not isinstance(level, int):
        _refuse(name, "is no level of logging's", 'Give logging.ERROR, "ERROR" or a number.')
    return level


def _valid_callable(name: str, _: Row, value: Any) -> Any:
    found = _resolved(name, value, _CALLABLE_REMEDY)
    if not callable(found):
        _refuse(name, _not_it(value, found, "callable"), _CALLABLE_REMEDY)
    return found


def _valid_session(name: str, _: Row, value: Any) -> Any:
    found = _resolved(name, value, _SESSION_REMEDY)
    if not callable(found) and not callable(getattr(found, "post", None)):
        _refuse(name, _not_it(value, found, "requests.Session"), _SESSION_REMEDY)
    return found


def _not_it(given: Any, found: Any, wanted: str) -> str:
    if isinstance(given, str):
        return f"names {given!r}, which is no {wanted}"
    return f"must be a {wanted}, got {type(found).__name__}"


def _resolved(name: str, value: Any, remedy: str) -> Any:
    """The object that a text such as `"shop.privacy:redact"` names; anything else is itself."""
    if not isinstance(value, str):
        return value
    found, failure = attempt(late.module("pkgutil").resolve_name, value)
    if failure is not None:
        raise _error(name, f"names {value!r}, which cannot be imported", remedy) from failure
    return found


_CALLABLE_REMEDY: Final = 'Give a function, or its place as text, as in "shop.privacy:redact".'
_SESSION_REMEDY: Final = (
    'Give a function that makes one, or its place as text, as in "shop.network:make_session".'
)


def _valid_key(name: str, _: Row, value: Any) -> Any:
    """The key, without the white space that files and secrets' stores leave around it; never in a message."""
    if callable(value):
        return value
    if not isinstance(value, str):
        _refuse(name, f"must be a string, got {type(value).__name__}", _KEY_REMEDY)
    key = value.strip()
    if key.startswith("ok_"):
        _refuse(name, "is an organisation's (ok_…), which /api/admin takes and /events refuses", _KEY_REMEDY)
    if not key.startswith(("sk_", "pk_")):
        _refuse(name, "does not start with sk_ or pk_", _KEY_REMEDY)
    if len(key) == len("sk_") or not key.isascii() or not key.isprintable() or " " in key:
        _refuse(name, "is cut short, or holds characters that no key has", _KEY_REMEDY)
    return key


def _valid_url(name: str, _: Row, value: Any) -> str:
    if not isinstance(value, str):
        _refuse(name, f"must be a string, got {type(value).__name__}", _URL_REMEDY)
    url = value.strip().rstrip("/")
    try:
        parts = late.module("urllib.parse").urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        _refuse(name, "is no URL", _URL_REMEDY)
    if parts.scheme not in {"http", "https"} or not host or not url.isprintable() or " " in url:
        _refuse(name, "is no http(s) URL", _URL_REMEDY)
    if "?" in url or "#" in url or "@" in parts.netloc:
        _refuse(name, "has a user, a query or a fragment, which would travel with every event", _URL_REMEDY)
    if parts.path.endswith("/events"):
        _refuse(name, "ends in /events, which is added to it", "Leave /events off.")
    if parts.scheme == "http" and not _is_loopback(host):
        _refuse(name, "is plain http, which shows the key to everyone on the way", "Use https.")
    return url


_URL_REMEDY: Final = "Give it as in https://apix.spotzee.com/api/client, or leave it out."


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return bool(late.module("ipaddress").ip_address(host).is_loopback)
    except ValueError:
        return False


def _valid_names(name: str, _: Row, value: Any) -> tuple[str, ...]:
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, Iterable) or isinstance(names, Mapping):
        _refuse(name, f"must be names of keys, got {type(value).__name__}", _NAMES_REMEDY)
    listed = list(names)
    if not all(isinstance(each, str) for each in listed):
        _refuse(name, "holds what is no name of a key", _NAMES_REMEDY)
    return tuple(each.strip() for each in listed if each.strip())


_NAMES_REMEDY: Final = 'Give texts, as in redact=("password", "token"), or () for none.'

_VALIDATORS: Final[Mapping[str, Callable[[str, Row, Any], Any]]] = {
    "key": _valid_key,
    "url": _valid_url,
    "text": _valid_text,
    "choice": _valid_choice,
    "count": _valid_number,
    "seconds": _valid_number,
    "rate": _valid_number,
    "level": _valid_level,
    "path": _valid_path,
    "callable": _valid_callable,
    "session": _valid_session,
    "flag": _valid_flag,
    "names": _valid_names,
}


def validated(name: str, value: Any) -> Any:
    """`value` as the setting `name` would hold it; raises `InvalidSettings` where it cannot."""
    return _valid(name, ROWS[name], value)


def _error(name: str, problem: str, remedy: str) -> InvalidSettings:
    return InvalidSettings(f"{name} {problem}. {remedy}", setting=name)


def _refuse(name: str, problem: str, remedy: str) -> NoReturn:
    raise _error(name, problem, remedy)
