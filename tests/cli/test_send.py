"""`spotzee-logging send` delivers the good lines, names the bad ones, and exits by how it went."""

import contextlib
import json
import logging
import os
import re
import signal
import socket
import sys
import threading
import time

import pytest
from click.testing import CliRunner

from spotzee_logging.cli.commands import cli

KEY = "sk_secret_of_the_tests"


def line(number=1, **fields):
    """A line that keeps every rule."""
    return json.dumps({"name": "imported", "external_id": "cust_001", "data": {"n": number}, **fields}) + "\n"


@pytest.fixture
def send(command, sandbox):
    """Runs `send` against the sandbox; stdin by default."""

    def run(stdin="", *arguments, file="-", **variables):
        variables = {"SPOTZEE_BASE_URL": sandbox.url, "SPOTZEE_API_KEY": KEY, **variables}
        done = command("send", file, *arguments, stdin=stdin, **variables)
        assert KEY not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture
def refused_url():
    """A base URL where nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{unused.getsockname()[1]}/api/client"


def test_lines_of_a_file_arrive_in_order(send, sandbox, tmp_path):
    """A file's events arrive complete and in order, in full batches, as a command line's."""
    path = tmp_path / "events.jsonl"
    path.write_text("".join(line(number) for number in range(250)))

    done = send(file=path)

    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "250 delivered, 0 rejected, 0 undelivered\n",
        "",
    )
    assert [event["data"]["n"] for event in sandbox.events()] == list(range(250))
    assert {each["headers"]["x-spotzee-client-type"] for each in sandbox.requests()} == {"cli"}


def test_standard_input_and_every_field_as_it_was_written(send, sandbox):
    """What a line says is what arrives; created_at is kept, and added where it is missing."""
    event = {
        "name": "order_placed",
        "external_id": "cust_001",
        "anonymous_id": "anon_1",
        "user": {"email": "ada@example.com", "timezone": None},
        "data": {"total": 129.5, "città": "Zürich"},
        "created_at": "2026-04-28T15:14:00+10:00",
    }
    text = json.dumps(event, ensure_ascii=False) + "\n\n   \n" + '{"name": "seen", "anonymous_id": "a"}'

    done = send("\ufeff" + text)  # with the mark that some editors put first

    assert (done.returncode, done.stdout) == (0, "2 delivered, 0 rejected, 0 undelivered\n")
    first, second = sandbox.events()
    assert first == event
    assert second["created_at"].endswith("Z")


def test_nothing_to_send_is_a_success(send, sandbox):
    """An empty file is no failure, and makes no request."""
    done = send("\n\n")

    assert (done.returncode, done.stdout) == (0, "0 delivered, 0 rejected, 0 undelivered\n")
    assert sandbox.requests() == []


BAD_LINES = {
    b'{"name": "secret_data"': "is not JSON (column 23)",
    b"[1]": "is no JSON object but a list",
    b"null": "is no JSON object but a NoneType",
    b'{"name": "x", "external_id": "caf\xe9"}': "is not UTF-8",
    b'{"name": "x", "external_id": "c", "data": {"v": NaN}}': "NaN or an infinity",
    b'{"name": "x", "external_id": "c", "data": {"v": %s}}' % (b"1" * 5000): "too many digits",
    b'{"name": "x", "external_id": "c", "data": %s}' % (b"[" * 100_000): "is nested too deeply",
    b'{"name": "x"}': "external_id is missing",
    b'{"name": "x", "externalId": "c"}': "Did you mean external_id?",
    b'{"name": "x", "external_id": 7}': "external_id must be a string, got int",
    b'{"name": "x", "external_id": "c", "data": {"v": "%s"}}'
    % (b"v" * 300_000): "takes more than 262144 bytes.",
    b'"%s"' % (b"v" * 3_000_000): "is longer than any event",
}


def test_bad_lines_are_named_and_the_good_ones_go(send, sandbox):
    """Each bad line is said once, with its number and reason, and none of its data."""
    lines = [line(0).encode(), b"\n"]
    lines += [bad + b"\n" for bad in BAD_LINES]
    lines += [line(1).encode()]

    done = send(b"".join(lines))

    assert done.returncode == 1
    assert done.stdout == f"2 delivered, {len(BAD_LINES)} rejected, 0 undelivered\n"
    said = done.stderr.splitlines()
    assert len(said) == len(BAD_LINES)
    for number, (words, reason) in enumerate(zip(said, BAD_LINES.values(), strict=True), start=3):
        assert words.startswith(f"line {number}: ")
        assert reason in words
    assert [event["data"]["n"] for event in sandbox.events()] == [0, 1]


def test_a_last_line_that_is_too_long_ends_the_file(send):
    """A line without end is not read into memory, also where nothing comes after it."""
    done = send(line() + "v" * 3_000_000)

    assert done.stdout == "1 delivered, 1 rejected, 0 undelivered\n"


def test_what_the_server_rejects_is_named_without_its_data(send, sandbox):
    """An event that the server refuses is said with its name, ids and the server's words."""
    sandbox.faults([{"status": 422, "code": "validation_failed"}])

    done = send(line(data={"card": "4242"}))

    assert (done.returncode, done.stdout) == (1, "0 delivered, 1 rejected, 0 undelivered\n")
    assert "'imported' (external_id 'cust_001'): rejected, 422 validation_failed" in done.stderr
    assert "4242" not in done.stderr


