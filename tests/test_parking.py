"""Batches that wait by themselves, with a clock that is handed in."""

from hypothesis import given
from hypothesis import strategies as st

from spotzee_logging.buffers.base import seal
from spotzee_logging.parking import Parking


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def test_nothing_is_kept():
    """Where none waits there is no time to look again, and none to take."""
    parking = Parking(Clock())

    assert parking.delay_seconds() is None
    assert parking.take_due() is None


def test_a_batch_comes_out_when_its_time_has_come():
    """Not before, and once."""
    clock = Clock()
    parking = Parking(clock)
    batch = seal([b"{}"], 0)
    parking.keep(batch, 3)

    assert parking.delay_seconds() == 3
    assert parking.take_due() is None
    clock.now += 2.5
    assert parking.delay_seconds() == 0.5
    clock.now += 9
    assert parking.delay_seconds() == 0
    assert parking.take_due() is batch
    assert parking.take_due() is None
    assert parking.delay_seconds() is None


@given(st.lists(st.floats(0, 100), min_size=1, max_size=20))
def test_they_come_out_in_the_order_of_their_times(waits):
    """Whatever the order they were kept in: each at its time and no later, the earliest first."""
    clock = Clock()
    parking = Parking(clock)
    due = {}
    for position, seconds in enumerate(waits):
        batch = seal([b"{}"], position)
        parking.keep(batch, seconds)
        due[batch] = clock.now + seconds

    taken = []
    while (delay := parking.delay_seconds()) is not None:
        clock.now += delay
        batch = parking.take_due()
        if batch is None:  # a float may fall short of a sum of floats
            clock.now += 1e-9
            continue
        assert due[batch] <= clock.now < due[batch] + 1e-6
        taken.append(due[batch])

    assert taken == sorted(due.values())


def test_a_batch_may_be_kept_again():
    """A batch that fails again waits anew, from then on."""
    clock = Clock()
    parking = Parking(clock)
    batch = seal([b"{}"], 0)
    parking.keep(batch, 1)
    parking.keep(batch, 5)

    clock.now += 1
    assert parking.take_due() is None
    clock.now += 4
    assert parking.take_due() is batch
    assert parking.delay_seconds() is None


def test_two_equal_bodies_are_two_batches():
    """Batches with the same events are told apart by their keys: neither takes the other's place."""
    parking = Parking(Clock())
    batches = [seal([b"{}"], 0) for _ in range(2)]
    for batch in batches:
        parking.keep(batch, 0)

    assert {parking.take_due().key, parking.take_due().key} == {batch.key for batch in batches}


def test_it_begins_anew():
    """In a forked child, and where all was given up, nothing is kept."""
    parking = Parking(Clock())
    parking.keep(seal([b"{}"], 0), 1)

    parking.begin_anew()

    assert parking.delay_seconds() is None
