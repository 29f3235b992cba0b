"""The table of settings: what each takes, from where, and what it says to what it cannot take."""

import dataclasses
import enum
import functools
import logging
import os
import subprocess
import sys
import threading
import traceback
import typing

import pytest

from spotzee_logging import Settings, setting_types
from spotzee_logging.errors import InvalidSettings
from spotzee_logging.settings import ROWS, env_variable, validated

KEY = "sk_live_4242424242"
MIB = 1024 * 1024


def some_hook(*_):
    return None


def make(**given):
    return Settings(**{"api_key": KEY, **given})


def from_env(**environ):
    return Settings.from_env({"SPOTZEE_API_KEY": KEY, **environ})


def refused(**given):
    with pytest.raises(InvalidSettings) as caught:
        make(**given)
    return caught.value


DEFAULTS = {
    "api_key": None,
    "base_url": "https://apix.spotzee.com/api/client",
    "api_version": "2026-04-28",
    "client_type": None,
    "capacity": 100,
    "flush_level": 40,
    "flush_interval_seconds": 1.0,
    "max_pending_bytes": 32 * MIB,
    "spool": None,
    "durability": "process",
    "spool_max_bytes": 1024 * MIB,
    "overflow": "drop_newest",
    "block_timeout_seconds": 1.0,
    "max_batch_bytes": MIB,
    "max_event_bytes": 256 * 1024,
    "connections": 4,
    "requests_per_second": 100.0,
    "connect_timeout_seconds": 3.0,
    "read_timeout_seconds": 10.0,
    "shutdown_timeout_seconds": 5.0,
    "session": None,
    "before_send": None,
    "redact": (
        "password",
        "passwd",
        "secret",
        "token",
        "api_key",
        "authorization",
        "card_number",
        "iban",
    ),
    "on_error": None,
    "strict": False,
    "disabled": False,
}