def test_a_key_that_is_refused_ends_it_with_the_reason(send, sandbox):
    """Nothing is asked again and again for an hour: it stops, and says what to set right."""
    sandbox.faults([{"status": 401, "times": 10}])

    done = send("".join(line(number) for number in range(3)))

    assert (done.returncode, done.stdout) == (1, "0 delivered, 0 rejected, 3 undelivered\n")
    assert done.stderr.count("delivery pauses, 401 authentication_required") == 1
    assert len(sandbox.requests()) == 1


def test_a_key_that_is_refused_stops_the_reading(start, sandbox):
    """A pipe without an end is left at the pause, with the line to go on from."""
    sandbox.faults([{"status": 401, "times": 100}])
    process = start("send", "-", SPOTZEE_BASE_URL=sandbox.url, SPOTZEE_API_KEY=KEY)
    deadline, tick = time.monotonic() + 30, threading.Event()
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(line())
            process.stdin.flush()
        tick.wait(0.05)
    _, err = process.communicate(timeout=20)

    assert process.returncode == 1
    assert "delivery pauses, 401 authentication_required" in err
    assert re.search(r"stopped after line \d+: the lines after it are not sent", err)
    assert "waiting for" not in err


def test_the_base_url_of_the_option_counts(command, sandbox, refused_url):
    """`--base-url` goes before SPOTZEE_BASE_URL."""
    done = command(
        "send",
        "-",
        "--base-url",
        sandbox.url,
        stdin=line(),
        SPOTZEE_BASE_URL=refused_url,
        SPOTZEE_API_KEY=KEY,
    )

    assert (done.returncode, done.stdout) == (0, "1 delivered, 0 rejected, 0 undelivered\n")


def test_of_many_rejected_events_the_first_are_named(send, sandbox):
    """A wrong key does not fill the screen: a hundred are named and the others counted."""
    sandbox.faults([{"status": 418, "times": 1000}])

    done = send("".join(line(number) for number in range(130)))

    assert done.stdout == "0 delivered, 130 rejected, 0 undelivered\n"
    assert done.stderr.count("rejected, 418") == 100
    assert done.stderr.splitlines()[-1] == "30 more events were rejected"


def test_trouble_that_passes_is_not_a_failure(send, sandbox):
    """Answers of 503 and a lost answer are tried again; each event arrives once."""
    sandbox.faults([{"status": 503, "times": 2}, {"reset": "after"}])

    done = send("".join(map(line, range(5))))

    assert (done.returncode, done.stdout) == (0, "5 delivered, 0 rejected, 0 undelivered\n")
    assert len(sandbox.events()) == 5


def test_an_unreachable_server_ends_in_time_with_the_cause(command, refused_url):
    """After --timeout the command gives up, counts what is left and says why."""
    began = time.monotonic()
    done = command(
        "send", "-", "--base-url", refused_url, "--timeout", 2.5, stdin=line() * 3, SPOTZEE_API_KEY=KEY
    )

    assert time.monotonic() - began < 20
    assert (done.returncode, done.stdout) == (1, "0 delivered, 0 rejected, 3 undelivered\n")
    waiting, why = done.stderr.splitlines()
    assert waiting.startswith("waiting for 3 events; the last trouble: no answer")
    assert why.startswith("undelivered: no answer")


def test_no_time_at_all_is_said_so(send, sandbox):
    """--timeout 0 does not wait, and does not claim that anything arrived."""
    sandbox.faults([{"hang": True}])

    done = send(line(), "--timeout", 0)

    assert (done.returncode, done.stdout) == (1, "0 delivered, 0 rejected, 1 undelivered\n")
    assert done.stderr == "undelivered: there was no time for a request\n"


def test_a_slow_server_loses_nothing_though_the_buffer_is_small(send, sandbox):
    """A file far larger than the buffer waits for room; nothing is dropped."""
    sandbox.faults([{"delay": 0.1, "times": 5}])
    text = "".join(line(number, data={"n": number, "pad": "x" * 200}) for number in range(500))

    done = send(text, SPOTZEE_MAX_PENDING_BYTES="20000", SPOTZEE_MAX_EVENT_BYTES="2000")

    assert (done.returncode, done.stdout) == (0, "500 delivered, 0 rejected, 0 undelivered\n")
    assert [event["data"]["n"] for event in sandbox.events()] == list(range(500))


