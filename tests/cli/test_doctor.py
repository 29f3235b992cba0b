"""`spotzee-logging doctor`: each thing that keeps events away is named, with its remedy; a good setup is well."""

import contextlib
import email.utils
import http.server
import importlib.util
import json
import os
import socket
import ssl
import sys
import threading
import time

import pytest
import trustme
from loopback import Wire

from spotzee_logging.buffers.survey import SpoolSurvey

KEY = "sk_doctor_secret"

GOOD = """
import logging
from spotzee_logging import SpotzeeHandler

logging.basicConfig(level=logging.INFO, handlers=[logging.StreamHandler(), SpotzeeHandler()])
logger = logging.getLogger("shop")


def place(number):
    logger.info("placed", extra={"spotzee_event": {
        "name": "order_placed", "external_id": f"cust_{number}", "data": {"number": number}}})
    logger.info("seen", extra={"spotzee_event": "seen", "external_id": "cust_001", "page": "/"})
"""


@pytest.fixture
def doctor(command, sandbox, tmp_path, monkeypatch):
    """Runs `doctor --json` in a folder where a module `shop` has the given source; its findings by name."""
    monkeypatch.chdir(tmp_path)

    def run(source=None, *arguments, **variables):
        if source is not None:
            (tmp_path / "shop.py").write_text(source)
            arguments = ("--import", "shop", *arguments)
        variables = {"SPOTZEE_BASE_URL": sandbox.url, "SPOTZEE_API_KEY": KEY, **variables}
        done = command("doctor", "--json", *arguments, **variables)
        assert KEY not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        result = json.loads(done.stdout)
        done.facts = {check["name"]: check["facts"] for check in result["checks"]}
        done.wrong = {check["name"]: check["wrong"] for check in result["checks"] if check["wrong"]}
        assert done.returncode == (1 if done.wrong else 0)
        assert result["is_well"] == (not done.wrong)
        assert all(each["says"] and each["remedy"] for found in done.wrong.values() for each in found)
        return done

    return run


def words_of(done, name):
    return " ".join(f"{each['says']} {each['remedy']}" for each in done.wrong.get(name, ()))


# A good setup

DICT_CONFIG = """
import logging.config

logging.config.dictConfig({
    "version": 1, "disable_existing_loggers": False,
    "filters": {"contact": {"()": "spotzee_logging.ContactFilter"}},
    "handlers": {"spotzee": {"class": "spotzee_logging.SpotzeeHandler", "level": "INFO", "filters": ["contact"]}},
    "loggers": {"shop": {"level": "INFO", "handlers": ["spotzee"], "propagate": False},
                "urllib3": {"level": "WARNING"}},
})
"""
QUEUED = """
import logging, logging.handlers, queue
from spotzee_logging import ContactFilter, SpotzeeHandler

to_queue = logging.handlers.QueueHandler(queue.SimpleQueue())
to_queue.addFilter(ContactFilter())
logging.basicConfig(level=logging.INFO, handlers=[to_queue])
listener = logging.handlers.QueueListener(to_queue.queue, SpotzeeHandler())
listener.start()
"""
TRACKED = """
import logging
from spotzee_logging import SpotzeeHandler, track

logging.getLogger().addHandler(SpotzeeHandler())

@track("order_placed", external_id="cust_001")
def place():
    pass
"""


@pytest.mark.parametrize(
    "source",
    [None, GOOD, DICT_CONFIG, QUEUED, TRACKED],
    ids=["no program", "basicConfig", "dictConfig", "queue", "track alone"],
)
def test_a_good_setup_is_well(doctor, sandbox, source):
    """Where nothing is wrong it says so, and sends nothing."""
    done = doctor(source)

    assert done.wrong == {}
    assert sandbox.events() == []
    assert not any("authorization" in request["headers"] for request in sandbox.requests())


def test_people_read_lines_and_a_verdict(command, sandbox):
    """Off a terminal it is plain text: the facts, and one line that says that nothing is wrong."""
    done = command("doctor", SPOTZEE_BASE_URL=sandbox.url, SPOTZEE_API_KEY=KEY, SPOTZEE_CAPACITY="50")

    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[-1] == "nothing is wrong"
    assert "\x1b" not in done.stdout
    assert f"settings     api_key = sk_… ({len(KEY)} characters) (SPOTZEE_API_KEY)" in lines
    assert "             capacity = 50 events (SPOTZEE_CAPACITY)" in lines
    assert "             connections = 4 requests (default)" in lines


@pytest.mark.parametrize(
    "variables",
    [{"PYTHONIOENCODING": "latin-1"}, {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "POSIX"}],
    ids=["latin-1", "POSIX"],
)
def test_a_terminal_that_does_not_know_each_character(command, sandbox, variables):
    """What its encoding has no sign for is written as a number, also in JSON, and the command goes on."""
    settings = {"SPOTZEE_BASE_URL": sandbox.url, "SPOTZEE_API_KEY": KEY, "PYTHONIOENCODING": ""}

    done = command("doctor", **{**settings, **variables})
    as_json = command("doctor", "--json", **{**settings, **variables})

    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing is wrong" in done.stdout
    assert f"sk_… ({len(KEY)}" in done.stdout or f"sk_\\u2026 ({len(KEY)}" in done.stdout
    assert any(f"sk_… ({len(KEY)}" in fact for fact in json.loads(as_json.stdout)["checks"][2]["facts"])


def test_a_fault_is_a_line_and_its_remedy(command, sandbox):
    """What is wrong is followed by what to do, and counted at the end."""
    done = command("doctor", SPOTZEE_BASE_URL=sandbox.url, SPOTZEE_API_KEY=KEY, SPOTZEE_APIKEY="x")

    assert done.returncode == 1
    lines = done.stdout.splitlines()
    at = lines.index("variables    SPOTZEE_APIKEY sets nothing")
    assert lines[at + 1].startswith("             Remedy: Did you mean SPOTZEE_API_KEY?")
    assert lines[-1] == "1 thing is wrong"


