"""When a batch is due, with a clock and a die that are handed in."""

import pytest

from spotzee_logging import Settings
from spotzee_logging.buffers.memory import MemoryBuffer
from spotzee_logging.schedule import Schedule


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def buffer(clock):
    return MemoryBuffer(1_000_000, clock=clock)


def schedule_of(clock, draw=lambda: 1.0, **settings):
    return Schedule(Settings(api_key="sk_x", **settings), clock, draw)


def test_nothing_pending_is_nothing_due(clock, buffer):
    """An empty buffer asks for no wake-up."""
    assert schedule_of(clock).delay_seconds(buffer) is None


def test_an_event_is_due_at_its_age(clock, buffer):
    """A lonely event waits flush_interval_seconds, and no longer."""
    schedule = schedule_of(clock, flush_interval_seconds=2)
    buffer.put(b"{}", "c")

    assert schedule.delay_seconds(buffer) == 2
    clock.now += 1.5
    assert schedule.delay_seconds(buffer) == 0.5
    clock.now += 9
    assert schedule.delay_seconds(buffer) == 0


def test_a_full_batch_is_due_at_once(clock, buffer):
    """`capacity` events do not wait for their age."""
    schedule = schedule_of(clock, capacity=2)
    buffer.put(b"{}", "c")
    buffer.put(b"{}", "c")

    assert schedule.delay_seconds(buffer) == 0


def test_what_is_asked_for_is_due_and_what_comes_after_is_not(clock, buffer):
    """A flush concerns what was pending when it was called."""
    schedule = schedule_of(clock, flush_interval_seconds=60)
    buffer.put(b"{}", "c")
    schedule.ask_for(buffer.position, may_hurry=False)

    assert schedule.delay_seconds(buffer) == 0
    buffer.ack(buffer.take(100, 1000))
    buffer.put(b"{}", "c")
    assert schedule.delay_seconds(buffer) == 60


def test_waits_double_up_to_a_minute(clock):
    """With the die at its highest: half a second, doubled, sixty at most."""
    schedule = schedule_of(clock)

    assert [schedule.fail(None) for _ in range(10)] == [0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_waits_are_jittered(clock):
    """With the die at its lowest there is no wait: full jitter."""
    assert schedule_of(clock, draw=lambda: 0.0).fail(None) == 0


def test_success_starts_over(clock, buffer):
    """After a success the next failure waits half a second again, and nothing holds back a batch."""
    schedule = schedule_of(clock, capacity=1)
    buffer.put(b"{}", "c")
    for _ in range(5):
        schedule.fail(3)

    schedule.succeed()

    assert schedule.delay_seconds(buffer) == 0
    assert schedule.fail(None) == 0.5


@pytest.mark.parametrize(
    ("asked", "wait"), [(3, 3.5), (0, 0.5), (99999, 900.5)], ids=["seconds", "nothing", "too long"]
)
def test_the_servers_word(clock, asked, wait):
    """At least what Retry-After says, at most fifteen minutes, and half a second of jitter."""
    assert schedule_of(clock).fail(asked) == wait


def test_a_flush_cuts_our_wait_once_and_never_the_servers(clock, buffer):
    """It tries once before a backoff of ours ends; the server's Retry-After holds."""
    schedule = schedule_of(clock, capacity=1)
    buffer.put(b"{}", "c")
    schedule.fail(None)
    assert schedule.delay_seconds(buffer) == 0.5

    schedule.ask_for(buffer.position, may_hurry=True)
    assert schedule.delay_seconds(buffer) == 0
    schedule.begin_try()
    schedule.fail(10)
    schedule.ask_for(buffer.position, may_hurry=True)

    assert schedule.delay_seconds(buffer) == 10.5


def test_a_released_batch_is_due_when_the_wait_is_over(clock, buffer):
    """A batch that failed goes first, whatever its age."""
    schedule = schedule_of(clock, flush_interval_seconds=60)
    buffer.put(b"{}", "c")
    buffer.release(buffer.take(100, 1000))

    assert schedule.delay_seconds(buffer) == 0