def test_a_server_that_stays_down_stops_a_large_file(send, sandbox):
    """Where there is no room for --timeout, the command stops reading and names the line to go on from."""
    sandbox.faults([{"hang": True, "times": 100}])

    done = send(
        line() * 100, "--timeout", 0.3, SPOTZEE_MAX_PENDING_BYTES="1024", SPOTZEE_MAX_EVENT_BYTES="512"
    )

    assert done.returncode == 1
    assert done.stdout.startswith("0 delivered, 0 rejected, ")
    assert "stopped at line " in done.stderr
    assert "for 0.3 s" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT")
def test_ctrl_c_ends_promptly_and_says_what_was_delivered(start, sandbox):
    """An interrupted pipe ends at once with the account of what went before."""
    process = start("send", "-", SPOTZEE_BASE_URL=sandbox.url, SPOTZEE_API_KEY=KEY)
    process.stdin.write(line() * 2)
    process.stdin.flush()
    assert sandbox.wait_for(2, timeout_seconds=20)
    sandbox.faults([{"hang": True}])
    process.stdin.write(line())
    process.stdin.flush()
    assert sandbox.wait_for_requests(2, timeout_seconds=20)

    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    out, err = process.communicate(timeout=20)

    assert time.monotonic() - began < 4
    assert process.returncode == 130
    assert out == "2 delivered, 0 rejected, 1 undelivered\n"
    assert err.startswith("interrupted: ")


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"SPOTZEE_API_KEY": ""}, "api_key is missing"),
        ({"SPOTZEE_API_KEY": "ok_secret_123"}, "organisation"),
        ({"SPOTZEE_BASE_URL": "http://example.com/api/client"}, "plain http"),
        ({"SPOTZEE_CAPACITY": "101"}, "SPOTZEE_CAPACITY must be from 1 to 100"),
    ],
)
def test_wrong_settings_are_one_line_and_exit_code_2(send, variables, words):
    """The remedy in a line, never a traceback or a key."""
    done = send(line(), **variables)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    assert words in done.stderr
    assert "secret" not in done.stderr


@pytest.mark.parametrize(
    "arguments", [(), ("nowhere.jsonl",), ("-", "--timeout", "-1"), ("-", "--api-key", "k")]
)
def test_wrong_usage_exits_with_2(arguments):
    """No file, a file that is not there, a negative time, a key on the command line."""
    assert CliRunner().invoke(cli, ["send", *arguments]).exit_code == 2


def test_disabled_is_said(send, sandbox):
    """Who has sending turned off does not wonder where the events are."""
    done = send(line(), SPOTZEE_DISABLED="on")

    assert (done.returncode, done.stdout) == (1, "0 delivered, 0 rejected, 1 undelivered\n")
    assert "SPOTZEE_DISABLED" in done.stderr
    assert sandbox.requests() == []


def test_the_users_before_send_holds_here_too(send, sandbox, tmp_path, package_path):
    """A hook for privacy is not gone around: what it withholds is counted, where it fails nothing goes."""
    (tmp_path / "privacy.py").write_text(
        "def redact(event):\n    return {'a': None, 'b': event}[event.name]\n"
    )
    lines = "".join(line(name=name) for name in "abc")
    path = os.pathsep.join((str(tmp_path), package_path))
    done = send(lines, SPOTZEE_BEFORE_SEND="privacy:redact", PYTHONPATH=path)

    assert done.returncode == 1
    assert done.stdout == "1 delivered, 0 rejected, 1 undelivered, 1 withheld by before_send\n"
    assert done.stderr.startswith(
        "line 3: event 'c' (external_id 'cust_001'): dropped, before_send raised KeyError"
    )
    assert [event["name"] for event in sandbox.events()] == ["b"]


def test_send_within_a_process_leaves_its_diagnostics_as_they_were(sandbox, tmp_path):
    """The command is quiet about the library's own lines for its own time only."""
    path = tmp_path / "events.jsonl"
    path.write_text(line() + "no\n")
    environ = {"SPOTZEE_BASE_URL": sandbox.url, "SPOTZEE_API_KEY": KEY}
    before = logging.getLogger("spotzee_logging").level

    done = CliRunner().invoke(cli, ["send", str(path)], env=environ)

    assert (done.exit_code, done.stdout) == (1, "1 delivered, 1 rejected, 0 undelivered\n")
    assert done.stderr == "line 2: is not JSON (column 1)\n"
    assert logging.getLogger("spotzee_logging").level == before


def test_json_for_machines(send):
    """With --json the account is one JSON object on stdout, and what is said stays on stderr."""
    done = send(line() + "no\n", "--json")

    assert done.returncode == 1
    assert json.loads(done.stdout) == {
        "delivered": 1,
        "rejected": 1,
        "undelivered": 0,
        "withheld": 0,
        "last_error": None,
    }
    assert done.stderr == "line 2: is not JSON (column 1)\n"