# Failure mode 10: silently nothing

DISABLING = """
logging.config.dictConfig({
    "version": 1,
    "handlers": {"spotzee": {"class": "spotzee_logging.SpotzeeHandler"}},
    "root": {"level": "INFO", "handlers": ["spotzee"]},
})
"""
LEFT_AT_WARNING = GOOD.replace("level=logging.INFO, ", "")
FAULTS_10 = {
    "left at WARNING": (LEFT_AT_WARNING, "levels", "logger 'root' is at WARNING and drops logger.info"),
    "one logger at ERROR": (
        GOOD + "logger.setLevel(logging.ERROR)",
        "levels",
        "logger 'shop' is at ERROR and drops logger.info",
    ),
    "handler at WARNING": (
        GOOD.replace("SpotzeeHandler()]", "SpotzeeHandler(level='WARNING')]"),
        "levels",
        "a SpotzeeHandler is at WARNING",
    ),
    "logging.disable": (
        GOOD + "logging.disable(logging.INFO)",
        "levels",
        "logging.disable(INFO) is in force",
    ),
    "disable_existing_loggers": (
        "import logging.config; logger = logging.getLogger('orders')\n" + DISABLING,
        "disabled",
        "logger 'orders' was disabled, as dictConfig",
    ),
    "LoggerAdapter": (
        GOOD + "adapter = logging.LoggerAdapter(logger, {'request': 7})",
        "adapters",
        "a LoggerAdapter of logger 'shop' puts its own extra",
    ),
    "same handler twice": (
        GOOD + "logger.addHandler(logging.root.handlers[1])",
        "twice",
        "logger 'shop' reaches the same SpotzeeHandler more than once",
    ),
    "two handlers for one key": (
        GOOD + "logger.addHandler(SpotzeeHandler())",
        "twice",
        "logger 'shop' reaches 2 SpotzeeHandlers with the same key",
    ),
    "propagate=False": (
        GOOD + "logger.propagate = False",
        "propagation",
        "logger 'shop' has propagate=False, and no SpotzeeHandler is on it",
    ),
    "filter of a logger": (
        GOOD + "logger.addFilter(lambda record: record.levelno > 20)",
        "filters",
        "a filter of logger 'shop' (<lambda>) drops a tagged line at INFO",
    ),
    "filter of the handler": (
        GOOD + "logging.root.handlers[1].addFilter(logging.Filter('elsewhere'))",
        "filters",
        "a filter of a SpotzeeHandler (Filter) drops a tagged line at INFO",
    ),
    "queue without ContactFilter": (
        QUEUED.replace("to_queue.addFilter(ContactFilter())", ""),
        "contacts",
        "a QueueHandler has no ContactFilter",
    ),
    "queue whose listener comes later": (
        QUEUED.replace("to_queue.addFilter(ContactFilter())", "").replace(
            "listener = logging.handlers.QueueListener(to_queue.queue, SpotzeeHandler())\nlistener.start()",
            "handler = SpotzeeHandler()",
        ),
        "contacts",
        "a QueueHandler has no ContactFilter",
    ),
    "memory handler without ContactFilter": (
        GOOD.replace("SpotzeeHandler()]", "MemoryHandler(9, target=SpotzeeHandler())]").replace(
            "import logging\n", "import logging\nfrom logging.handlers import MemoryHandler\n"
        ),
        "contacts",
        "a MemoryHandler has no ContactFilter",
    ),
    "handler on another logger": (
        GOOD.replace(
            "basicConfig(level=logging.INFO, handlers=[logging.StreamHandler(), ",
            "getLogger('web').addHandler(",
        ).replace("SpotzeeHandler()])", "SpotzeeHandler())")
        + "logging.getLogger('web').setLevel(logging.INFO)",
        "elsewhere",
        "no SpotzeeHandler is on the way of logger 'shop' (shop.py:10): tagged lines are lost there",
    ),
    "no handler": ("import logging", "logging", "there is no SpotzeeHandler"),
    "handler on no logger": (
        "from spotzee_logging import SpotzeeHandler\nhandler = SpotzeeHandler()",
        "logging",
        "no SpotzeeHandler is on any logger",
    ),
    "does not load": (
        "raise RuntimeError('no database')",
        "logging",
        "shop cannot be loaded: RuntimeError: no data",
    ),
    "ends the process": ("raise SystemExit(3)", "logging", "shop ends the process"),
}


@pytest.mark.parametrize("what", FAULTS_10)
def test_10_each_planted_fault_is_named(doctor, sandbox, what):
    """What logging's configuration would swallow, or double, is named with the logger and the remedy."""
    source, name, words = FAULTS_10[what]

    done = doctor(source)

    assert words in words_of(done, name)
    assert sandbox.events() == []


TAGGED_ELSEWHERE = """
import logging
import structlog
from spotzee_logging import SpotzeeHandler, track

structlog.configure(
    processors=[structlog.stdlib.render_to_log_kwargs], logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger)

web = logging.getLogger("web")
web.setLevel(logging.INFO)
web.addHandler(SpotzeeHandler())
parented, parented.parent = logging.getLogger("web.parented"), logging.getLogger("other")
plain, name = logging.getLogger("web.plain"), logging.getLogger("name")
untagged = logging.getLogger("untagged")
well = structlog.get_logger("web.well")
structured = structlog.get_logger("structured")
tag = {"spotzee_event": "n", "external_id": "c"}


class Shop:
    of_class = logging.getLogger("of.class")

    def __init__(self, given):
        self.of_object = logging.LoggerAdapter(logging.getLogger("of.object"), {})
        self.given = given
        self.either = logging.getLogger("either") if given else web

    def pay(self):
        local = logging.getLogger("local")
        self.of_class.info("x", extra={"spotzee_event": "n", "external_id": "c"})
        self.of_object.info("x", extra=dict(spotzee_event="n", external_id="c"))
        self.given.info("x", extra={"spotzee_event": "n", "external_id": "c"})
        self.either.info("x", extra={"spotzee_event": "n", "external_id": "c"})
        local.info("x", extra={**tag, "spotzee_event": "m"})
        parented.info("x", extra={"spotzee_event": "n", "external_id": "c"})
        plain.info("x", extra={"spotzee_event": "n", "external_id": "c"})
        name.info("x", extra=tag)
        structured.info("x", spotzee_event="n", external_id="c")
        well.info("x", spotzee_event="n", external_id="c")
        untagged.info("x", extra={"total": 7})
        extra = {"spotzee_event": "n", "external_id": "c"}
        plain.info("x", extra=extra)
        self.given.track("not ours", external_id="c", logger="untracked")

    def see(self):
        extra = {"total": 7}
        untagged.info("x", extra=extra)
        logging.getLogger(__name__).info("x", extra={"spotzee_event": "n", "external_id": "c"})
        logging.info("x", extra={"spotzee_event": "n", "external_id": "c"})


@track("placed", external_id="c", logger="tracked")
def place():
    pass
"""


