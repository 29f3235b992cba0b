"""`spotzee-logging replay`: events out of JSON logs, each once, however often it is run and interrupted."""

import collections
import gzip
import json
import os
import pathlib
import signal
import sys
import time

import pytest
from loopback import Judge

from spotzee_logging.sandbox import Sandbox

KEY = "sk_replay_secret"
LINES = int(os.environ.get("REPLAY_LINES", "20000"))


def event(number=0, **fields):
    return {
        "name": "order_placed",
        "external_id": f"cust_{number % 7:03d}",
        "data": {"number": number},
        "created_at": "2026-04-28T05:14:00.250Z",
        **fields,
    }


def text(lines):
    return "".join(json.dumps(line) + "\n" for line in lines)


def numbers(sandbox):
    return [event["data"]["number"] for event in sandbox.events()]


@pytest.fixture
def log(tmp_path):
    """Writes a log of the given lines, and gives its path."""

    def write(lines, name="events.log"):
        path = tmp_path / name
        path.write_text(lines if isinstance(lines, str) else text(lines))
        return path

    return write


@pytest.fixture
def replay(command, sandbox):
    """Runs `replay` against the sandbox."""

    def run(*arguments, url=None, **variables):
        variables = {"SPOTZEE_BASE_URL": url or sandbox.url, "SPOTZEE_API_KEY": KEY, **variables}
        done = command("replay", *arguments, **variables)
        assert KEY not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return run


def rejected_beside(path):
    beside = pathlib.Path(f"{path}.rejected.jsonl")
    return [json.loads(line) for line in beside.read_text().splitlines()] if beside.exists() else []


# What a line may be


def test_an_event_log_of_ours_arrives_as_it_was_logged(replay, sandbox, run_python, tmp_path):
    """What EventFormatter wrote to a file arrives with the time and contact of its call."""
    path = tmp_path / "events.log"
    run_python(
        "import logging, sys\n"
        "from spotzee_logging import EventFormatter, contact\n"
        "handler = logging.FileHandler(sys.argv[1])\n"
        "handler.setFormatter(EventFormatter())\n"
        "logging.basicConfig(level=20, handlers=[handler])\n"
        "with contact(external_id='cust_001'):\n"
        "    logging.info('x', extra={'spotzee_event': 'order_placed', 'number': 1})\n",
        path,
    )

    done = replay(path)

    assert (done.returncode, done.stdout, done.stderr) == (0, "1 delivered, 0 rejected\n", "")
    assert sandbox.events() == [json.loads(path.read_text())]
    assert {each["headers"]["x-spotzee-client-type"] for each in sandbox.requests()} == {"cli"}


def test_a_log_of_python_json_logger_arrives_by_its_tags(replay, sandbox, run_python, tmp_path):
    """Tagged lines become what the handler would have made of their records; the others are none."""
    path = tmp_path / "app.log"
    run_python(
        "import logging, sys\n"
        "from pythonjsonlogger.json import JsonFormatter\n"
        "from spotzee_logging import ContactFilter, contact\n"
        "handler = logging.FileHandler(sys.argv[1])\n"
        "handler.addFilter(ContactFilter())\n"
        "handler.setFormatter(JsonFormatter('%(levelname)s %(name)s %(message)s', timestamp=True))\n"
        "logging.basicConfig(level=20, handlers=[handler])\n"
        "logging.info('started')\n"
        "with contact(anonymous_id='anon_1', user={'email': 'ada@example.com'}):\n"
        "    logging.info('x', extra={'spotzee_event': 'order_placed', 'number': 1})\n"
        "logging.info('x', extra={'spotzee_event': {'name': 'seen', 'external_id': 'c'}, 'other': 1})\n",
        path,
    )

    done = replay(path)

    assert (done.returncode, done.stdout) == (0, "2 delivered, 0 rejected, 1 line without an event\n")
    first, second = sandbox.events()
    stamps = [json.loads(line)["timestamp"] for line in path.read_text().splitlines()[1:]]
    assert [first.pop("created_at"), second.pop("created_at")] == [stamp[:23] + "Z" for stamp in stamps]
    assert first == {
        "name": "order_placed",
        "anonymous_id": "anon_1",
        "user": {"email": "ada@example.com"},
        "data": {"number": 1},
    }
    assert second == {"name": "seen", "external_id": "c"}


