"""`spotzee-logging spool`: what is in a spool, what was refused, and its delivery without the program."""

import json
import os
import re
import subprocess
import sys

import pytest

from conftest import start_again

KEY = "sk_secret_of_the_tests"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "spool" / "events.db"


@pytest.fixture
def spool(command, path):
    """Runs `spool COMMAND FILE`; no line of it ever holds an event's data, unless it is asked for."""

    def run(name, *arguments, **variables):
        done = command("spool", name, path, *arguments, SPOTZEE_API_KEY=KEY, **variables)
        assert KEY not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        if name != "export" and "--data" not in arguments:
            assert "lamp" not in done.stdout + done.stderr
        return done

    return run


PROGRAM = """
import json, logging, os, sys
from spotzee_logging import SpotzeeHandler

url, path, tags, flush_seconds = sys.argv[1:]
handler = SpotzeeHandler("sk_secret_of_the_tests", base_url=url, spool=path, capacity=2)
logging.getLogger("spotzee_logging").setLevel(logging.CRITICAL)
logger = logging.getLogger("shop")
logger.setLevel(logging.INFO)
logger.addHandler(handler)
for tag in json.loads(tags):
    logger.info("x", extra={"spotzee_event": tag})
handler.flush(float(flush_seconds))
print(os.getpid(), flush=True)
if "lives" in os.environ:
    sys.stdin.read()
os._exit(9)  # as by kill -9: without an exit of Python's
"""


def tags(count, **tag):
    return [
        {"name": "placed", "external_id": f"cust_{number}", "data": {"item": "lamp"}, **tag}
        for number in range(count)
    ]


@pytest.fixture
def log(run_python, path):
    """Has a program log so many events into the spool and die; the number of its process."""

    def run(count, *, url, flush_seconds=0, **tag):
        done = run_python(PROGRAM, url, path, json.dumps(tags(count, **tag)), flush_seconds, check=False)
        assert done.returncode == 9, done.stderr
        return int(done.stdout)

    return run


@pytest.fixture
def living(tmp_path, path):
    """Starts a program that logs so many events into the spool and lives on, until the test is over."""
    started = []

    def start(count, *, url):
        program = tmp_path / "living.py"
        program.write_text(PROGRAM)
        command = [sys.executable, program, url, path, json.dumps(tags(count)), "0"]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "lives": "1"}
        )
        started.append(process)
        assert process.stdout.readline()

    yield start
    for process in started:
        process.communicate()


@pytest.fixture
def nowhere(sandbox):
    """The URL of a server that is down."""
    sandbox.stop()
    yield sandbox.url
    start_again(sandbox)


@pytest.fixture
def refused(log, sandbox, path):
    """A spool with three events that the server has refused."""
    answer = {"code": "validation_failed", "message": "unknown contact", "request_id": "req_7"}
    sandbox.faults([{"status": 422, "body": answer, "times": 100}])
    log(3, url=sandbox.url, flush_seconds=20)
    sandbox.faults([])


def test_status_tells_what_there_is(spool, log, path, nowhere):
    """Pending, in flight, by owner, how old, and the size: as text, and as JSON for machines."""
    pid = log(5, url=nowhere, flush_seconds=1)
    path.with_name(f"{path.name}2").write_bytes(bytes(10**7))  # another's, which only sounds like it

    done = spool("status")
    report = json.loads(spool("status", "--json").stdout)

    assert (done.returncode, done.stderr) == (0, "")
    assert "pending   5, 0 of them in flight" in done.stdout
    assert f"process {pid}, gone" in done.stdout
    assert (report["pending"], report["in_flight"], report["rejected"]) == (5, 0, {})
    assert report["file"] == str(path)
    assert 4096 < report["size_bytes"] < 10**7
    assert 0 <= report["oldest_age_seconds"] < 60
    assert [(owner["alive"], owner["waiting"] + owner["in_batches"]) for owner in report["owners"]] == [
        (False, 5)
    ]


def test_status_of_a_program_that_runs(spool, living, nowhere):
    """What a living process has is its own, and told as such."""
    living(3, url=nowhere)

    report = json.loads(spool("status", "--json").stdout)

    assert report["pending"] == 3
    assert [owner["alive"] for owner in report["owners"]] == [True]