def test_10_every_logger_whose_tagged_lines_come_to_no_handler_is_named(doctor):
    """With the line, wherever the source tells which logger it is; one that tags nothing is told and not wrong."""
    done = doctor(TAGGED_ELSEWHERE)

    told = words_of(done, "elsewhere")
    lost = ["of.class", "of.object", "local", "web.parented", "name", "shop", "root", "tracked", "structured"]
    assert {each for each in lost if f"{each!r} (shop.py:" in told} == set(lost)
    assert told.count("(shop.py:") == len(lost)
    assert list(done.wrong) == ["elsewhere"]
    assert "'untagged'" in " ".join(done.facts["elsewhere"])


HANDED_IN = """
import logging
from spotzee_logging import SpotzeeHandler

heard = logging.getLogger("heard")
heard.addHandler(SpotzeeHandler())
heard.setLevel("INFO")
log = logging.getLogger("private")


def inject(log):
    log.info("x", extra={"spotzee_event": "n", "external_id": "c"})


class Shop:
    def __init__(self, log):
        self.log = log
        self.own = logging.getLogger(type(self).__name__)

    def pay(self):
        self.log.info("x", extra={"spotzee_event": "n", "external_id": "c"})
        self.own.info("x", extra={"spotzee_event": "n", "external_id": "c"})
        logging.getLogger(name="heard").info("x", extra={"spotzee_event": "n", "external_id": "c"})
"""


def test_10_a_logger_that_the_source_does_not_tell_is_not_guessed(doctor):
    """One that is handed in, or named at run time, is not taken for one of the module's: nothing is wrong there."""
    done = doctor(HANDED_IN)

    assert "elsewhere" not in done.wrong


def test_10_each_fault_is_named_alone(doctor):
    """One fault is not told of as several."""
    several = {what: doctor(source).wrong for what, (source, _, _) in list(FAULTS_10.items())[:12]}

    assert {what: sum(map(len, wrong.values())) for what, wrong in several.items()} == dict.fromkeys(
        several, 1
    )


STRUCTLOG = """
import logging
import structlog
from spotzee_logging import SpotzeeHandler

logging.basicConfig(level=logging.INFO, handlers=[SpotzeeHandler()])
structlog.configure(
    processors=[structlog.stdlib.add_log_level, LAST], logger_factory=structlog.FACTORY(),
    wrapper_class=structlog.stdlib.BoundLogger)
log = structlog.get_logger("shop")
tagged = log.info("order placed", spotzee_event="order_placed", external_id="cust_001")
"""
STRUCTLOG_WAYS = {
    ("JSONRenderer()", "stdlib.LoggerFactory"): "last processor, JSONRenderer, makes the event text",
    (
        "KeyValueRenderer()",
        "PrintLoggerFactory",
    ): "logger_factory is PrintLoggerFactory: its lines do not come",
    ("render_to_log_kwargs", "stdlib.LoggerFactory"): "",
}


@pytest.mark.parametrize("way", STRUCTLOG_WAYS, ids=" ".join)
def test_10_structlog_that_leaves_no_tag(doctor, way):
    """A processor that makes text, as in production, or a factory that prints, is named; what hands on is well."""
    last, factory = way
    module = "stdlib" if last.startswith("render") else "processors"
    source = STRUCTLOG.replace("LAST", f"structlog.{module}.{last}").replace("FACTORY", factory)

    done = doctor(source)

    assert STRUCTLOG_WAYS[way] in words_of(done, "structlog")
    assert list(done.wrong) == (["structlog"] if STRUCTLOG_WAYS[way] else [])


# Failure mode 11: bad tags

BAD_TAGS = {
    '{"external_id": "c"}': 'name is missing. Name the event, as in "order_placed"',
    '{"name": "", "external_id": "c"}': "name is empty",
    '""': "name is empty",
    '{"name": 7, "external_id": "c"}': "name must be a string, got int",
    '{"name": "n"}': "external_id is missing, and so is anonymous_id",
    '{"name": "n", "external_id": None}': "external_id is missing, and so is anonymous_id",
    '{"name": "n", "external_id": 42}': "external_id must be a string, got int",
    '{"name": "n", "anonymous_id": b"a"}': "anonymous_id must be a string, got bytes",
    '{"name": "n", "external_id": ""}': "external_id is empty",
    '{"name": "n", "externalId": "c"}': "Did you mean external_id?",
    '{"name": "n", "external_id": "c", "user": {"eMail": "a"}}': "Did you mean email?",
    '{"name": "n", "external_id": "c", "user": {"timezone": "%s"}}' % ("A" * 51): "at most 50 are allowed",
    '{"name": "n", "external_id": "c", "user": {"timezone": "Mars/Base"}}': 'as in "Australia/Sydney"',
    '{"name": "n", "external_id": "c", "user": {"locale": "%s"}}' % ("e" * 256): "at most 255 are allowed",
    '{"name": "n", "external_id": "c", "created_at": "yesterday"}': "created_at is no time",
    '{"name": "n", "external_id": "c", "created_at": "2026-02-30"}': "created_at is no time",
    '{"name": "n", "external_id": "c", "created_at": 1777353240}': "created_at must be a datetime",
    '{"name": "n", "external_id": "c", "data": [1]}': "data must be a mapping, got list",
    '{"name": "n", "external_id": "c", "user": "ada"}': "user must be a mapping, got str",
    "7": "spotzee_event is a int, and must be a mapping or a name",
    '"n", "external_id": 42': "external_id must be a string, got int",
    'dict(name="n", external_id=42)': "external_id must be a string, got int",
}


