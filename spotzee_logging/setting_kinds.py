"""What values a setting of each kind takes, from a program and from the environment, and what is said of others."""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any, Final, NamedTuple, NoReturn

from spotzee_logging import late
from spotzee_logging.errors import InvalidSettings, did_you_mean
from spotzee_logging.foreign import attempt, how_raised, is_async


class Row(NamedTuple):
    """What the table knows of one setting beside its name, type and default."""

    kind: str
    meaning: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    may_be_none: bool = False


KEY_REMEDY: Final = (
    "Pass api_key= or set SPOTZEE_API_KEY to a project's key: sk_… (server side) or pk_… (events only)."
)
MISSING_KEY_REMEDY: Final = f"{KEY_REMEDY} A machine that must send nothing sets SPOTZEE_DISABLED=1."
_TRUE_WORDS: Final = frozenset({"1", "true", "yes", "on"})
_FALSE_WORDS: Final = frozenset({"0", "false", "no", "off"})


def valid(name: str, row: Row, value: Any) -> Any:
    """`value` as the setting holds it; raises `InvalidSettings` under this name where it cannot."""
    if value is None and row.may_be_none:
        return None
    return _VALIDATORS[row.kind](name, row, value)


def parsed(name: str, row: Row, text: str, variable: str) -> Any:
    """What a variable's text says; raises `InvalidSettings`, which names the variable and not its text."""
    text = text.strip()
    if row.may_be_none and text.lower() == "none":
        return None
    value, failure = attempt(_PARSERS.get(row.kind, str), text)
    if failure is not None:
        words = "on or off" if row.kind == "flag" else "a number"
        refuse(variable, f"is not {words}", f"It sets {name}: {row.meaning}.")
    return valid(variable, row, value)


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
        refuse(name, f"must be {words}, got {type(value).__name__}", f"Its meaning: {row.meaning}.")
    least, most = row.minimum or 0, _MOST_OF_KIND[row.kind] if row.maximum is None else row.maximum
    if not least <= value <= most:  # NaN is neither
        bounds = f"from {least} to {most:.0f}" if row.maximum or value > most else f"at least {least}"
        got = "more" if value > sys.maxsize else value  # an int may have more digits than Python prints
        refuse(name, f"must be {bounds}, got {got}", f"Its meaning: {row.meaning}.")
    return value


def _valid_flag(name: str, row: Row, value: Any) -> bool:
    if not isinstance(value, bool):
        refuse(name, f"must be True or False, got {type(value).__name__}", f"Its meaning: {row.meaning}.")
    return value


def _valid_choice(name: str, row: Row, value: Any) -> str:
    if value not in row.choices:
        remedy = f"{did_you_mean(value, row.choices)} Give one of {', '.join(row.choices)}."
        refuse(name, "is none of those that there are", remedy.lstrip())
    return row.choices[row.choices.index(value)]  # a str-Enum's member equals its choice, and is more than it


def _valid_date(name: str, _: Row, value: Any) -> str:
    text = value.strip() if isinstance(value, str) else ""  # a header must not begin with white space
    # The form too: from Python 3.11 on `fromisoformat` takes others.
    if _DATE.fullmatch(text) is None or attempt(date.fromisoformat, text)[0] is None:
        refuse(name, "is no ISO date, and the API would refuse every event", 'Give it as in "2026-04-28".')
    return text


_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _valid_path(name: str, _: Row, value: Any) -> str:
    path = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(path, str) or not path.strip() or "\0" in path:
        refuse(name, "must be the path of a file", 'Give it as in "events.db".')
    return os.path.expanduser(path)  # noqa: PTH111  pathlib would be imported for this alone


def _valid_level(name: str, _: Row, value: Any) -> int:
    return level_of(name, value)


def level_of(name: str, value: Any) -> int:
    """A level of logging's as its number. Raises `InvalidSettings` under this name."""
    level = value
    if isinstance(value, str):
        named = logging.getLevelName(value)
        level = named if isinstance(named, int) else logging.getLevelName(value.upper())
    if isinstance(level, bool) or not isinstance(level, int):
        refuse(name, "is no level of logging's", 'Give logging.ERROR, "ERROR" or a number.')
    return level


def _valid_callable(name: str, _: Row, value: Any) -> Any:
    return plain_function_of(name, value)


def plain_function_of(name: str, value: Any) -> Any:
    """As `function_of`, of what must not have to be awaited."""
    found = function_of(name, value)
    _refuse_async(name, found)
    return found


def function_of(name: str, value: Any) -> Any:
    """What can be called: `value` itself, or what it names as text. Raises `InvalidSettings` under this name."""
    found = _resolved(name, value, _CALLABLE_REMEDY)
    if not callable(found):
        refuse(name, _not_it(value, found, "callable"), _CALLABLE_REMEDY)
    return found


def _refuse_async(name: str, function: Any) -> None:
    if is_async(function):
        refuse(name, "is an async function, which nobody would await", _ASYNC_REMEDY)


