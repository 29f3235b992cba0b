"""What arrives at default settings: every event of a burst, of a script that ends, and of one that is ended."""

import signal

import pytest
from loopback import Judge

# Alone in a process, so that its memory is its own. The contacts are many, as in life: one contact's events go one
# batch after the other.
SCRIPT = """
import logging, sys
from spotzee_logging import SpotzeeHandler

handler = SpotzeeHandler("sk_test", base_url=sys.argv[1])
logger = logging.getLogger("shop")
logger.setLevel(logging.INFO)
logger.addHandler(handler)
for number in range(int(sys.argv[2])):
    fields = {"name": "product_viewed", "external_id": f"cust_{number % 1000}", "data": {"number": number}}
    logger.info("viewed", extra={"spotzee_event": fields})
"""

FLUSHED = """
assert handler.flush(100)
stats = handler.stats()
print(stats.accepted, stats.delivered, stats.dropped)
"""


@pytest.fixture(params=[0, 0.2], ids=["quick server", "200 ms a request"])
def server(request):
    """A server that does little else: what is measured against its bounds here is the program's own time."""

    def judge(_events):
        judging.wait_for(lambda: False, request.param)

    with Judge(judge) as judging:
        yield judging


def assert_all_arrived(server, count):
    by_contact = {}
    for event in server.events:
        by_contact.setdefault(event["external_id"], []).append(event["data"]["number"])

    assert sorted(number for numbers in by_contact.values() for number in numbers) == list(range(count))
    assert all(numbers == sorted(numbers) for numbers in by_contact.values())


@pytest.mark.parametrize("server", [0], indirect=True, ids=["quick server"])
def test_a_burst_at_full_speed(server, run_python):
    """50,000 events as fast as a loop can log them: none is dropped, each arrives once, each contact's in order."""
    done = run_python(SCRIPT + FLUSHED, server.url, 50_000, timeout=110)

    assert done.stdout.split() == ["50000", "50000", "{}"]
    assert_all_arrived(server, 50_000)


def test_a_script_that_ends(server, run_python):
    """5,000 events and the end of the script: all arrive within the exit's bound, from a slow server too."""
    done = run_python(SCRIPT, server.url, 5_000)

    assert done.stderr == ""
    assert_all_arrived(server, 5_000)


TERMINATED = """
import os, signal, threading
threading.Timer(0.0, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()
threading.Event().wait(60)
"""


def test_a_program_that_is_ended(server, run_python):
    """5,000 events, then SIGTERM, with the opt-in: all arrive, and the process dies of the signal."""
    opted_in = SCRIPT.replace("handler =", "flush_on_sigterm()\nhandler =")
    opted_in = opted_in.replace("import SpotzeeHandler", "import SpotzeeHandler, flush_on_sigterm")

    done = run_python(opted_in + TERMINATED, server.url, 5_000, check=False)

    assert (done.returncode, done.stderr) == (-signal.SIGTERM, "")
    assert_all_arrived(server, 5_000)