def test_11_a_bad_tag_is_named_where_it_stands(doctor):
    """Without running the call: the file, the line, the field and the remedy."""
    lines = {
        f'    logger.info("x", extra={{"spotzee_event": {tag}}})': said for tag, said in BAD_TAGS.items()
    }

    done = doctor(f"{GOOD}\ndef pay():\n" + "\n".join(lines))

    first = GOOD.count("\n") + 3
    for line, (found, said) in enumerate(zip(done.wrong["tags"], lines.values(), strict=True), first):
        assert found["says"].startswith(f"shop.py:{line}: ")
        assert said in found["says"]
    assert list(done.wrong) == ["tags"]


MISPLACED_TAGS = {
    'logger.info("x", extra={"spotzee_evnt": {"name": "n"}})': "the key 'spotzee_evnt' is no tag",
    'logger.info("x", extra={"spotzeeEvent": "n", "total": 7})': "the key 'spotzeeEvent' is no tag",
    'logger.info("x", {"spotzee_event": {"name": "n", "external_id": "c"}})': "an argument of the line's text",
    'logger.log(20, "x", {"spotzee_event": "n", "external_id": "c"})': "an argument of the line's text",
    'logger.info("x", dict(spotzee_event="n", external_id="c"))': "an argument of the line's text",
    'logger.info("x", extra=dict(spotzee_evnt="n"))': "the key 'spotzee_evnt' is no tag",
    'heard.info("x", {"spotzee_event": "n", "external_id": "c"})': "an argument of the line's text",
    'of.heard.info("x", {"spotzee_event": "n", "external_id": "c"})': "an argument of the line's text",
}
OTHER_NAMES = """
class Of:
    heard = logger

heard, of = logger, Of()
"""


def test_a_tag_that_nobody_sees_is_named_where_it_stands(doctor):
    """A misspelt tag is an extra as any other, and one that is no extra at all only a value for the text."""
    done = doctor(f"{GOOD}{OTHER_NAMES}\ndef pay():\n    " + "\n    ".join(MISPLACED_TAGS))

    first = (GOOD + OTHER_NAMES).count("\n") + 3
    for line, (found, said) in enumerate(
        zip(done.wrong["tags"], MISPLACED_TAGS.values(), strict=True), first
    ):
        assert found["says"].startswith(f"shop.py:{line}: ")
        assert said in found["says"]
        assert 'extra={"spotzee_event": ...}' in found["remedy"]


NO_TAGS = """
def pay(**kw):
    logger.info("%(total)s", {"total": 7})
    logger.info("x", extra={"spotzee_contact": {"external_id": "c"}, 7: 8, "event": "n"})
    send({"spotzee_event": "n", "external_id": "c"})
    audit.info("x", {"spotzee_event": "n", "external_id": "c"})
    logger.info({"spotzee_event": "n", "external_id": "c"})
    rows = {"handlers": {"spotzee_events": 7}, "spotzee_event_id": 8}
    logger.info("x", extra={"spotzee_event": "n", "external_id": "c", "spotzee_events": 7})
    logger.info("x", extra={"spotzee_event": "n", "external_id": "c", "user": "bob"})
    logger.info("x", extra=dict(kw, spotzee_event="n"))
"""


def test_what_only_looks_like_a_tag_is_none_of_it(doctor):
    """Other keys, other arguments and other functions are the program's own affair."""
    assert doctor(GOOD + NO_TAGS).wrong == {}


MADE_TAGS = [
    '{"name": name, "external_id": customer.id, "data": data, "user": user, "created_at": when}',
    '{"name": "n", **ids}',
    '{**tag, "user": {"email": email, "timezone": zone}}',
    '"n", **extra',
    "tag",
    "None",
]


def test_11_what_only_the_program_knows_is_none_of_it(doctor):
    """A tag made of variables is not taken for a bad one."""
    lines = [f'    logger.info("x", extra={{"spotzee_event": {tag}}})' for tag in MADE_TAGS]

    assert doctor(f"{GOOD}\ndef pay(**kw):\n" + "\n".join(lines)).wrong == {}


def test_11_a_tag_without_an_id_is_well_where_contacts_are_bound(doctor):
    """Who is acting may come from contact(): then a tag needs no id of its own."""
    call = '\ndef pay():\n    with contact(external_id="c"):\n        logger.info("x", extra={"spotzee_event": "n"})\n'

    assert doctor(GOOD.replace("import SpotzeeHandler", "import SpotzeeHandler, contact") + call).wrong == {}


def test_11_what_is_logged_while_it_loads_is_checked_and_not_sent(doctor, sandbox):
    """A bad event that the program logs at once is told of; the good ones stay where they are."""
    source = (
        GOOD
        + "place(1)\ntag = {'name': 'n', 'external_id': 7}\nlogger.info('x', extra={'spotzee_event': tag})\n"
    )

    done = doctor(source)

    assert "while it was loaded: event 'n': external_id must be a string" in words_of(done, "tags")
    assert done.wrong["tags"][0]["remedy"] == "Set the tag right there."
    assert sandbox.events() == []