# setting: (text of its variable, what that says, another value to give as an argument)
GIVEN = {
    "api_key": (" pk_test_1\n", "pk_test_1", "sk_test_2"),
    "base_url": (
        "http://127.0.0.1:8000/api/client/",
        "http://127.0.0.1:8000/api/client",
        "https://a.example",
    ),
    "api_version": ("2027-01-01", "2027-01-01", "2028-01-01"),
    "client_type": ("cli", "cli", "mobile"),
    "capacity": ("7", 7, 8),
    "flush_level": ("WARNING", 30, 20),
    "flush_interval_seconds": ("0.25", 0.25, 2),
    "max_pending_bytes": ("1048576", MIB, 2 * MIB),
    "spool": ("events.db", "events.db", "other.db"),
    "durability": ("power", "power", "process"),
    "spool_max_bytes": ("1048576", MIB, 2 * MIB),
    "overflow": ("drop_oldest", "drop_oldest", "block"),
    "block_timeout_seconds": ("0", 0.0, 2.5),
    "max_batch_bytes": ("524288", 512 * 1024, 2 * MIB),
    "max_event_bytes": ("1024", 1024, 2048),
    "connections": ("16", 16, 1),
    "requests_per_second": ("33.5", 33.5, 20),
    "connect_timeout_seconds": ("1.5", 1.5, 4),
    "read_timeout_seconds": ("20", 20.0, 30.0),
    "shutdown_timeout_seconds": ("0", 0.0, 1.0),
    "session": ("requests:Session", __import__("requests").Session, __import__("requests").Session()),
    "before_send": ("json:loads", __import__("json").loads, some_hook),
    "redact": ("email, phone", ("email", "phone"), ("email",)),
    "on_error": ("json.dumps", __import__("json").dumps, some_hook),
    "strict": ("yes", True, False),
    "disabled": ("1", True, False),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_setting_that_is_not_given_has_its_default(name):
    """Without argument and variable, a setting is what the table says."""
    assert name in DEFAULTS, "write the new setting's default here, by hand"
    if name == "api_key":
        assert Settings(disabled=True).api_key is None
    else:
        assert getattr(make(), name) == DEFAULTS[name]


@pytest.mark.parametrize("name", ROWS)
def test_a_setting_is_read_from_its_variable(name):
    """`SPOTZEE_` and the name in capitals sets it, with white space around it cut off."""
    text, value, _ = GIVEN[name]

    assert getattr(from_env(**{f"SPOTZEE_{name.upper()}": f"  {text} "}), name) == value


@pytest.mark.parametrize("name", ROWS)
def test_an_argument_goes_before_the_variable(name):
    """What the program says is stronger than what the environment says."""
    text, _, other = GIVEN[name]
    environ = {"SPOTZEE_API_KEY": KEY, f"SPOTZEE_{name.upper()}": text}

    assert getattr(Settings.from_env(environ, **{name: other}), name) == other


@pytest.mark.parametrize("name", [name for name in ROWS if name != "api_key"])
def test_an_empty_variable_counts_as_unset(name):
    """`SPOTZEE_CAPACITY=` in a shell or a compose file is no setting."""
    assert getattr(from_env(**{f"SPOTZEE_{name.upper()}": " "}), name) == DEFAULTS[name]


@pytest.mark.parametrize(
    "name", [name for name, row in ROWS.items() if row.may_be_none and name != "api_key"]
)
def test_none_can_be_said_in_the_environment(name):
    """A variable with the word none sets what can be None to it."""
    assert getattr(from_env(**{f"SPOTZEE_{name.upper()}": "None"}), name) is None


def test_a_level_in_a_variable_is_written_in_any_case():
    """`warning` is what most write in a shell; a level of the program's own is found as it is written."""
    logging.addLevelName(37, "Audit")

    texts = ("warning", "Warning", "WARNING", "Audit", "30")
    found = [from_env(SPOTZEE_FLUSH_LEVEL=text).flush_level for text in texts]

    assert found == [30, 30, 30, 37, 30]


def test_an_argument_of_none_is_a_value():
    """`api_version=None` leaves the header off, whatever the environment says; only a key is looked up."""
    environ = {"SPOTZEE_API_KEY": KEY, "SPOTZEE_API_VERSION": "2027-01-01"}

    settings = Settings.from_env(environ, api_key=None, api_version=None)

    assert (settings.api_key, settings.api_version) == (KEY, None)


def test_the_programs_environment_is_read(monkeypatch):
    """Without a mapping of its own, `from_env` reads the process's environment as it is at the call."""
    monkeypatch.setenv("SPOTZEE_API_KEY", KEY)
    monkeypatch.setenv("SPOTZEE_CAPACITY", "9")

    assert Settings.from_env().capacity == 9


def test_settings_by_themselves_are_what_a_handler_would_have(monkeypatch):
    """Explicit argument, then environment, then default; a name that is none is refused in the same words."""
    monkeypatch.setenv("SPOTZEE_CAPACITY", "9")
    monkeypatch.setenv("SPOTZEE_API_KEY", "sk_env")

    assert (Settings().capacity, Settings(capacity=7).capacity, Settings().api_key) == (9, 7, "sk_env")
    assert Settings("sk_given").api_key == "sk_given"
    assert dataclasses.replace(Settings(capacity=7), connections=2).capacity == 7
    with pytest.raises(InvalidSettings, match=r"Did you mean capacity\?"):
        Settings(capasity=7)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("capacity", 0, "capacity must be from 1 to 100, got 0."),
        ("capacity", 101, "capacity must be from 1 to 100, got 101."),
        ("capacity", -1, "capacity must be from 1 to 100, got -1."),
        pytest.param(
            "capacity", 10**5000, "capacity must be from 1 to 100, got more.", id="too long to print"
        ),
        ("capacity", 1.0, "capacity must be a whole number, got float."),
        ("capacity", "7", "capacity must be a whole number, got str."),
        ("capacity", True, "capacity must be a whole number, got bool."),
        ("capacity", None, "capacity must be a whole number, got NoneType."),
        ("flush_interval_seconds", -0.1, "flush_interval_seconds must be at least 0, got -0.1."),
        ("flush_interval_seconds", float("nan"), "flush_interval_seconds must be at least 0, got nan."),
        ("flush_interval_seconds", float("inf"), "flush_interval_seconds must be from 0 to "),
        ("flush_interval_seconds", 1e15, "flush_interval_seconds must be from 0 to "),
        ("flush_interval_seconds", "1", "flush_interval_seconds must be a number, got str."),
        ("flush_interval_seconds", False, "flush_interval_seconds must be a number, got bool."),
        ("block_timeout_seconds", -1, "block_timeout_seconds must be at least 0, got -1."),
        ("connect_timeout_seconds", 0, "connect_timeout_seconds must be at least 0.001, got 0."),
        ("read_timeout_seconds", 0, "read_timeout_seconds must be at least 0.001, got 0."),
        ("shutdown_timeout_seconds", -1, "shutdown_timeout_seconds must be at least 0, got -1."),
        ("max_pending_bytes", 255, "max_pending_bytes must be at least 256, got 255."),
        ("max_pending_bytes", 2**63, "max_pending_bytes must be from 256 to "),
        ("max_batch_bytes", 255, "max_batch_bytes must be at least 256, got 255."),
        ("max_event_bytes", 127, "max_event_bytes must be at least 128, got 127."),
        (
            "max_event_bytes",
            MIB - 1,
            "max_batch_bytes has no room for one event of max_event_bytes. Raise it, or",
        ),
        ("spool", " ", "spool must be the path of a file. "),
        ("spool", b"events.db", "spool must be the path of a file. "),
        ("durability", "disk", "durability is none of those that there are. "),
        ("overflow", "drop", "overflow is none of those that there are. "),
        ("overflow", "dropOldest", "Did you mean drop_oldest? Give one of drop_newest, drop_oldest, block."),
        ("overflow", None, "overflow is none of those that there are. "),
        ("overflow", [], "overflow is none of those that there are. "),
        ("client_type", "backend", "Give one of mcp, mobile, sdk-js, sdk-android, sdk-ios, cli, unknown."),
        (
            "flush_level",
            "LOUD",
            'flush_level is no level of logging\'s. Give logging.ERROR, "ERROR" or a number.',
        ),
        ("flush_level", 30.0, "flush_level is no level of logging's."),
        ("flush_level", True, "flush_level is no level of logging's."),
        ("flush_level", None, "flush_level is no level of logging's."),
        ("strict", 1, "strict must be True or False, got int."),
        ("strict", "yes", "strict must be True or False, got str."),
        ("disabled", None, "disabled must be True or False, got NoneType."),
        ("connections", 0, "connections must be from 1 to 100, got 0."),
        ("requests_per_second", 0, "requests_per_second must be from 0.1 to 10000, got 0."),
        ("requests_per_second", float("nan"), "requests_per_second must be from 0.1 to 10000, got nan."),
        ("session", 7, "session must be a requests.Session, got int. Give a function that makes one"),
        ("session", "os:sep", "session names 'os:sep', which is no requests.Session."),
        ("before_send", 7, "before_send must be a callable, got int. Give a function, or its place as text"),
        (
            "before_send",
            "json:nothing",
            "which cannot be imported: module 'json' has no attribute 'nothing'. Give a",
        ),
        (
            "before_send",
            "no_such_module:f",
            "before_send names 'no_such_module:f', which cannot be imported: No module named 'no_such_module'.",
        ),
        ("before_send", "", "before_send names '', which cannot be imported."),
        ("before_send", "json:__name__", "before_send names 'json:__name__', which is no callable."),
        ("on_error", b"json:loads", "on_error must be a callable, got bytes."),
        ("api_version", "", "api_version is no ISO date, and the API would refuse every event."),
        ("api_version", " ", "api_version is no ISO date, and the API would refuse every event."),
        (
            "api_version",
            "2026-04-28\r\nX: y",
            "api_version is no ISO date, and the API would refuse every event.",
        ),
        ("api_version", "２０２６", "api_version is no ISO date, and the API would refuse every event."),
        ("api_version", "2026-28-04", "api_version is no ISO date, and the API would refuse every event."),
        ("api_version", "latest", "api_version is no ISO date, and the API would refuse every event."),
        ("api_version", 20260428, "api_version is no ISO date, and the API would refuse every event."),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_the_remedy(name, value, words):
    """A bad value is an InvalidSettings that names the setting and says what to do."""
    error = refused(**{name: value})

    assert words in str(error)
    assert error.setting in str(error)
    assert error.setting in (name, "max_batch_bytes")


@pytest.mark.parametrize(
    ("name", "most_event_bytes"),
    [("max_pending_bytes", 10_000), ("spool_max_bytes", 10_000), ("max_batch_bytes", 9_998)],
)
def test_a_bound_can_be_lowered_by_itself(name, most_event_bytes):
    """An event has the room that there is: who sets one bound need not know the others."""
    settings = Settings(api_key="sk_x", **{name: 10_000})

    assert settings.max_event_bytes == most_event_bytes
    for given in (10_001, 256 * 1024):
        assert "Raise it, or lower that" in str(refused(**{name: 10_000, "max_event_bytes": given}))


@pytest.mark.parametrize(
    ("variable", "text", "words"),
    [
        ("SPOTZEE_CAPACITY", "many", "SPOTZEE_CAPACITY is not a number. It sets capacity: pending events"),
        ("SPOTZEE_CAPACITY", "1.5", "SPOTZEE_CAPACITY is not a number. "),
        ("SPOTZEE_CAPACITY", "9" * 5000, "SPOTZEE_CAPACITY is not a number. "),
        ("SPOTZEE_CAPACITY", "0", "SPOTZEE_CAPACITY must be from 1 to 100, got 0. "),
        ("SPOTZEE_FLUSH_INTERVAL_SECONDS", "1 s", "SPOTZEE_FLUSH_INTERVAL_SECONDS is not a number. "),
        (
            "SPOTZEE_FLUSH_INTERVAL_SECONDS",
            "nan",
            "SPOTZEE_FLUSH_INTERVAL_SECONDS must be at least 0, got nan. ",
        ),
        ("SPOTZEE_FLUSH_INTERVAL_SECONDS", "inf", "SPOTZEE_FLUSH_INTERVAL_SECONDS must be from 0 to "),
        (
            "SPOTZEE_STRICT",
            "maybe",
            "SPOTZEE_STRICT is not on or off. It sets strict: an invalid event raises",
        ),
        ("SPOTZEE_OVERFLOW", "drop", "SPOTZEE_OVERFLOW is none of those that there are. "),
        ("SPOTZEE_FLUSH_LEVEL", "LOUD", "SPOTZEE_FLUSH_LEVEL is no level of logging's. "),
        ("SPOTZEE_BASE_URL", "http://a.example", "SPOTZEE_BASE_URL is plain http"),
        (
            "SPOTZEE_BEFORE_SEND",
            "nowhere",
            "SPOTZEE_BEFORE_SEND names 'nowhere', which cannot be imported: No module named 'nowhere'.",
        ),
        ("SPOTZEE_API_KEY", "ok_1", "SPOTZEE_API_KEY is an organisation's"),
    ],
)
def test_a_variable_that_cannot_be_is_refused_by_its_name(variable, text, words):
    """Who set the environment reads the variable's own name in the error."""
    with pytest.raises(InvalidSettings) as caught:
        from_env(**{variable: text})

    assert str(caught.value).startswith(words)
    assert caught.value.setting == variable


@pytest.mark.parametrize("text", ["1", "true", "TRUE", "Yes", "on"])
def test_words_for_on(text):
    """A flag is set by any of the usual words."""
    assert from_env(SPOTZEE_STRICT=text).strict is True


@pytest.mark.parametrize("text", ["0", "false", "False", "NO", "off"])
def test_words_for_off(text):
    """A flag is cleared by any of the usual words."""
    assert from_env(SPOTZEE_STRICT=text).strict is False


@pytest.mark.parametrize(
    ("name", "question"),
    [
        ("flushLevel", "Did you mean flush_level?"),
        ("apiKey", "Did you mean api_key?"),
        ("capcity", "Did you mean capacity?"),
        ("flush_interval", "Did you mean flush_interval_seconds?"),
        ("baseUrl", "Did you mean base_url?"),
    ],
)
def test_an_unknown_setting_meets_the_one_that_was_meant(name, question):
    """A misspelt setting is answered with the right one and the list of all."""
    with pytest.raises(InvalidSettings) as caught:
        Settings.from_env({}, **{name: 1})

    assert str(caught.value) == f"{name} is no setting. {question} The settings are {', '.join(DEFAULTS)}."
    assert caught.value.setting == name


def test_the_key_is_taken_without_the_white_space_around_it():
    """A key read from a file may end in a newline."""
    assert make(api_key=f" {KEY}\r\n").api_key == KEY
    assert make(api_key="pk_1").api_key == "pk_1"


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (None, "api_key is missing. Pass api_key= or set SPOTZEE_API_KEY to a project's key: sk_… "),
        ("", "api_key does not start with sk_ or pk_. "),
        (
            "ok_live_secret",
            "api_key is an organisation's (ok_…), which /api/admin takes and /events refuses. ",
        ),
        ("SK_live_secret", "api_key does not start with sk_ or pk_. "),
        ("Bearer sk_live_secret", "api_key does not start with sk_ or pk_. "),
        ("live_secret", "api_key does not start with sk_ or pk_. "),
        ("sk_", "api_key is cut short, or holds characters that no key has. "),
        ("sk_live secret", "api_key is cut short, or holds characters that no key has. "),
        ("sk_live\nsecret", "api_key is cut short, or holds characters that no key has. "),
        ("sk_sécret", "api_key is cut short, or holds characters that no key has. "),
        (b"sk_live_secret", "api_key must be a string, got bytes. "),
        (7, "api_key must be a string, got int. "),
    ],
)
def test_a_key_that_cannot_be_is_refused_and_not_shown(key, words):
    """What is wrong with a key is said without a letter of it, in the message and in the traceback."""
    error = refused(api_key=key)

    assert str(error).startswith(words)
    assert (
        "Pass api_key= or set SPOTZEE_API_KEY to a project's key: sk_… (server side) or pk_… (events only)."
    ) in str(error)
    assert error.setting == "api_key"
    shown = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
    assert "live" not in shown
    assert "sécret" not in shown