def _valid_session(name: str, _: Row, value: Any) -> Any:
    found = _resolved(name, value, _SESSION_REMEDY)
    if not callable(found) and not callable(getattr(found, "post", None)):
        refuse(name, _not_it(value, found, "requests.Session"), _SESSION_REMEDY)
    _refuse_async(name, found)
    return found


def _not_it(given: Any, found: Any, wanted: str) -> str:
    if isinstance(given, str):
        return f"names {given!r}, which is no {wanted}"
    return f"must be a {wanted}, got {type(found).__name__}"


def _resolved(name: str, value: Any, remedy: str) -> Any:
    """The object that a text such as `"shop.privacy:redact"` names; anything else is itself."""
    if not isinstance(value, str):
        return value
    found, failure = attempt(_at_place, value)
    if failure is not None:
        problem = f"names {value!r}, which cannot be imported{_because(failure)}"
        raise _error(name, problem, remedy) from failure
    return found


def _because(failure: Exception) -> str:
    """Python's words for a name that is not there; of what other code raises no more than the kind and place."""
    if isinstance(failure, (ImportError, AttributeError)):
        return f": {failure}"
    return "" if str(failure).startswith("invalid format") else f": it {how_raised(failure)}"


def _at_place(text: str) -> Any:
    module, _, attribute = text.rpartition(".")
    if module and ":" not in text:
        # Before resolve_name, which would lose why a module fails to load: it goes on with the package's attributes.
        try:
            return getattr(late.module(module), attribute)
        except ModuleNotFoundError as error:
            if not f"{module}.".startswith(f"{error.name}."):
                raise
    return late.module("pkgutil").resolve_name(text)


_CALLABLE_REMEDY: Final = 'Give a function, or its place as text, as in "shop.privacy:redact".'
_ASYNC_REMEDY: Final = (
    "Give a plain function; one that needs a coroutine's result has a loop of yours run it, by "
    "asyncio.run_coroutine_threadsafe."
)
_SESSION_REMEDY: Final = (
    'Give a function that makes one, or its place as text, as in "shop.network:make_session".'
)


def _valid_key(name: str, _: Row, value: Any) -> Any:
    """The key, without the white space that files and secrets' stores leave around it; never in a message."""
    if callable(value):
        _refuse_async(name, value)
        return value
    if not isinstance(value, str):
        refuse(name, f"must be a string, got {type(value).__name__}", KEY_REMEDY)
    key = value.strip()
    if key.startswith("ok_"):
        refuse(name, "is an organisation's (ok_…), which /api/admin takes and /events refuses", KEY_REMEDY)
    if not key.startswith(("sk_", "pk_")):
        refuse(name, "does not start with sk_ or pk_", KEY_REMEDY)
    if len(key) == len("sk_") or not key.isascii() or not key.isprintable() or " " in key:
        refuse(name, "is cut short, or holds characters that no key has", KEY_REMEDY)
    return key


def _valid_url(name: str, _: Row, value: Any) -> str:
    if not isinstance(value, str):
        refuse(name, f"must be a string, got {type(value).__name__}", _URL_REMEDY)
    url = value.strip().rstrip("/")
    try:
        parts = late.module("urllib.parse").urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        refuse(name, "is no URL", _URL_REMEDY)
    if parts.scheme not in {"http", "https"} or not host or not url.isprintable() or " " in url:
        refuse(name, "is no http(s) URL", _URL_REMEDY)
    if "?" in url or "#" in url or "@" in parts.netloc:
        refuse(name, "has a user, a query or a fragment, which would travel with every event", _URL_REMEDY)
    if parts.path.endswith("/events"):
        refuse(name, "ends in /events, which is added to it", "Leave /events off.")
    if parts.scheme == "http" and not is_loopback(host):
        refuse(
            name,
            "is plain http, which goes to this machine only: elsewhere all on the way see the key",
            "Use https.",
        )
    return url


_URL_REMEDY: Final = "Give it as in https://apix.spotzee.com/api/client, or leave it out."


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine's own, whoever asks."""
    if host == "localhost":
        return True
    try:
        return bool(late.module("ipaddress").ip_address(host).is_loopback)
    except ValueError:
        return False


def _valid_names(name: str, _: Row, value: Any) -> tuple[str, ...]:
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, Iterable) or isinstance(names, Mapping):
        refuse(name, f"must be names of keys, got {type(value).__name__}", _NAMES_REMEDY)
    listed = list(names)
    if not all(isinstance(each, str) for each in listed):
        refuse(name, "holds what is no name of a key", _NAMES_REMEDY)
    return tuple(each.strip() for each in listed if each.strip())


_NAMES_REMEDY: Final = 'Give texts, as in redact=("password", "token"), or () for none.'

_VALIDATORS: Final[Mapping[str, Callable[[str, Row, Any], Any]]] = {
    "key": _valid_key,
    "url": _valid_url,
    "date": _valid_date,
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


def _error(name: str, problem: str, remedy: str) -> InvalidSettings:
    return InvalidSettings(f"{name} {problem}. {remedy}", setting=name)


def refuse(name: str, problem: str, remedy: str) -> NoReturn:
    """Raise the error of a setting that cannot be."""
    raise _error(name, problem, remedy)
