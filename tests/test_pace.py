"""How many requests a process makes, with a clock that is handed in."""

import gc
import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import tag
from spotzee_logging import pace
from spotzee_logging.pace import WINDOW_SECONDS, Pace, pace_to


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("turn"), st.floats(0, 15)),
        st.tuples(st.just("begin"), st.integers(1, 30)),
        st.tuples(st.just("wait"), st.none()),
        st.tuples(st.just("take back"), st.none()),
    ),
    max_size=60,
)


@given(STEPS, st.sampled_from([0.1, 0.3, 0.5, 1.0, 1.7, 2.3]))
def test_never_more_than_ten_seconds_worth_in_any_ten_seconds(steps, per_second):
    """Whatever the sequence: no window of ten seconds has more, and none is refused that need not be."""
    clock = Clock()
    paced = Pace(clock)
    begun = []

    def within(now):
        return [at for at in begun if now - WINDOW_SECONDS < at]

    for step, value in steps:
        if step == "turn":
            clock.now += value
        elif step == "wait":
            clock.now += paced.delay_seconds(per_second)
            assert paced.delay_seconds(per_second) < 1e-9
        elif step == "take back":
            if paced.begin(per_second):
                paced.take_back()
        else:
            for _ in range(value):
                is_room = len(within(clock.now)) + 1 <= WINDOW_SECONDS * per_second
                assert paced.begin(per_second) is is_room
                assert (paced.delay_seconds(per_second) == 0) is (
                    len(within(clock.now)) + is_room + 1 <= WINDOW_SECONDS * per_second
                )
                if is_room:
                    begun.append(clock.now)

    for at in begun:
        assert sum(at - WINDOW_SECONDS < other <= at for other in begun) <= WINDOW_SECONDS * per_second


def test_a_burst_and_then_as_room_comes():
    """Ten seconds' worth may go at once; the next may go ten seconds after the first of them."""
    clock = Clock()
    paced = Pace(clock)
    for _ in range(5):
        assert paced.begin(1)
    clock.now += 4
    for _ in range(5):
        assert paced.begin(1)

    assert not paced.begin(1)
    assert paced.delay_seconds(1) == 6
    clock.now += 6
    assert [paced.begin(1) for _ in range(6)] == [True] * 5 + [False]
    assert paced.delay_seconds(1) == 4


def test_unpaced():
    """None is no limit, and what goes unpaced is not counted for those that are paced."""
    paced = Pace(Clock())

    assert all(paced.begin(None) for _ in range(5000))
    assert paced.delay_seconds(None) == 0
    assert paced.begin(1)


def test_one_pace_for_one_api():
    """Handlers to one base URL share their pace, since the API counts by source; others have their own."""
    first, second, other = (
        pace_to("https://a.example", time.monotonic),
        pace_to("https://a.example", time.monotonic),
        pace_to("https://b.example", time.monotonic),
    )

    assert first is second
    assert first is not other


def test_a_pace_that_nobody_needs_goes():
    """A process that makes handlers to ever other URLs keeps nothing of those that are gone."""
    pace_to("https://gone.example", time.monotonic)
    gc.collect()

    assert "https://gone.example" not in pace._paces


def test_two_handlers_share_the_pace(sandbox, make_handler, make_logger):
    """Of two handlers with one base URL the requests are counted together."""
    handlers = [make_handler(f"sk_{n}", capacity=1, requests_per_second=1) for n in range(2)]
    logger = make_logger(*handlers)
    for number in range(10):
        logger.info("x", extra={"spotzee_event": tag(number, external_id=f"cust_{number}")})

    assert sandbox.wait_for_requests(10, timeout_seconds=20)
    assert not any(handler.flush(0.3) for handler in handlers)

    assert len(sandbox.requests()) == 10
    assert sum(handler.stats().delivered for handler in handlers) == 10


FORKED = """
import os, sys
from spotzee_logging.pace import Pace

paced = Pace()
for _ in range(10):
    assert paced.begin(1)
assert not paced.begin(1)
if os.fork() == 0:
    paced.begin_anew()
    ok = all(paced.begin(1) for _ in range(10)) and not paced.begin(1)
    os._exit(0 if ok else 1)
_, status = os.wait()
assert status == 0
assert not paced.begin(1)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_begins_anew(run_python):
    """The parent's requests are not the child's, and the other way round."""
    run_python(FORKED)


HANDLERS_FORKED = """
import logging, os, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of forks while threads run: that is the point
from spotzee_logging import SpotzeeHandler

handler = SpotzeeHandler("sk_test", base_url=sys.argv[1], capacity=1, requests_per_second=1)
logger = logging.getLogger("shop")
logger.setLevel(logging.INFO)
logger.addHandler(handler)

def log(count):
    for number in range(count):
        logger.info("x", extra={"spotzee_event": {"name": "n", "external_id": f"cust_{number}"}})
    return handler.flush(8)  # less than the ten seconds after which the parent's pace would let it go on

assert log(10)
if os.fork() == 0:
    os._exit(0 if log(10) else 1)
_, status = os.wait()
assert status == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_childs_handler_begins_anew(sandbox, run_python):
    """A child of a parent that has used up its pace sends at once."""
    run_python(HANDLERS_FORKED, sandbox.url)

    assert len(sandbox.events()) == 20
