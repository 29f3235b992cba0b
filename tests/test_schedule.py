"""When a batch is due, with a clock and a die that are handed in."""

import threading

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


def fail(schedule, retry_after_seconds=None):
    """A request that begins now, and fails."""
    return schedule.fail(schedule.begin_try(), retry_after_seconds)


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

    assert [fail(schedule) for _ in range(10)] == [0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_waits_are_jittered(clock):
    """With the die at its lowest there is no wait: full jitter."""
    assert fail(schedule_of(clock, draw=lambda: 0.0)) == 0


def test_success_starts_over(clock, buffer):
    """After a success the next failure waits half a second again, and nothing holds back a batch."""
    schedule = schedule_of(clock, capacity=1)
    buffer.put(b"{}", "c")
    for _ in range(5):
        fail(schedule, 3)

    assert schedule.succeed(schedule.begin_try())

    assert schedule.delay_seconds(buffer) == 0
    assert fail(schedule) == 0.5


@pytest.mark.parametrize(
    ("asked", "wait"), [(3, 3.5), (0, 0.5), (99999, 900.5)], ids=["seconds", "nothing", "too long"]
)
def test_the_servers_word(clock, asked, wait):
    """At least what Retry-After says, at most fifteen minutes, and half a second of jitter."""
    assert fail(schedule_of(clock), asked) == wait


@pytest.fixture
def failed(clock, buffer):
    """The schedule of an event whose first try has failed."""
    schedule = schedule_of(clock, capacity=1)
    buffer.put(b"{}", "c")
    fail(schedule)
    return schedule


def test_a_flush_cuts_our_wait_once_and_never_the_servers(failed, buffer):
    """It tries once before a backoff of ours ends; the server's Retry-After holds."""
    assert failed.delay_seconds(buffer) == 0.5

    failed.ask_for(buffer.position, may_hurry=True)
    assert failed.delay_seconds(buffer) == 0
    failed.begin_try()
    fail(failed, 10)
    failed.ask_for(buffer.position, may_hurry=True)

    assert failed.delay_seconds(buffer) == 10.5


def test_a_flush_cuts_one_wait_and_no_later_one(failed, buffer):
    """Its try is one: where that fails too, the backoff goes on from where it was, and holds."""
    failed.ask_for(buffer.position, may_hurry=True)

    fail(failed)

    assert failed.delay_seconds(buffer) == 1


def test_what_is_urgent_leaves_a_flush_its_try(failed, buffer):
    """An event that asks to be sent at once, right behind a flush, takes nothing from it: it tries all the same."""
    failed.ask_for(buffer.position, may_hurry=True)
    failed.ask_for(buffer.position, may_hurry=False)

    assert failed.delay_seconds(buffer) == 0


def test_flushes_in_a_loop_do_not_try_in_a_loop(clock, buffer):
    """A program that polls while the server is away makes some tries a second, whatever the backoff is by then."""
    schedule = schedule_of(clock, capacity=1)
    buffer.put(b"{}", "c")
    tries = 0
    while clock.now < 1000.0 + 60.0:
        schedule.ask_for(buffer.position, may_hurry=True)
        if schedule.delay_seconds(buffer) == 0:
            tries += 1
            fail(schedule)
        clock.now += 0.01

    assert 500 <= tries <= 600


def test_a_released_batch_is_due_when_the_wait_is_over(clock, buffer):
    """A batch that failed goes first, whatever its age, and the age of what has come since."""
    schedule = schedule_of(clock, flush_interval_seconds=60)
    buffer.put(b"{}", "c")
    buffer.release(buffer.take(100, 1000))

    assert schedule.delay_seconds(buffer) == 0
    buffer.put(b"{}", "c")
    assert schedule.delay_seconds(buffer) == 0


def test_a_wave_of_failures_is_one(clock, buffer):
    """Requests that ran side by side and met the same trouble make the wait longer once, not once each."""
    schedule = schedule_of(clock, capacity=1)
    buffer.put(b"{}", "c")
    epochs = [schedule.begin_try() for _ in range(4)]

    assert [schedule.fail(epoch, None) for epoch in epochs] == [0.5] * 4
    clock.now += 0.5
    assert fail(schedule) == 1


def test_the_longest_word_of_the_server_holds_for_a_wave(clock):
    """Whatever the others of its wave were told, nothing is sent before the latest of the answers allows."""
    schedule = schedule_of(clock, draw=lambda: 0.0)
    epochs = [schedule.begin_try() for _ in range(3)]

    assert schedule.fail(epochs[0], 3) == 3
    assert schedule.fail(epochs[1], 60) == 60
    assert schedule.fail(epochs[2], None) == 60


def test_a_success_from_before_the_trouble_ends_nothing(clock, buffer):
    """A request that began before the server said "not yet" does not lift its word by succeeding later."""
    schedule = schedule_of(clock, draw=lambda: 0.0, capacity=1)
    buffer.put(b"{}", "c")
    early, late = schedule.begin_try(), schedule.begin_try()
    schedule.fail(early, 5)

    assert not schedule.succeed(late)
    assert schedule.delay_seconds(buffer) == 5
    assert schedule.is_troubled
    clock.now += 5
    assert schedule.succeed(schedule.begin_try())
    assert not schedule.is_troubled


def test_a_key_that_is_set_as_the_old_one_is_refused(clock):
    """Whichever of the two comes first, a thread that sets a key or one that pauses for the old: nothing is paused."""
    schedule, has_new_key, set_by = schedule_of(clock), threading.Event(), []

    def set_key():
        has_new_key.set()
        schedule.resume()

    def is_of_old_key():
        was_set = has_new_key.is_set()
        set_by.append(threading.Thread(target=set_key))
        set_by[-1].start()
        assert has_new_key.wait(10)
        return was_set

    schedule.pause(unless=is_of_old_key)
    set_by[0].join()

    assert schedule.paused_seconds == 0
    assert not schedule.pause(unless=has_new_key.is_set)
    assert schedule.paused_seconds == 0


def test_a_pause_that_is_ended_in_vain_again_and_again(clock):
    """Some new keys are tried at once; those that are set then, while none gets through, wait ever longer."""
    schedule = schedule_of(clock)
    waits = []
    for _ in range(14):
        schedule.pause()
        schedule.resume()
        waits.append(schedule.paused_seconds)
        clock.now += waits[-1]

    assert waits == [0, 0, 0, 0, 0, 0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    assert schedule.succeed(schedule.begin_try())
    schedule.pause()
    schedule.resume()
    assert schedule.paused_seconds == 0


def test_a_key_that_is_set_while_nothing_is_paused(clock):
    """A program that renews its key by the hour, paused or not, has the next one tried at once when it is needed."""
    schedule = schedule_of(clock)
    for _ in range(24):
        schedule.resume()

    schedule.pause()
    schedule.resume()

    assert schedule.paused_seconds == 0


def test_a_paused_delivery_makes_one_try_at_a_time(clock, buffer):
    """Until a probe gets through it counts as trouble, also once its minute is over: no second one goes beside it."""
    schedule = schedule_of(clock, capacity=1)
    buffer.put(b"{}", "c")
    schedule.pause()
    clock.now += 60

    assert schedule.delay_seconds(buffer) == 0
    assert schedule.is_troubled
    assert schedule.succeed(schedule.begin_try())
    assert not schedule.is_troubled


def test_a_success_from_before_a_pause_does_not_end_it(clock):
    """While delivery is paused, what was under way says nothing about what paused it."""
    schedule = schedule_of(clock)
    epoch = schedule.begin_try()
    schedule.pause()

    assert not schedule.succeed(epoch)
    assert schedule.paused_seconds == 60


def test_one_batch_waits_by_the_same_rules(clock):
    """A batch that waits alone doubles its wait too, and keeps the server's word."""
    schedule = schedule_of(clock)

    assert [schedule.wait_of_one(failures, None) for failures in range(3)] == [0.5, 1, 2]
    assert schedule.wait_of_one(0, 7) == 7.5
    assert not schedule.is_troubled