@pytest.mark.parametrize(
    ("line", "created_at"),
    [
        ({"asctime": "2026-04-28 05:14:00,250"}, "2026-04-28T03:14:00.250Z"),
        ({"asctime": "2026-04-28T05:14:00+00:00"}, "2026-04-28T05:14:00.000Z"),
        ({"timestamp": "2026-04-28T05:14:00.250000+00:00"}, "2026-04-28T05:14:00.250Z"),
        ({"timestamp": 1777353240250}, "2026-04-28T05:14:00.250Z"),
        ({"created": 1777353240.25}, "2026-04-28T05:14:00.250Z"),
        ({"time": "2026-04-28T05:14:00"}, "2026-04-28T05:14:00.000Z"),
        ({"time": "later", "asctime": "yesterday"}, None),
        ({}, None),
    ],
    ids=str,
)
def test_the_time_is_the_lines_own(replay, sandbox, log, line, created_at):
    """An event keeps its time, from wherever its line tells one: asctime in local time, as logging writes it."""
    path = log([{"message": "x", "spotzee_event": "seen", "external_id": "c", **line}])

    assert replay(path, TZ="Africa/Johannesburg").returncode == 0

    assert sandbox.events()[0].get("created_at") == created_at


def test_gzip_and_standard_input(replay, sandbox, tmp_path, command):
    """A rotated log that was packed is read as it is, from a file or a pipe, whatever its name."""
    packed = gzip.compress(text([event(1)]).encode())
    (tmp_path / "events.log.1").write_bytes(packed)

    done = replay(tmp_path / "events.log.1")
    variables = {"SPOTZEE_BASE_URL": sandbox.url, "SPOTZEE_API_KEY": KEY}
    piped = command("replay", "-", stdin=gzip.compress(text([event(2)]).encode()), **variables)
    plain = command("replay", "-", stdin=text([event(3), {"name": "bad"}]), **variables)

    assert [each.returncode for each in (done, piped, plain)] == [0, 0, 1]
    assert "line 2: event 'bad': external_id is missing" in plain.stderr
    assert numbers(sandbox) == [1, 2, 3]


def test_a_packed_log_that_was_cut_short_ends_with_what_could_be_read(replay, sandbox, tmp_path):
    """What stands before the damage is delivered, and the damage is said."""
    path = tmp_path / "events.log.gz"
    path.write_bytes(gzip.compress(text(event(number) for number in range(5000)).encode())[:-4000])

    done = replay(path)

    assert done.returncode == 1
    assert "cannot be read on" in done.stderr
    assert numbers(sandbox) == list(range(len(sandbox.events())))
    assert sandbox.events()


# Which events


def test_since_until_and_name_choose(replay, sandbox, log):
    """Only what was asked for goes: from a time on, before another, of some names."""
    days = [f"2026-04-{day:02d}T12:00:00Z" for day in range(1, 8)]
    lines = [event(number, created_at=day) for number, day in enumerate(days)]
    lines += [event(90, name="seen", created_at=days[3]), event(91, name="left", created_at=days[3])]
    path = log(lines)

    done = replay(
        path, "--since", "2026-04-03", "--until", days[5], "--name", "order_placed", "--name", "left"
    )

    assert (done.returncode, done.stdout) == (0, "4 delivered, 0 rejected, 5 not selected\n")
    assert numbers(sandbox) == [2, 3, 4, 91]