async def _async_function(*_):
    return "sk_x"


async def _async_generator(*_):
    yield


class _AsyncCallable:
    async def __call__(self, *_):
        return "sk_x"


@pytest.mark.parametrize(
    "function",
    [_async_function, functools.partial(_async_function), _async_generator, _AsyncCallable()],
    ids=["function", "partial", "generator", "object"],
)
@pytest.mark.parametrize("name", ["api_key", "before_send", "on_error", "session"])
def test_an_async_function_is_refused_with_the_remedy(name, function):
    """Nobody would await what it gives: each key would be none, each event a coroutine."""
    words = f"{name} is an async function, which nobody would await. Give a plain function; "

    assert str(refused(**{name: function})).startswith(words)
    with pytest.raises(InvalidSettings, match="Give a plain function"):
        validated(name, function)


def test_a_missing_key_is_missing_from_the_environment_too():
    """Neither argument nor variable: the remedy names both, and what a machine without a key sets instead."""
    with pytest.raises(InvalidSettings) as caught:
        Settings.from_env({})

    assert str(caught.value) == (
        "api_key is missing. "
        "Pass api_key= or set SPOTZEE_API_KEY to a project's key: sk_… (server side) or pk_… (events only). "
        "A machine that must send nothing sets SPOTZEE_DISABLED=1."
    )


