"""`spotzee-logging demo` shows the truth about what arrived."""

import io
import json
import logging
import re
import signal
import sys

import pytest
import requests
from click.testing import CliRunner
from rich.console import Console

from spotzee_logging.cli.commands import cli
from spotzee_logging.cli.demo import mismatches, show

EVENTS = 32


@pytest.fixture
def console():
    """A terminal of 80 columns that keeps what was printed."""
    return Console(file=io.StringIO(), width=80)


def test_demo_shows_every_event_the_requests_and_the_stats(command):
    """A newcomer sees names, contacts, data and times, and that each event arrived exactly once."""
    done = command("demo")

    assert (done.returncode, done.stderr) == (0, "")
    rows = [line for line in done.stdout.splitlines() if re.search(r"\d\d:\d\d:\d\d\.\d{3}", line)]
    assert len(rows) == EVENTS
    assert sum("order_placed" in row and "cust_" in row for row in rows) == 4
    for text in ("anon_ada", "cust_dev", 'item: "lamp"', "total: 129.5", "time (UTC)"):
        assert text in done.stdout
    assert f"{EVENTS} events in 1 request\n" in done.stdout
    assert re.search(rf"│ {EVENTS} +│ {EVENTS} +│ 0 +│ 0 +│ 0 +│ 1 +│ 0 +│", done.stdout)
    assert f"{EVENTS} tagged records and tracked calls" in done.stdout
    assert "and 9 untagged lines" in " ".join(done.stdout.split())
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.skipif(sys.platform == "win32", reason="Windows delivers no such signals to one child")
def test_demo_keeps_the_page_up_where_it_is_asked_to(start):
    """`--keep` prints the page's address after all else; the page is there until Ctrl-C."""
    process = start("demo", "--keep")
    lines = iter(process.stdout.readline, "")
    page = next(match[1] for line in lines if (match := re.search(r"See the events at (\S+)", line)))

    assert "<title>" in requests.get(page, timeout=5).text
    assert len(requests.get(f"{page}sandbox/events", timeout=5).json()) == EVENTS
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, "The sandbox has stopped.\n", "")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows delivers no such signals to one child")
def test_demo_tells_programs_in_json(start):
    """`--json` is one object and nothing else, also where the page is kept up."""
    process = start("demo", "--json", "--keep")
    text = ""
    while not text.endswith("\n}\n"):
        text += process.stdout.readline()
    result = json.loads(text)

    assert len(result["events"]) == EVENTS
    assert (result["requests"], result["mismatches"]) == (1, [])
    assert result["stats"]["delivered"] == EVENTS
    assert "<title>" in requests.get(result["page"], timeout=5).text
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, "", "")


def test_demo_does_not_see_the_users_settings(command):
    """Who has SPOTZEE_ variables set, even wrong ones, gets the same demo, and sends nothing elsewhere."""
    done = command(
        "demo",
        SPOTZEE_API_KEY="ok_wrong",
        SPOTZEE_BASE_URL="https://127.0.0.1:1/api/client",
        SPOTZEE_CAPACITY="many",
        SPOTZEE_DISABLED="on",
        SPOTZEE_STRICT="perhaps",
        SPOTZEE_BEFORE_SEND="nowhere:nothing",
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert f"{EVENTS} events in 1 request\n" in done.stdout


def test_demo_shows_no_key(command):
    """Not even a throwaway key is printed."""
    assert "sk_" not in command("demo").stdout


def test_demo_leaves_the_process_logging_as_it_was():
    """Run inside a program, the demo adds no logger, handler or level."""
    before = set(logging.root.manager.loggerDict), list(logging.root.handlers), logging.root.level

    assert CliRunner().invoke(cli, ["demo"]).exit_code == 0
    after = set(logging.root.manager.loggerDict), list(logging.root.handlers), logging.root.level
    new = {name for name in after[0] - before[0] if name.startswith(("shop", "spotzee"))}
    assert not {name for name in new if not name.startswith("spotzee_logging")}
    assert after[1:] == before[1:]


def test_demo_survives_trouble_and_says_so_in_the_stats(sandbox, console):
    """A lost answer costs a retry, and neither an event nor a second one."""
    sandbox.faults([{"reset": "after"}])

    assert show(sandbox, console)
    printed = console.file.getvalue()
    assert f"{EVENTS} events in 2 requests\n" in printed
    assert re.search(r"│ 2 +│ 1 +│", printed)


def test_demo_fails_where_events_are_lost(sandbox, console, capsys):
    """Where the server refuses, the demo names each event that is missing and does not claim success."""
    sandbox.faults([{"status": 418, "times": 5}])

    assert not show(sandbox, console)
    missing = capsys.readouterr().err.splitlines()
    assert sum("logged 1 times, arrived 0 times" in line for line in missing) == EVENTS
    assert "exactly once" not in console.file.getvalue()


def test_demo_exits_with_1_where_events_are_lost(monkeypatch):
    """A script that runs the demo notices from the exit code."""
    monkeypatch.setattr("spotzee_logging.cli.demo.show", lambda sandbox, console: False)

    assert CliRunner().invoke(cli, ["demo"]).exit_code == 1


def test_mismatches_name_what_is_missing_doubled_and_unknown():
    """Each event that did not arrive exactly once is named, with how often it did."""
    assert mismatches(["a", "b", "c"], ["b", "c", "c", "x"]) == [
        "event a: logged 1 times, arrived 0 times",
        "event c: logged 1 times, arrived 2 times",
        "event x: logged 0 times, arrived 1 times",
    ]
    assert mismatches(["a", "b"], ["b", "a"]) == []