def test_a_dry_run_counts_and_leaves_no_trace(replay, sandbox, log):
    """Before anything is sent one sees how much it is, of what, and the first errors; it needs no key."""
    path = log(
        [event(number) for number in range(150)] + [event(name="seen"), {"name": "bad"}, {"message": "x"}]
    )

    done = replay(path, "--dry-run", SPOTZEE_API_KEY="")

    assert done.returncode == 1
    assert done.stdout.splitlines()[0] == (
        "151 events in 2 batches would be sent, 1 rejected, 1 line without an event"
    )
    assert done.stdout.splitlines()[1].split() == ["150", "order_placed"]
    assert done.stderr.startswith("line 152: event 'bad': external_id is missing")
    assert sandbox.requests() == []
    assert os.listdir(path.parent) == ["events.log"]


def test_one_of_each_is_counted_as_one(replay, log):
    """A summary of one event speaks of one."""
    done = replay(log([event(1)]), "--dry-run")

    assert done.stdout.splitlines()[0] == "1 event in 1 batch would be sent, 0 rejected"


def test_json_for_machines(replay, log):
    """The result of a run, and of a dry one, is one JSON object on stdout."""
    path = log([event(1), {"name": "bad"}])

    dry = json.loads(replay(path, "--dry-run", "--json").stdout)
    result = json.loads(replay(path, "--json").stdout)

    assert (dry["dry_run"], dry["files"][0]["names"]) == (True, {"order_placed": 1})
    assert (result["delivered"], result["rejected"]) == (1, 1)
    assert result["files"][0]["first_errors"][0]["line"] == 2
    assert result["files"][0]["stopped"] is None


# Safe to run again


def test_a_finished_log_is_not_sent_again_and_what_was_added_is(replay, sandbox, log):
    """The same command as often as one likes: each event once, and new lines from where the last run ended."""
    path = log([event(number) for number in range(150)])

    assert replay(path).returncode == 0
    again = replay(path)
    with path.open("a") as lines:
        lines.write(text([event(150)]))
    grown = replay(path)

    assert again.stdout == "150 delivered, 0 rejected, 150 delivered by earlier runs\n"
    assert grown.stdout == "151 delivered, 0 rejected, 150 delivered by earlier runs\n"
    assert numbers(sandbox) == list(range(151))
    assert len(sandbox.requests()) == 3


def test_without_its_journal_it_sends_the_same_requests(replay, sandbox, log):
    """From scratch every batch has the key and bytes of before: the API answers again, and takes nothing twice."""
    path = log([event(number) for number in range(250)])
    replay(path)
    pathlib.Path(f"{path}.replay.jsonl").unlink()

    done = replay(path)

    requests = [(each["idempotency_key"], each["body"]) for each in sandbox.requests()]
    assert done.stdout == "250 delivered, 0 rejected\n"
    assert requests[:3] == requests[3:]
    assert [each["replayed"] for each in sandbox.requests()] == [False] * 3 + [True] * 3
    assert numbers(sandbox) == list(range(250))


@pytest.mark.parametrize("change", ["a line", "its end", "its last line"])
def test_a_log_that_has_changed_is_refused(replay, sandbox, log, change):
    """Where the log is not the one that was sent in part, nothing goes, and it says what to do."""
    path = log(text([event(1), event(2)])[:-1])
    replay(path)
    changed = {
        "a line": text([event(7), event(2)]),
        "its end": text([event(1)]),
        "its last line": text([event(1), event(2)])[:-1] + "0\n",
    }
    path.write_text(changed[change])

    done = replay(path)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: ")
    assert "is not the file that its journal was written for" in done.stderr
    assert "--journal" in done.stderr
    assert numbers(sandbox) == [1, 2]