def test_list_and_show_name_events_and_no_data(spool, log, nowhere):
    """A line for each event, by which `show` finds it; its data only with --data."""
    log(3, url=nowhere)
    listed = [json.loads(line) for line in spool("list", "--json").stdout.splitlines()]
    assert [each["external_id"] for each in listed] == ["cust_0", "cust_1", "cust_2"]
    assert {each["name"] for each in listed} == {"placed"}

    for each in listed:
        shown = spool("show", each["id"])
        assert each["external_id"] in shown.stdout
        assert json.loads(spool("show", each["id"], "--data", "--json").stdout)["event"]["data"] == {
            "item": "lamp"
        }
        assert each["id"] in spool("list").stdout


def test_show_of_an_unknown_id(spool, log, nowhere):
    """It may be delivered by now: said, and exit code 1."""
    log(1, url=nowhere)

    for identity in ("7", "f" * 32 + ":0", "nonsense"):
        done = spool("show", identity)
        assert (done.returncode, done.stdout) == (1, "")
        assert "no event has the ID" in done.stderr


def test_rejected_events_are_told_with_the_servers_words(spool, refused):
    """Reason, words and request_id are there for whoever sets it right."""
    report = json.loads(spool("status", "--json").stdout)
    listed = [json.loads(line) for line in spool("list", "--rejected", "--json").stdout.splitlines()]

    assert (report["pending"], report["rejected"]) == (0, {"validation_failed": 3})
    assert {(each["state"], each["reason"], each["request_id"]) for each in listed} == {
        ("rejected", "validation_failed", "req_7")
    }
    assert {each["why"] for each in listed} == {"422 validation_failed: unknown contact"}
    assert spool("list", "--rejected").stdout.count("  422 validation_failed: unknown contact\n") == 3
    shown = spool("show", "1").stdout
    assert "422 validation_failed: unknown contact" in shown
    assert re.search(r"^rejected_at +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", shown, re.MULTILINE)


def test_rejected_events_are_told_with_what_is_said_of_each(spool, log, sandbox):
    """Where the answer names events, each has its own fields, messages and codes in `list` and in `show`."""
    errors = [
        {"param": "0.external_id", "code": "bad_id", "message": "is no id"},
        {"param": "1.data.total", "message": "must be a number"},
    ]
    sandbox.faults(
        [{"status": 422, "body": {"code": "validation_failed", "message": "no", "errors": errors}}]
    )
    log(2, url=sandbox.url, flush_seconds=20)

    listed = spool("list", "--rejected").stdout.splitlines()

    assert listed[0].endswith("422 validation_failed: external_id: is no id (bad_id)")
    assert listed[1].endswith("422 validation_failed: data.total: must be a number")
    assert "422 validation_failed: data.total: must be a number" in spool("show", "2").stdout


def test_retry_sends_rejected_events_again(spool, refused, sandbox):
    """After a fix they go under a new key, all or those that are named, and are rejected no more."""
    keys = {request["idempotency_key"] for request in sandbox.requests()}
    assert spool("retry", "2").stdout == "1 retried\n"
    assert json.loads(spool("retry", "--all", "--json").stdout) == {"retried": 2}

    done = spool("send", SPOTZEE_BASE_URL=sandbox.url)

    assert (done.returncode, done.stdout) == (0, "3 delivered, 0 rejected, 0 undelivered\n")
    assert sorted(event["external_id"] for event in sandbox.events()) == ["cust_0", "cust_1", "cust_2"]
    assert not keys & {request["idempotency_key"] for request in sandbox.requests()[len(keys) :]}
    assert json.loads(spool("status", "--json").stdout)["rejected"] == {}


def test_retry_says_what_is_not_rejected(spool, log, nowhere):
    """Who names an event that is yet to be delivered learns that it needs no retry."""
    log(1, url=nowhere)
    identity = json.loads(spool("list", "--json").stdout.splitlines()[0])["id"]

    done = spool("retry", identity)

    assert done.returncode == 1
    assert "is not rejected: it is yet to be delivered" in done.stderr