def test_a_key_is_not_needed_where_nothing_is_sent():
    """`disabled` works on machines that have no key."""
    assert Settings(disabled=True).api_key is None
    assert Settings.from_env({"SPOTZEE_DISABLED": "1"}).disabled is True


def test_the_key_is_never_printed():
    """A repr of the settings, in a log or a debugger, has no key."""
    assert KEY not in repr(make())
    assert KEY not in str(make())


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://apix.spotzee.com/api/client", "https://apix.spotzee.com/api/client"),
        (" https://a.example/x//\n", "https://a.example/x"),
        ("HTTPS://A.example", "HTTPS://A.example"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://LOCALHOST", "http://LOCALHOST"),
        ("http://127.0.0.1:1/api/client", "http://127.0.0.1:1/api/client"),
        ("http://127.8.8.8", "http://127.8.8.8"),
        ("http://[::1]:8000/x", "http://[::1]:8000/x"),
        ("https://a.example/events/x", "https://a.example/events/x"),
    ],
)
def test_a_base_url_is_https_or_this_machine(url, kept):
    """https to anywhere, plain http to loopback alone; slashes and white space at the end are cut off."""
    assert make(base_url=url).base_url == kept


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (
            "http://apix.spotzee.com/api/client",
            "is plain http, which goes to this machine only: elsewhere all on the way see the key. Use https.",
        ),
        ("http://10.0.0.1", "is plain http"),
        ("http://0.0.0.0:8000", "is plain http"),
        ("http://localhost.evil.example", "is plain http"),
        ("http://127.0.0.1.evil.example", "is plain http"),
        ("http://[::2]", "is plain http"),
        ("ftp://localhost", "is no http(s) URL. Give it as in https://apix.spotzee.com/api/client"),
        ("apix.spotzee.com", "is no http(s) URL"),
        ("//apix.spotzee.com", "is no http(s) URL"),
        ("https://", "is no http(s) URL"),
        ("https:///api", "is no http(s) URL"),
        ("", "is no http(s) URL"),
        ("https://a b.example", "is no http(s) URL"),
        ("https://a\n.example", "is no http(s) URL"),
        ("https://a.example:port", "is no URL"),
        ("https://a.example:99999", "is no URL"),
        ("https://[::1", "is no URL"),
        ("https://user:word@a.example", "has a user, a query or a fragment"),
        ("https://a.example@evil.example", "has a user, a query or a fragment"),
        ("https://a.example?x=1", "has a user, a query or a fragment"),
        ("https://a.example/x?", "has a user, a query or a fragment"),
        ("https://a.example#x", "has a user, a query or a fragment"),
        ("https://a.example/api/client/events", "ends in /events, which is added to it. Leave /events off."),
        ("https://a.example/api/client/events/", "ends in /events"),
        (None, "must be a string, got NoneType"),
        (b"https://a.example", "must be a string, got bytes"),
    ],
)
def test_a_base_url_that_cannot_be_is_refused(url, words):
    """Where the key would travel in the open, or to no place at all, nothing is sent."""
    error = refused(base_url=url)

    assert str(error).startswith(f"base_url {words}")
    assert error.setting == "base_url"