def test_a_journal_of_other_terms_is_refused(replay, sandbox, log, tmp_path):
    """A rehearsal at another address, or other events of the log, is a replay of its own."""
    path = log([event(1)])
    replay(path)

    with Sandbox() as other:
        elsewhere = replay(path, url=other.url)
        own = replay(path, "--journal", tmp_path / "other.jsonl", url=other.url)
        assert numbers(other) == [1]
    selected = replay(path, "--name", "seen")
    log_for_journal = replay(path, "--journal", path)
    (tmp_path / "note").write_text("a line without an end")
    note_for_journal = replay(path, "--journal", tmp_path / "note")

    codes = [each.returncode for each in (elsewhere, own, selected, log_for_journal, note_for_journal)]
    assert codes == [2, 0, 2, 2, 2]
    assert "another base_url" in elsewhere.stderr
    assert "another name" in selected.stderr
    assert "is no journal of a replay" in log_for_journal.stderr
    assert path.read_text() == text([event(1)])
    assert (tmp_path / "note").read_text() == "a line without an end"


def test_bad_lines_are_kept_beside_the_log_once(replay, sandbox, log):
    """Each bad line stands in FILE.rejected.jsonl with its number, reason and text, also after another run."""
    bad = [
        "no json",
        '{"name": "x"}',
        json.dumps(event(externalId="c")),
        '{"spotzee_event": 7, "message": "x"}',
    ]
    path = log(text([event(1)]) + "\n".join(bad) + "\n\n" + text([event(2)]))

    first = replay(path)
    pathlib.Path(f"{path}.replay.jsonl").unlink()
    again = replay(path)

    assert first.returncode == again.returncode == 1
    assert first.stdout == again.stdout == "2 delivered, 4 rejected\n"
    kept = rejected_beside(path)
    assert [each["line"] for each in kept] == [2, 3, 4, 5]
    assert [each["text"] for each in kept] == bad
    words = ("is not JSON (column 1)", "external_id is missing", "Did you mean external_id?", "a name")
    assert all(word in each["reason"] for word, each in zip(words, kept, strict=True))
    assert numbers(sandbox) == [1, 2]


def test_what_the_api_refuses_is_kept_with_its_words(replay, sandbox, log):
    """An event that the server names is rejected with its line, event and request; the rest is delivered."""
    path = log([event(number) for number in range(10)])
    errors = [{"param": "[3].data.number", "code": "bad_number", "message": "too odd"}]
    body = {"code": "validation_failed", "message": "one is wrong", "errors": errors}
    sandbox.faults([{"status": 422, "body": body}])

    done = replay(path)

    assert (done.returncode, done.stdout) == (1, "9 delivered, 1 rejected\n")
    (kept,) = rejected_beside(path)
    assert (kept["line"], kept["event"]["data"]) == (4, {"number": 3})
    assert "422 validation_failed: data.number: too odd (bad_number)" in kept["reason"]
    assert kept["request_id"]
    assert replay(path).stdout == "9 delivered, 1 rejected, 9 delivered by earlier runs\n"
    assert numbers(sandbox) == [0, 1, 2, 4, 5, 6, 7, 8, 9]


def test_a_batch_that_was_taken_apart_goes_on_with_its_parts(replay, log):
    """Stopped in the midst of halves, the next run sends those that are left, under the keys they had."""
    path = log([event(number) for number in range(8)])
    limit = {"most": 2, "answers": 6}

    def judge(events):
        limit["answers"] -= 1
        if limit["answers"] < 0:
            return 401, {"code": "authentication_required"}
        return (413, {}) if len(events) > limit["most"] else None

    with Judge(judge) as server:
        stopped = replay(path, url=server.url)
        asked = len(server.requests)
        limit["answers"] = 100
        done = replay(path, url=server.url)

        assert "401 authentication_required" in stopped.stderr
        assert "Run the same command again to go on there." in stopped.stderr
        assert (stopped.returncode, done.returncode) == (1, 0)
        assert done.stdout == "8 delivered, 0 rejected\n"
        assert [each["data"]["number"] for each in server.events] == list(range(8))
        assert all(len(each["events"]) <= 2 for each in server.requests[asked:])
        refused, tried_again = server.requests[asked - 1], server.requests[asked]
        assert (refused["key"], refused["body"]) == (tried_again["key"], tried_again["body"])