def test_a_machine_that_must_send_nothing_sends_no_spool(spool, log, nowhere, sandbox):
    """With `SPOTZEE_DISABLED` set `send` refuses, as `replay` does, and the events stay where they are."""
    log(2, url=nowhere)

    done = spool("send", SPOTZEE_DISABLED="1")

    assert done.returncode == 2
    assert "SPOTZEE_DISABLED is set" in done.stderr
    assert json.loads(spool("status", "--json").stdout)["pending"] == 2


def test_retry_wants_to_know_what(spool, refused):
    """Neither IDs nor --all is wrong usage; an unknown ID is named, and nothing is retried."""
    assert spool("retry").returncode == 2
    done = spool("retry", "1", "77")
    assert done.returncode == 1
    assert "77" in done.stderr
    assert json.loads(spool("status", "--json").stdout)["rejected"] == {"validation_failed": 3}


def test_a_running_program_sends_what_is_retried(spool, refused, living, sandbox):
    """No restart is needed: whoever uses the spool takes it over within seconds."""
    living(1, url=sandbox.url)

    spool("retry", "--all")

    assert sandbox.wait_for(4, 60)


def test_export_gives_what_send_reads(spool, log, command, sandbox, path):
    """JSON lines, data and all; sent from the file they are the same events."""
    sandbox.stop()
    log(3, url=sandbox.url)
    start_again(sandbox)
    exported = spool("export")
    assert exported.returncode == 0
    assert [json.loads(line)["data"]["item"] for line in exported.stdout.splitlines()] == ["lamp"] * 3

    done = command("send", "-", stdin=exported.stdout, SPOTZEE_API_KEY=KEY, SPOTZEE_BASE_URL=sandbox.url)

    assert done.stdout == "3 delivered, 0 rejected, 0 undelivered\n"


def test_export_of_rejected_events_alone(spool, refused):
    """The choice of `list` holds for `export` too."""
    assert len(spool("export", "--rejected").stdout.splitlines()) == 3
    assert spool("export", "--pending").stdout == ""


def test_purge_deletes_what_it_is_told(spool, refused, log, nowhere):
    """Rejected events, or old ones; what a living process has is left."""
    assert spool("purge").returncode == 2
    assert spool("purge", "--rejected", "--older-than", "1d").stdout == "0 deleted\n"
    assert json.loads(spool("purge", "--rejected", "--json").stdout) == {"deleted": 3}
    log(2, url=nowhere, created_at="2026-01-01T00:00:00Z")
    log(2, url=nowhere)
    assert spool("purge", "--older-than", "tomorrow").returncode == 2

    assert spool("purge", "--older-than", "7d").stdout == "2 deleted\n"

    assert json.loads(spool("status", "--json").stdout)["pending"] == 2


def test_send_delivers_without_the_program(spool, log, sandbox, path):
    """The relay of a host: what was left by programs that are gone arrives, once, and the spool is empty."""
    sandbox.stop()
    log(250, url=sandbox.url)
    start_again(sandbox)

    done = spool("send", "--json", SPOTZEE_BASE_URL=sandbox.url)

    assert done.returncode == 0
    assert json.loads(done.stdout) == {"delivered": 250, "rejected": 0, "undelivered": 0}
    assert sorted(event["external_id"] for event in sandbox.events()) == sorted(
        f"cust_{number}" for number in range(250)
    )
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_send_leaves_what_it_cannot_deliver(spool, log, nowhere):
    """The server is down: exit code 1, the reason, and everything is kept."""
    log(5, url=nowhere)

    done = spool("send", "--base-url", nowhere, "--timeout", 1)

    assert (done.returncode, done.stdout) == (1, "0 delivered, 0 rejected, 5 undelivered\n")
    assert "ConnectionError" in done.stderr
    assert "5 events kept in the spool" in done.stderr
    assert json.loads(spool("status", "--json").stdout)["pending"] == 5


@pytest.mark.parametrize("name", ["status", "list", "export", "send"])
@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "there is no spool"), ("notes", "is no spool, and no SQLite database")],
)
def test_a_file_that_is_no_spool(command, tmp_path, name, content, words):
    """Said in one line, exit code 2; a missing file is not made, another is not changed."""
    path = tmp_path / "events.db"
    if content is not None:
        path.write_text(content)

    done = command("spool", name, path, SPOTZEE_API_KEY=KEY)

    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert [each.read_text() for each in tmp_path.iterdir()] == ([] if content is None else [content])