@pytest.mark.parametrize(
    ("level", "number"),
    [("WARNING", 30), ("CRITICAL", 50), ("WARN", 30), ("warning", 30), (logging.INFO, 20), (0, 0), (35, 35)],
)
def test_a_level_is_a_number_or_a_name(level, number):
    """Level names are taken wherever a level is."""
    assert make(flush_level=level).flush_level == number


def test_a_level_in_the_environment_is_a_number_or_a_name():
    """The variable takes both too."""
    assert from_env(SPOTZEE_FLUSH_LEVEL="30").flush_level == 30
    assert from_env(SPOTZEE_FLUSH_LEVEL="WARNING").flush_level == 30


def test_a_programs_own_level_has_a_name_too(monkeypatch):
    """A level that was added with `logging.addLevelName` is known by its name."""
    monkeypatch.setattr(logging, "_nameToLevel", dict(logging._nameToLevel))
    monkeypatch.setattr(logging, "_levelToName", dict(logging._levelToName))
    logging.addLevelName(25, "NOTICE")

    assert make(flush_level="NOTICE").flush_level == 25


def test_a_choice_may_be_an_enum_of_the_programs_own():
    """A str-Enum's member that equals a choice is that choice."""

    class Overflow(str, enum.Enum):
        BLOCK = "block"

    assert type(make(overflow=Overflow.BLOCK).overflow) is str
    assert make(overflow=Overflow.BLOCK).overflow == "block"