def test_trouble_is_waited_out_and_order_kept(replay, sandbox, log):
    """Lost answers, 503 and 429 cost time alone: every event once, each contact's in order."""
    path = log([event(number) for number in range(500)])
    sandbox.faults(
        [
            {"status": 503},
            {"reset": "after"},
            {},
            {"status": 429, "headers": {"Retry-After": "1"}},
            {"reset": "before"},
            {"status": 409, "code": "idempotency_in_progress", "headers": {"Retry-After": "1"}},
        ]
    )

    done = replay(path)

    assert (done.returncode, done.stdout) == (0, "500 delivered, 0 rejected\n")
    assert numbers(sandbox) == list(range(500))


def test_a_server_that_stays_down_ends_it_in_time(replay, log):
    """It gives up after --timeout without progress, says why, and exits with 1."""
    path = log([event(1)])
    with Judge(lambda _: 503) as server:
        done = replay(path, "--timeout", 1, url=server.url)

    assert (done.returncode, done.stdout) == (1, "0 delivered, 0 rejected\n")
    assert "nothing got through for 1 s. The last trouble: 503" in done.stderr


def test_it_stays_below_the_limit_of_the_api(replay, log):
    """No more requests than requests_per_second allows in any ten seconds."""
    path = log([event(number) for number in range(30)])
    with Sandbox(requests_per_10_seconds=20) as strict:
        variables = {"SPOTZEE_CAPACITY": "1", "SPOTZEE_REQUESTS_PER_SECOND": "1.9"}
        done = replay(path, url=strict.url, **variables)

        assert done.stdout == "30 delivered, 0 rejected\n"
        assert {each["status"] for each in strict.requests()} == {204}