def test_11_a_bad_tag_that_is_logged_while_it_loads_is_told_once(doctor):
    """It stands in the source and is met on the way: its place is told, and not the same problem again."""
    bad = 'logger.info("x", extra={"spotzee_event": {"name": "n", "external_id": 7}})'

    done = doctor(f"{GOOD}\n{bad}\n{bad}\n")

    first = GOOD.count("\n") + 2
    assert [each["says"].partition(": ")[0] for each in done.wrong["tags"]] == [
        f"shop.py:{first}",
        f"shop.py:{first + 1}",
    ]


# Settings and the way to the API


def test_where_each_setting_came_from(doctor):
    """An argument, a variable or the default; of the key no more than its kind and length."""
    source = GOOD.replace("SpotzeeHandler()]", "SpotzeeHandler(connections=2)]")

    done = doctor(source, SPOTZEE_CAPACITY="50", SPOTZEE_CONNECTIONS="3")

    settings = done.facts["settings"]
    assert f"api_key = sk_… ({len(KEY)} characters) (SPOTZEE_API_KEY)" in settings
    assert "capacity = 50 events (SPOTZEE_CAPACITY)" in settings
    assert "connections = 2 requests (argument)" in settings
    assert "session = None (default)" in settings
    assert "on_error = None (default)" in settings


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"SPOTZEE_API_KEY": ""}, "api_key is missing"),
        ({"SPOTZEE_API_KEY": "ok_other"}, "is an organisation's"),
        ({"SPOTZEE_BASE_URL": "http://example.com/api"}, "plain http"),
        ({"SPOTZEE_CAPACITY": "many"}, "SPOTZEE_CAPACITY is not a number"),
        ({"SPOTZEE_DISABLED": "1"}, "disabled is on"),
    ],
    ids=str,
)
def test_wrong_settings_are_named(doctor, variables, words):
    """What SpotzeeHandler would refuse, or do nothing with, is said with the remedy."""
    assert words in words_of(doctor(**variables), "settings")


def test_a_program_whose_settings_are_wrong(doctor):
    """Where making the handler raises, its words are the finding."""
    done = doctor(GOOD, SPOTZEE_API_KEY="")

    assert "shop cannot be loaded: api_key is missing" in words_of(done, "logging")


def refused_url():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}/api/client"


def test_what_dict_config_hides_is_told(doctor):
    """dictConfig says no more than which handler it could not make: the setting that is wrong stands beside it."""
    done = doctor(DICT_CONFIG, SPOTZEE_API_KEY="")

    assert "shop cannot be loaded: api_key is missing" in words_of(done, "logging")
    assert len(done.wrong["logging"]) == 1


KEPT = """
import sys
from spotzee_logging import SpotzeeHandler

class Kept(SpotzeeHandler):
    made = []

    def __init__(self, **settings):
        self.made.append(self)
        super().__init__(**settings)

Kept(capacity=0)
"""


def test_a_handler_that_could_not_be_made_and_is_still_there(doctor):
    """It is none of the program's handlers, and does not end the command."""
    done = doctor(KEPT)

    assert "shop cannot be loaded: capacity must be from 1 to 100" in words_of(done, "logging")


def test_a_host_that_is_not_found(doctor):
    """A misspelt base URL is a name that DNS does not know."""
    done = doctor(SPOTZEE_BASE_URL="https://api.spotzee.invalid/api/client")

    assert "api.spotzee.invalid is not found" in words_of(done, "address")
    assert "no answer from https://api.spotzee.invalid" in words_of(done, "connection")


def test_nobody_listens(doctor):
    """A sandbox that does not run is said in so many words."""
    assert "Nobody listens there" in words_of(doctor(SPOTZEE_BASE_URL=refused_url()), "connection")


def test_a_certificate_that_is_not_trusted_and_then_is(doctor, tmp_path):
    """TLS is tried as delivery would, by the certificates of requests or of REQUESTS_CA_BUNDLE."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")

    def answer(connection):
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 405 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with Wire(answer, tls=context) as server:
        url = server.url("https")
        distrusted = doctor(SPOTZEE_BASE_URL=url)
        trusted = doctor(SPOTZEE_BASE_URL=url, REQUESTS_CA_BUNDLE=str(tmp_path / "ca.pem"))
        nowhere = doctor(SPOTZEE_BASE_URL=url, REQUESTS_CA_BUNDLE=str(tmp_path / "gone.pem"))

    assert "REQUESTS_CA_BUNDLE" in words_of(distrusted, "connection")
    assert "its certificate is trusted" in trusted.facts["connection"][0]
    assert trusted.wrong == {}
    assert "which is not there" in words_of(nowhere, "connection")
    assert [each["remedy"] for each in nowhere.wrong["connection"]][1:] == [
        "Set that variable right, or unset it."
    ]


def test_a_proxy_that_is_down(doctor):
    """The proxy that the environment names is told of, without its password."""
    proxy = refused_url().removesuffix("/api/client").replace("//", "//user:hidden@")

    done = doctor(SPOTZEE_BASE_URL="https://example.com/api/client", HTTPS_PROXY=proxy)

    assert done.facts["proxy"][0].startswith("http://127.0.0.1:")
    assert "HTTPS_PROXY" in words_of(done, "connection")
    assert "hidden" not in done.stdout


def test_a_proxy_on_this_machine_that_is_down(doctor):
    """Plain http has a variable of its own, and that is the one to see."""
    done = doctor(HTTP_PROXY=refused_url().removesuffix("/api/client"), NO_PROXY="", no_proxy="")

    assert "See HTTP_PROXY and NO_PROXY" in words_of(done, "connection")


@pytest.mark.skipif(importlib.util.find_spec("socks") is not None, reason="PySocks is installed here")
def test_a_socks_proxy_without_pysocks(doctor):
    """What requests lacks for such a proxy is named, as it is in the handler's own line."""
    done = doctor(SPOTZEE_BASE_URL="https://example.com/api/client", HTTPS_PROXY="socks5://127.0.0.1:9")

    assert "speaks SOCKS, which needs PySocks" in words_of(done, "connection")
    assert "Install what it needs: pip install 'requests[socks]'." in words_of(done, "connection")