def test_a_hook_is_found_by_its_place():
    """`module:name`, as a configuration file says it, is imported at construction."""
    assert make(before_send="os.path:basename").before_send is os.path.basename
    assert make(on_error=some_hook).on_error is some_hook


def test_a_hook_whose_module_lacks_another_says_which(tmp_path, monkeypatch):
    """The module that is missing is named, which need not be the hook's own."""
    (tmp_path / "lacking_hooks.py").write_text("import no_such_library")
    monkeypatch.syspath_prepend(tmp_path)

    assert "cannot be imported: No module named 'no_such_library'." in str(
        refused(on_error="lacking_hooks:f")
    )


def test_a_hook_whose_module_fails_says_so(tmp_path, monkeypatch):
    """A module that raises at its import is told of with the cause."""
    (tmp_path / "failing_privacy.py").write_text("raise KeyError('SECRET')")
    monkeypatch.syspath_prepend(tmp_path)

    error = refused(before_send="failing_privacy:redact")

    assert (
        "before_send names 'failing_privacy:redact', which cannot be imported: it raised KeyError ("
        in str(error)
    )
    assert "SECRET" not in str(error)
    assert isinstance(error.__cause__, KeyError)


def test_the_longest_wait_is_one_that_python_can_wait():
    """The largest number of seconds that is taken is no error in locks and queues."""
    longest = make(flush_interval_seconds=threading.TIMEOUT_MAX).flush_interval_seconds
    done = threading.Event()
    done.set()

    assert done.wait(longest)