def test_killed_three_times_every_event_arrives_once(log, start):
    """SIGKILL at any moment, three times: run again, it delivers what is left, and nothing twice."""
    path = log([event(number) for number in range(LINES)])
    with Sandbox(max_kept=2 * LINES) as sandbox:
        variables = {"SPOTZEE_BASE_URL": sandbox.url, "SPOTZEE_API_KEY": KEY}
        for quarter in (1, 2, 3):
            process = start("replay", path, **variables)
            assert sandbox.wait_for(LINES * quarter // 4, timeout_seconds=90)
            process.kill()
            process.wait(10)
        out, err = start("replay", path, **variables).communicate(timeout=90)

        assert out.startswith(f"{LINES} delivered, 0 rejected, ")
        assert err == ""
        arrived = collections.Counter(numbers(sandbox))
        assert len(arrived) == LINES
        assert set(arrived.values()) == {1}
        by_contact = collections.defaultdict(list)
        for each in sandbox.events():
            by_contact[each["external_id"]].append(each["data"]["number"])
        assert all(order == sorted(order) for order in by_contact.values())


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT")
def test_ctrl_c_says_where_it_stopped_and_the_next_run_goes_on(log, start, replay, sandbox):
    """Ctrl-C ends it at once with the account so far and exit code 130; nothing is sent twice afterwards."""
    path = log([event(number) for number in range(300)])
    sandbox.faults([{}, {"hang": True}])
    process = start("replay", path, SPOTZEE_BASE_URL=sandbox.url, SPOTZEE_API_KEY=KEY)
    assert sandbox.wait_for_requests(2, timeout_seconds=20)

    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    out, err = process.communicate(timeout=20)

    assert time.monotonic() - began < 4
    assert (process.returncode, out) == (130, "100 delivered, 0 rejected\n")
    assert err == "interrupted after line 100\nRun the same command again to go on there.\n"
    assert replay(path).stdout == "300 delivered, 0 rejected, 100 delivered by earlier runs\n"
    assert numbers(sandbox) == list(range(300))


@pytest.mark.skipif(sys.platform == "win32", reason="needs file locks")
def test_a_second_replay_of_the_same_log_is_turned_away(log, start, replay, sandbox):
    """Two at a time would write into one journal: the second says that the first runs."""
    path = log([event(1)])
    sandbox.faults([{"hang": True}])
    start("replay", path, SPOTZEE_BASE_URL=sandbox.url, SPOTZEE_API_KEY=KEY)
    assert sandbox.wait_for_requests(1, timeout_seconds=20)

    done = replay(path)

    assert done.returncode == 2
    assert "another replay of the same file runs" in done.stderr


def test_what_was_cut_short_by_a_crash_is_mended(replay, sandbox, log):
    """A last line that was half written when the machine went down is left out, in both files."""
    path = log([event(1), {"name": "bad"}])
    replay(path)
    for suffix in ("replay", "rejected"):
        with pathlib.Path(f"{path}.{suffix}.jsonl").open("a") as half:
            half.write('{"done": "0123')
    with path.open("a") as lines:
        lines.write(text([event(2), {"name": "worse"}]))

    done = replay(path)

    assert done.stdout == "2 delivered, 2 rejected, 1 delivered by earlier runs\n"
    assert [each["line"] for each in rejected_beside(path)] == [2, 4]


# Settings, usage, a terminal


def test_the_users_before_send_holds_here_too(replay, sandbox, log, tmp_path, package_path):
    """What the hook withholds is counted; where it fails nothing goes, and the line is kept."""
    (tmp_path / "privacy.py").write_text(
        "def redact(event):\n    return {'a': None, 'b': event}[event.name]\n"
    )
    path = log([event(1, name="a"), event(2, name="b"), event(3, name="c")])

    done = replay(
        path,
        SPOTZEE_BEFORE_SEND="privacy:redact",
        PYTHONPATH=os.pathsep.join((str(tmp_path), package_path)),
    )

    assert done.stdout == "1 delivered, 1 rejected, 1 withheld by before_send\n"
    assert "before_send raised KeyError" in rejected_beside(path)[0]["reason"]
    assert numbers(sandbox) == [2]


@pytest.mark.parametrize(
    ("arguments", "variables", "words"),
    [
        ((), {}, "Missing argument"),
        (("nowhere.log",), {}, "does not exist"),
        (("LOG", "--since", "yesterday"), {}, "is no time"),
        (("LOG", "LOG", "--journal", "x"), {}, "--journal is of one FILE"),
        (("LOG", "--journal", "/nowhere/x"), {}, "cannot write"),
        (("LOG", "--rejected", "LOG"), {}, "holds something else than rejected lines"),
        (("LOG",), {"SPOTZEE_API_KEY": ""}, "api_key is missing"),
        (("LOG",), {"SPOTZEE_DISABLED": "1"}, "SPOTZEE_DISABLED is set"),
    ],
    ids=str,
)
def test_wrong_usage_exits_with_2_and_sends_nothing(replay, sandbox, log, arguments, variables, words):
    """A line says what is wrong, and what to do."""
    path = log([event(1)])

    done = replay(*(str(path) if each == "LOG" else each for each in arguments), **variables)

    assert (done.returncode, done.stdout) == (2, "")
    assert words in " ".join(done.stderr.split())
    assert sandbox.requests() == []


def test_several_logs_in_order(replay, sandbox, log):
    """Rotated logs are given oldest first, and each is told of."""
    done = replay(log([event(1)], "a.log"), log([event(2)], "b.log"))

    assert [line.rpartition("/")[2] for line in done.stdout.splitlines()] == [
        "a.log: 1 delivered, 0 rejected",
        "b.log: 1 delivered, 0 rejected",
    ]
    assert numbers(sandbox) == [1, 2]