def test_a_base_url_without_its_path(doctor, sandbox):
    """An address that answers, and is not there, is told of without an event; where one is sent, that tells."""
    wrong = sandbox.url.removesuffix("/api/client")

    unsent = doctor(SPOTZEE_BASE_URL=wrong)
    sent = doctor(None, "--send", SPOTZEE_BASE_URL=wrong)

    assert "answers 404 to HEAD" in words_of(unsent, "connection")
    assert "the API's ends in /api/client" in words_of(unsent, "connection")
    assert list(sent.wrong) == ["key"]


def test_a_handler_that_is_switched_off_in_code(doctor):
    """The remedy is where the fault is: in the argument, not in a variable that nobody set."""
    done = doctor(GOOD.replace("SpotzeeHandler()]", "SpotzeeHandler(disabled=True)]"))

    assert "Leave disabled out where the handler is made." in words_of(done, "settings")


@pytest.mark.parametrize("proxy", ["http://user:hidden@proxy.example.com:port", "http://user:hidden@[proxy"])
def test_a_proxy_that_is_no_url(doctor, proxy):
    """A mistyped proxy is found for what it is, and its password is not shown."""
    done = doctor(SPOTZEE_BASE_URL="https://example.com/api/client", HTTPS_PROXY=proxy)

    assert "no URL" in words_of(done, "address")
    assert "HTTPS_PROXY" in words_of(done, "address")
    assert "HTTPS_PROXY" in words_of(done, "connection")
    assert "hidden" not in done.stdout


def test_a_basic_config_that_does_nothing(doctor):
    """Where the root logger has handlers already, the remedy is not the call that does nothing there."""
    done = doctor(f"import logging; logging.getLogger().addHandler(logging.NullHandler())\n{GOOD}")

    assert "there is no SpotzeeHandler" in words_of(done, "logging")
    assert "logging.getLogger().addHandler(SpotzeeHandler())" in words_of(done, "logging")
    assert "basicConfig does nothing" in words_of(done, "logging")


SPOOLED = """
import logging
from spotzee_logging import SpotzeeHandler

logging.basicConfig(level=logging.INFO, handlers=[SpotzeeHandler(spool="events.db")])
logging.getLogger("shop").info("loaded", extra={"spotzee_event": "loaded", "external_id": "cust_001"})
"""


def test_a_programs_spool_is_left_alone(doctor, sandbox, run_python, tmp_path):
    """What a program logs while it is loaded is kept nowhere, and what its spool holds stays there."""
    made = doctor(SPOOLED)

    assert made.wrong == {}
    assert "is not there yet" in made.facts["spool"][0]
    assert list(tmp_path.glob("events.db*")) == []

    # Ends without delivering anything: its event stays in the spool.
    run_python(SPOOLED + "import os; os._exit(0)", SPOTZEE_BASE_URL=refused_url())
    before = {path.name: path.read_bytes() for path in tmp_path.glob("events.db*")}
    again = doctor(SPOOLED)

    assert again.wrong == {}
    assert again.facts["spool"] == [f"{tmp_path / 'events.db'} is a spool"]
    assert {path.name: path.read_bytes() for path in tmp_path.glob("events.db*")} == before
    assert sandbox.events() == []


OWN_BUFFER = """
import logging
from spotzee_logging import SpotzeeHandler
from spotzee_logging.buffers.sqlite import SqliteBuffer

buffer = SqliteBuffer("events.db", 10**9)
logging.basicConfig(level=logging.INFO, handlers=[SpotzeeHandler(buffer=buffer)])
logging.getLogger("shop").info("loaded", extra={"spotzee_event": "loaded", "external_id": "cust_001"})
"""


def test_a_programs_own_buffer_gets_nothing(doctor, tmp_path):
    """What a program logs while it is loaded does not get into a buffer that it made itself."""
    assert doctor(OWN_BUFFER).wrong == {}

    with contextlib.closing(SpoolSurvey(str(tmp_path / "events.db"))) as spool:
        assert list(spool.pending()) == []
    assert "must keep the contract" in words_of(
        doctor(OWN_BUFFER.replace("(buffer=buffer)", "(buffer=7)")), "logging"
    )


def test_a_spool_that_cannot_be(doctor, tmp_path):
    """A spool that no program could start with is found by its setting alone."""
    (tmp_path / "notes.txt").write_text("no database")

    foreign = doctor(SPOTZEE_SPOOL=str(tmp_path / "notes.txt"))
    beneath = doctor(SPOTZEE_SPOOL=str(tmp_path / "notes.txt" / "events.db"))
    folder = doctor(SPOTZEE_SPOOL=str(tmp_path))
    unused = doctor(SPOTZEE_SPOOL=str(tmp_path / "notes.txt"), SPOTZEE_DISABLED="1")

    assert "no spool" in words_of(foreign, "spool")
    assert "Not a directory" in words_of(beneath, "spool")
    assert "no spool" in words_of(folder, "spool")
    assert "spool" not in unused.wrong
    assert (tmp_path / "notes.txt").read_text() == "no database"


SESSION = """
import logging, requests
from spotzee_logging import SpotzeeHandler

session = requests.Session()
session.proxies["https"] = "http://user:hidden@127.0.0.1:9"
logging.getLogger().addHandler(SpotzeeHandler(session=session))
logger = logging.getLogger("shop")
logger.info("seen", extra={"spotzee_event": "seen", "external_id": "cust_001"})
"""


def test_the_proxy_of_a_session_of_the_programs(doctor):
    """A session that was set may have a proxy of its own: that is the one shown, and looked for."""
    done = doctor(SESSION, SPOTZEE_BASE_URL="https://example.com/api/client")

    assert done.facts["proxy"][1].startswith("http://127.0.0.1:9 ")
    assert "127.0.0.1 is 127.0.0.1" in done.facts["address"]
    assert "hidden" not in done.stdout


