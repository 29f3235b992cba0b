"""What a terminal shows, and what it does not: colour and progress there alone, and no colour for NO_COLOR."""

import json
import os
import re
import subprocess
import sys

import pytest

pty = pytest.importorskip("pty", reason="needs a pseudo-terminal")

COLOUR = re.compile(r"\x1b\[[0-9;]*(?:3[0-7]|9[0-7]|38;)[0-9;]*m")


@pytest.fixture
def on_a_terminal(package_path):
    """Runs `spotzee-logging ARGUMENTS` where stdout and stderr are a terminal; gives its exit code and output."""

    def run(*arguments, **variables):
        controller, terminal = pty.openpty()
        environment = {**os.environ, "PYTHONPATH": package_path, "TERM": "xterm-256color", "COLUMNS": "100"}
        process = subprocess.Popen(
            [sys.executable, "-m", "spotzee_logging", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=terminal,
            stderr=terminal,
            env={**environment, **variables},
        )
        os.close(terminal)
        shown = b""
        while chunk := read(controller):
            shown += chunk
        os.close(controller)
        return process.wait(30), shown.decode()

    return run


def read(controller):
    try:
        return os.read(controller, 65536)
    except OSError:  # Linux says so where nobody writes any more
        return b""


@pytest.fixture
def variables(sandbox):
    return {"SPOTZEE_BASE_URL": sandbox.url, "SPOTZEE_API_KEY": "sk_terminal"}


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "events.log"
    line = {"name": "seen", "external_id": "c", "created_at": "2026-04-28T05:14:00Z"}
    path.write_text((json.dumps(line) + "\n") * 500)
    return path


def test_replay_shows_how_far_it_is(on_a_terminal, variables, log):
    """On a terminal there is a bar with the events sent, their rate and the time left."""
    code, shown = on_a_terminal("replay", log, **variables)

    assert code == 0
    assert re.search(r"\d+ events {2}[\d,]+/s", shown)
    assert re.search(r"\d:\d\d", shown)
    assert "500 delivered, 0 rejected" in shown


def test_no_color_is_heeded(on_a_terminal, variables, log):
    """Who sets NO_COLOR sees none, in a bar and in a verdict; others do."""
    coloured = [on_a_terminal("doctor", **variables)[1], on_a_terminal("replay", log, **variables)[1]]
    plain = [
        on_a_terminal(*command, NO_COLOR="1", **variables)[1] for command in (["doctor"], ["replay", log])
    ]

    assert all(COLOUR.search(shown) for shown in coloured)
    assert not any(COLOUR.search(shown) for shown in plain)
    assert "nothing is wrong" in plain[0]
