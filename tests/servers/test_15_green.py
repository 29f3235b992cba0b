"""Programs of gevent and eventlet that patch the standard library, before or after they import ours."""

import pathlib
import signal

import pytest

PROGRAM = pathlib.Path(__file__).parent / "green.py"


# After, as gunicorn's --preload has it with gevent; eventlet, by its documentation, patches before all else.
@pytest.mark.parametrize(
    ("library", "patched"), [("gevent", "before"), ("gevent", "after"), ("eventlet", "before")]
)
def test_15_green_threads(start, arrived, library, patched):
    """Events arrive once, the other green threads go on meanwhile, and SIGTERM delivers what is pending."""
    program = start("python", PROGRAM, library, patched)
    program.wait_until(lambda: "ready" in program.output.splitlines(), "end of its start")

    assert program.stop() == -signal.SIGTERM, program.output
    said = dict(line.split() for line in program.output.splitlines() if " " in line)
    assert said["delivered"] == "True", program.output
    assert float(said["gap"]) < 0.5
    assert arrived() == dict.fromkeys(range(10), 1), program.output
    assert "Traceback" not in program.output


@pytest.mark.parametrize("library", ["gevent", "eventlet"])
def test_15_green_threads_with_a_handler(start, arrived, library):
    """A handler of the program's own runs after the delivery, and its exit is the program's."""
    program = start("python", PROGRAM, library, "before", "exits", SPOTZEE_FLUSH_INTERVAL_SECONDS="3600")
    program.wait_until(lambda: "ready" in program.output.splitlines(), "end of its start")

    assert program.stop() == 0, program.output
    assert arrived() == dict.fromkeys(range(10), 1), program.output
    assert "Traceback" not in program.output