@contextlib.contextmanager
def server_whose_clock_is_off(seconds):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(405)
            self.end_headers()

        def date_time_string(self, timestamp=None):
            return email.utils.formatdate(time.time() + seconds, usegmt=True)

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/api/client"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, ""), (600, "s behind the server's"), (-600, "s ahead of")]
)
def test_a_clock_that_is_off(doctor, seconds, words):
    """A clock that differs from the server's gives events wrong times: which way, and how far."""
    with server_whose_clock_is_off(seconds) as url:
        done = doctor(SPOTZEE_BASE_URL=url)

    assert words in words_of(done, "clock")
    assert bool(done.wrong) == bool(words)


def test_send_tries_the_key_with_one_event(doctor, sandbox):
    """Nothing is sent unasked: then the event that was announced, and what came of it."""
    announced = doctor().facts["key"][0]
    assert sandbox.events() == []

    done = doctor(None, "--send")

    assert [json.dumps(event, separators=(",", ":")) for event in sandbox.events()] == [
        announced.partition(": ")[2]
    ]
    assert done.facts["key"][0].startswith("the API has taken one event (request req_")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "SPOTZEE_API_KEY"),
        (402, "Raise the project's quota"),
        (404, "base_url"),
        (422, "See base_url and api_version"),
        (503, "Try again"),
    ],
)
def test_send_says_why_the_key_is_not_taken(doctor, sandbox, status, words):
    """The server's words and what to set right."""
    sandbox.faults([{"status": status}])

    done = doctor(None, "--send")

    assert f"the API answers {status}" in words_of(done, "key")
    assert words in words_of(done, "key")


def test_send_where_nobody_listens(doctor):
    """There is no answer, and none is said to be the API's."""
    done = doctor(None, "--send", SPOTZEE_BASE_URL="http://127.0.0.1:9/api/client")

    says = done.wrong["key"][0]["says"]
    assert says.startswith("no answer: ConnectionError")


@pytest.mark.parametrize(
    ("file", "module"),
    [
        ("shop.py", "shop"),
        ("./shop.py", "shop"),
        ("orders/logs.py:configure", "orders.logs:configure"),
        ("orders/logs", "orders.logs"),
        ("/srv/shop.py", "shop"),
        ("../shop.py", "shop"),
    ],
)
@pytest.mark.parametrize("option", ["--import", "--django"])
def test_a_file_is_no_modules_name(doctor, tmp_path, option, file, module):
    """Who gives the file that an editor shows reads the name to give; the program is not run for it."""
    (tmp_path / "shop.py").write_text("raise SystemExit('it is run')")

    done = doctor(None, option, file)

    assert f"{file} cannot be loaded: give the module's name, {module}, not its file" in words_of(
        done, "logging"
    )


def test_a_function_that_configures_logging_is_called(doctor):
    """Where logging is configured in a function, --import names it."""
    source = "def configure():\n" + "".join(f"    {line}\n" for line in GOOD.splitlines()[1:5])

    assert "logging" in doctor(source).wrong
    assert doctor(None, "--import", "shop:configure").wrong == {}


# A Django project

DJANGO_LOGGING = """{
    "version": 1, "disable_existing_loggers": False,
    "filters": {"contact": {"()": "spotzee_logging.ContactFilter"}},
    "handlers": {"spotzee": {"class": "spotzee_logging.SpotzeeHandler"}},
    "loggers": {"orders": {"level": "INFO"}},
    "root": {"level": "INFO", "handlers": ["spotzee"]},
}"""
DJANGO_SETTINGS = """
import orders.prices  # before logging is configured, as a settings module may

SECRET_KEY = "x"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "orders"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "spotzee_logging.contrib.django.contact_middleware",
]
ROOT_URLCONF = "site_of_shop.urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
LOGGING = """
DJANGO_PROJECT = {
    "site_of_shop/__init__.py": "",
    "site_of_shop/settings.py": DJANGO_SETTINGS + DJANGO_LOGGING,
    "site_of_shop/urls.py": """
from django.urls import include, path

urlpatterns = [path("orders/", include("orders.urls"))]
""",
    "orders/__init__.py": "",
    "orders/prices.py": "import logging\n\nlogger = logging.getLogger(__name__)\n",
    "orders/models.py": """
from django.db import models


class Order(models.Model):
    number = models.IntegerField()
""",
    "orders/urls.py": """
from django.urls import path
from orders import views

urlpatterns = [path("place/<int:number>", views.place)]
""",
    "orders/views.py": """
import logging

from django.http import HttpResponse

logger = logging.getLogger(__name__)


def place(request, number):
    logger.info("order placed", extra={"spotzee_event": "order_placed", "number": number})
    return HttpResponse("placed")
""",
}


@pytest.fixture
def django_project(tmp_path):
    """Writes a project of Django's, of one app, whose settings and views are changed as told."""

    def write(logging=(), views=(), urls=()):
        changes = {
            "site_of_shop/settings.py": logging,
            "orders/views.py": views,
            "site_of_shop/urls.py": urls,
        }
        for name, source in DJANGO_PROJECT.items():
            for old, new in changes.get(name, ()):
                assert old in source
                source = source.replace(old, new)
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(source)

    return write


def test_django_a_good_project_is_well(doctor, django_project, sandbox):
    """Settings, apps and URLs are loaded by Django itself; that a view's tag has no id is the middleware's part."""
    django_project()

    done = doctor(None, "--django", "site_of_shop.settings")

    assert done.wrong == {}
    assert done.facts["logging"] == ["SpotzeeHandler on logger 'root'"]
    assert sandbox.events() == []