def test_settings_are_frozen():
    """What was validated stays valid."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        make().capacity = 5


def test_the_table_lists_every_setting():
    """Each field stands in the table, with its variable, type, default, unit and meaning."""
    table = Settings.table()

    assert [row["name"] for row in table] == [field.name for field in dataclasses.fields(Settings)]
    assert {row["name"]: row["default"] for row in table} == DEFAULTS
    for row in table:
        assert row["env"] == f"SPOTZEE_{row['name'].upper()}" == env_variable(row["name"])
        assert row["type"]
        assert row["meaning"]
        assert not row["name"].endswith("_seconds") or row["unit"] == "s"
        assert not row["name"].endswith("_bytes") or row["unit"] == "bytes"


def test_the_table_knows_the_bounds():
    """Tools read the limits where validation does."""
    (capacity,) = (row for row in Settings.table() if row["name"] == "capacity")

    assert (capacity["minimum"], capacity["maximum"], capacity["unit"], capacity["type"]) == (
        1,
        100,
        "events",
        "int",
    )


BAD_ENVIRONMENT = """
import spotzee_logging
try:
    spotzee_logging.Settings.from_env()
except spotzee_logging.errors.InvalidSettings as error:
    print(error.setting)
"""


def test_a_bad_environment_does_not_hurt_the_import(tmp_path):
    """The environment is read where settings are made, not where the package is imported."""
    environ = {**os.environ, "SPOTZEE_API_KEY": KEY, "SPOTZEE_CAPACITY": "many"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", BAD_ENVIRONMENT],
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "SPOTZEE_CAPACITY\n"


def test_a_type_checker_knows_every_setting():
    """What an editor offers for `SpotzeeHandler(...)` is the table, and where there is a choice, its words."""
    hints = typing.get_type_hints(setting_types.GivenSettings)

    assert list(hints) == [name for name in ROWS if name != "api_key"]
    for name, hint in hints.items():
        if typing.get_origin(hint) is typing.Literal:
            assert typing.get_args(hint) == ROWS[name].choices