DJANGO_FAULTS = {
    "disable_existing_loggers": (
        [(' "disable_existing_loggers": False,', ""), ('"loggers": {"orders": {"level": "INFO"}},', "")],
        "disabled",
        "logger 'orders.prices' was disabled, as dictConfig",
    ),
    "propagate": (
        [('{"orders": {', '{"orders": {"propagate": False, ')],
        "propagation",
        "logger 'orders' has propagate=False, and no SpotzeeHandler is on it",
    ),
    "root left at WARNING": (
        [('"root": {"level": "INFO", ', '"root": {'), ('"loggers": {"orders": {"level": "INFO"}},', "")],
        "levels",
        "logger 'root' is at WARNING and drops logger.info",
    ),
    "app at ERROR": (
        [('{"orders": {"level": "INFO"', '{"orders": {"level": "ERROR"')],
        "levels",
        "logger 'orders' is at ERROR and drops logger.info",
    ),
    "handler at WARNING": (
        [('spotzee_logging.SpotzeeHandler"', 'spotzee_logging.SpotzeeHandler", "level": "WARNING"')],
        "levels",
        "a SpotzeeHandler is at WARNING",
    ),
    "handler on app and root": (
        [('{"orders": {', '{"orders": {"handlers": ["spotzee"], ')],
        "twice",
        "logger 'orders' reaches the same SpotzeeHandler more than once",
    ),
    "two handlers for one key": (
        [
            ('"handlers": {', '"handlers": {"second": {"class": "spotzee_logging.SpotzeeHandler"}, '),
            ('"handlers": ["spotzee"]', '"handlers": ["spotzee", "second"]'),
        ],
        "twice",
        "reaches 2 SpotzeeHandlers with the same key",
    ),
    "filter for production": (
        [
            ('"filters": {', '"filters": {"debug": {"()": "django.utils.log.RequireDebugTrue"}, '),
            ('spotzee_logging.SpotzeeHandler"', 'spotzee_logging.SpotzeeHandler", "filters": ["debug"]'),
        ],
        "filters",
        "a filter of a SpotzeeHandler (RequireDebugTrue) drops a tagged line at INFO",
    ),
    "handler on Django's own logger": (
        [
            ('"loggers": {', '"loggers": {"django": {"level": "INFO", "handlers": ["spotzee"]}, '),
            ('"root": {"level": "INFO", "handlers": ["spotzee"]', '"root": {"level": "INFO", "handlers": []'),
        ],
        "elsewhere",
        "no SpotzeeHandler is on the way of logger 'orders.views' (",
    ),
    "no handler": (
        [('"handlers": ["spotzee"]', '"handlers": []')],
        "logging",
        "name it among the handlers of the root logger too",
    ),
    "no handler at all": (
        [("spotzee_logging.SpotzeeHandler", "logging.StreamHandler")],
        "logging",
        "there is no SpotzeeHandler",
    ),
    "a setting that is refused": (
        [('spotzee_logging.SpotzeeHandler"', 'spotzee_logging.SpotzeeHandler", "capacity": 0')],
        "logging",
        "site_of_shop.settings cannot be loaded: capacity",
    ),
}


@pytest.mark.parametrize("what", DJANGO_FAULTS)
def test_django_each_planted_fault_is_named_alone(doctor, django_project, what):
    """What LOGGING swallows, or doubles, is named with its remedy, and as one fault."""
    changes, name, words = DJANGO_FAULTS[what]
    django_project(logging=changes)

    done = doctor(None, "--django", "site_of_shop.settings")

    assert words in words_of(done, name)
    assert {each: len(found) for each, found in done.wrong.items()} == {name: 1}


@pytest.mark.skipif(sys.version_info < (3, 12), reason="dictConfig makes QueueHandlers from Python 3.12 on")
def test_django_a_queue_keeps_the_contact_by_its_filter(doctor, django_project):
    """A QueueHandler of LOGGING leaves who is acting behind, unless it has the ContactFilter."""
    queue = '"queue": {"class": "logging.handlers.QueueHandler", "handlers": ["spotzee"]%s}, "spotzee": {'
    through = (
        '"root": {"level": "INFO", "handlers": ["spotzee"]',
        '"root": {"level": "INFO", "handlers": ["queue"]',
    )

    django_project(logging=[('"spotzee": {', queue % ""), through])
    assert "a QueueHandler has no ContactFilter" in words_of(
        doctor(None, "--django", "site_of_shop.settings"), "contacts"
    )
    django_project(logging=[('"spotzee": {', queue % ', "filters": ["contact"]'), through])
    assert doctor(None, "--django", "site_of_shop.settings").wrong == {}


def test_django_a_bad_tag_of_a_view_is_named(doctor, django_project):
    """Views are loaded with the URLs: a tag that breaks a rule is told with its file and line."""
    django_project(views=[('"number": number', '"external_id": 42')])

    done = doctor(None, "--django", "site_of_shop.settings")

    line = DJANGO_PROJECT["orders/views.py"].splitlines().index("def place(request, number):") + 2
    assert (
        f"{os.path.join('orders', 'views.py')}:{line}: event 'order_placed': external_id must be"
        in words_of(done, "tags")
    )


def test_django_urls_that_do_not_load_are_told_and_the_rest_is_looked_at(doctor, django_project):
    """A project in the midst of a change still hears what is wrong with its logging."""
    django_project(
        logging=[('{"orders": {"level": "INFO"', '{"orders": {"level": "ERROR"')],
        urls=[("orders.urls", "orders.gone")],
    )

    done = doctor(None, "--django", "site_of_shop.settings")

    assert "site_of_shop.settings cannot be loaded: ModuleNotFoundError" in words_of(done, "logging")
    assert "logger 'orders' is at ERROR" in words_of(done, "levels")


def test_without_django_it_says_so(without_modules, tmp_path):
    """In a Python that has no Django, which is the wrong one, it says what to do."""
    done = without_modules(["django"], "doctor", "--django", "site_of_shop.settings")

    assert "Django is not installed here: run this with the program's own Python" in done.stdout
    assert done.returncode == 1


def test_settings_that_are_not_there(doctor):
    """A name of settings that cannot be imported is told, not raised."""
    done = doctor(None, "--django", "nowhere.settings")

    assert "nowhere.settings cannot be loaded: ModuleNotFoundError" in words_of(done, "logging")
    assert "Run this in the project's folder, or name that folder in PYTHONPATH." in words_of(done, "logging")
