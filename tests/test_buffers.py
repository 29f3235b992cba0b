"""The contract of the buffers, held by every kind of them."""

import itertools
import json
import shutil
import sys
import tempfile
import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from spotzee_logging.buffers.base import Verdict
from spotzee_logging.buffers.memory import MemoryBuffer
from spotzee_logging.buffers.sqlite import SqliteBuffer

# A busy machine is no failure.
RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

PLENTY = 10**9
REFUSED = Verdict("validation_failed")


def memory(max_bytes=PLENTY, *, drops_oldest=False, clock=time.monotonic):
    return MemoryBuffer(max_bytes, drops_oldest=drops_oldest, clock=clock)


class InAFolderOfItsOwn(SqliteBuffer):
    """A spool of which nothing is left when it is closed."""

    def __init__(self, *arguments, **options):
        self.folder = tempfile.mkdtemp()
        super().__init__(f"{self.folder}/events.db", *arguments, **options)

    def close(self):
        super().close()
        shutil.rmtree(self.folder, ignore_errors=True)


def sqlite(max_bytes=PLENTY, *, drops_oldest=False, clock=time.monotonic):
    return InAFolderOfItsOwn(max_bytes, drops_oldest=drops_oldest, clock=clock)


KINDS = [pytest.param(memory, id="memory"), pytest.param(sqlite, id="sqlite")]
"""Every kind of buffer: a function of `max_bytes`, `drops_oldest` and `clock`. A new kind joins here."""


class Clock:
    """Monotonic seconds that pass when a test says so."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture(params=KINDS)
def make_buffer(request):
    """Makes buffers of each kind, and closes them."""
    made = []

    def make(*arguments, **options):
        made.append(request.param(*arguments, **options))
        return made[-1]

    yield make
    for buffer in made:
        buffer.close()


def body(number, size=None):
    """An event's JSON, of the given size where it is given."""
    text = json.dumps({"n": number})
    return (text if size is None else text[:-1] + " " * (size - len(text)) + "}").encode()


def numbers(events):
    return [json.loads(event)["n"] for event in events]


def filled(buffer, count, start=0):
    """The buffer with so many events more, each of another contact."""
    for number in range(start, start + count):
        assert list(buffer.put(body(number), f"cust_{number}")) == []
    return buffer


def filled_by(buffer, contacts):
    """The buffer with one event for each letter, which is its contact; the first has number 0."""
    for number, contact in enumerate(contacts):
        assert list(buffer.put(body(number), contact)) == []
    return buffer


def take(buffer, max_events=100, max_bytes=PLENTY):
    return buffer.take(max_events, max_bytes)


def state(buffer):
    return len(buffer), buffer.bytes, buffer.unsealed, buffer.has_sealed


def test_an_empty_buffer_has_nothing(make_buffer):
    """Nothing is held, nothing can be taken, and the next event will be the first."""
    buffer = make_buffer()

    assert state(buffer) == (0, 0, 0, False)
    assert (buffer.position, buffer.oldest, buffer.oldest_put_at) == (0, 0, None)
    assert take(buffer) is None
    assert list(buffer.abandon()) == []


def test_what_is_put_is_taken_in_order(make_buffer):
    """Events leave in the order they came, in batches of at most so many."""
    buffer = filled(make_buffer(), 5)

    batches = [take(buffer, 2), take(buffer, 2), take(buffer, 2), take(buffer, 2)]

    assert [numbers(batch.events) for batch in batches[:3]] == [[0, 1], [2, 3], [4]]
    assert batches[3] is None
    assert [batch.position for batch in batches[:3]] == [0, 2, 4]


def test_a_batchs_body_is_the_array_of_its_events(make_buffer):
    """The bytes that are sent are those that were put, in one JSON array."""
    buffer = filled(make_buffer(), 3)

    assert take(buffer).body == b'[{"n": 0},{"n": 1},{"n": 2}]'


def test_every_batch_has_a_key_of_its_own(make_buffer):
    """Keys are unique, and of a form that the API takes: 1 to 255 printable characters."""
    buffer = filled(make_buffer(), 1000)

    keys = [take(buffer, 1).key for _ in range(1000)]

    assert len(set(keys)) == 1000
    assert all(1 <= len(key) <= 255 and key.isascii() and key.isalnum() for key in keys)


def test_a_taken_event_is_held_until_it_is_acknowledged(make_buffer):
    """What is under way still counts, in number and bytes, until it is delivered."""
    buffer = filled(make_buffer(), 3)
    batch = take(buffer, 2)
    assert state(buffer) == (3, 24, 1, False)

    assert buffer.ack(batch) is True

    assert state(buffer) == (1, 8, 1, False)
    assert numbers(take(buffer).events) == [2]


def test_a_batch_is_acknowledged_once(make_buffer):
    """A second acknowledgement changes nothing, and says so."""
    buffer = filled(make_buffer(), 1)
    batch = take(buffer)
    buffer.ack(batch)

    assert buffer.ack(batch) is False
    assert state(buffer) == (0, 0, 0, False)


def test_a_released_batch_comes_again_first_and_unchanged(make_buffer):
    """A retry has the same key and the same bytes, whatever was put meanwhile and whatever is asked for."""
    buffer = filled(make_buffer(), 3)
    batch = take(buffer)
    filled(buffer, 3, start=3)

    assert buffer.release(batch) is True
    assert buffer.has_sealed
    again = buffer.take(1, 1)

    assert (again.key, again.body, again.events) == (batch.key, batch.body, batch.events)
    assert not buffer.has_sealed
    assert numbers(take(buffer).events) == [3, 4, 5]


def test_released_batches_keep_their_order(make_buffer):
    """Of several batches under way, the one released last comes first: as they are given back in reverse."""
    buffer = filled(make_buffer(), 4)
    first, second = take(buffer, 2), take(buffer, 2)
    buffer.release(second)
    buffer.release(first)

    assert [take(buffer).key, take(buffer).key] == [first.key, second.key]


def test_a_split_makes_a_batch_of_each_group(make_buffer):
    """Each group of a batch becomes one of its own, with a new key, taken first and in order."""
    buffer = filled(make_buffer(), 5)
    batch = take(buffer, 4)

    parts = buffer.split(batch, [[0, 1], [3], [], [2]])

    assert [numbers(part.events) for part in parts] == [[0, 1], [3], [2]]
    assert state(buffer) == (5, 40, 1, True)
    taken = [take(buffer) for _ in range(4)]
    assert [each.key for each in taken[:3]] == [part.key for part in parts]
    assert [numbers(each.events) for each in taken] == [[0, 1], [3], [2], [4]]
    assert len({batch.key, *(each.key for each in taken)}) == 5
    assert taken[0].body == b'[{"n": 0},{"n": 1}]'
    assert buffer.ack(batch) is False
    assert all(buffer.ack(each) for each in taken)
    assert state(buffer) == (0, 0, 0, False)


@pytest.mark.parametrize("groups", [[], [[0]], [[0, 1, 1]], [[0, 1], [1]], [[0, 1, 2]], [[-1, 0]]])
def test_a_split_that_loses_or_doubles_an_event_is_refused(make_buffer, groups):
    """Every event of the batch must stand in one group; else nothing changes."""
    buffer = filled(make_buffer(), 2)
    batch = take(buffer)

    with pytest.raises(ValueError):
        buffer.split(batch, groups)

    assert buffer.ack(batch) is True


@pytest.mark.parametrize("reason", [REFUSED, "validation_failed"], ids=["verdict", "word"])
def test_rejected_events_leave_and_the_rest_is_a_new_batch(make_buffer, reason):
    """The bad ones are given back in their order; the good ones come first, under a new key."""
    buffer = filled(make_buffer(), 5)
    batch = take(buffer, 4)

    left = buffer.reject(batch, [2, 0], reason)

    assert not buffer.tend().trouble

    assert numbers(left) == [0, 2]
    assert state(buffer) == (3, 24, 1, True)
    rest = take(buffer)
    assert numbers(rest.events) == [1, 3]
    assert rest.key != batch.key
    assert rest.body == b'[{"n": 1},{"n": 3}]'
    assert buffer.ack(batch) is False


def test_a_batch_may_be_rejected_whole(make_buffer):
    """Where all events leave, nothing of the batch comes again."""
    buffer = filled(make_buffer(), 3)
    batch = take(buffer, 2)

    assert numbers(buffer.reject(batch, range(2), REFUSED)) == [0, 1]
    assert state(buffer) == (1, 8, 1, False)


def test_where_no_event_is_rejected_the_batch_stays_itself(make_buffer):
    """A batch that does not change keeps its key: it is only released."""
    buffer = filled(make_buffer(), 2)
    batch = take(buffer)

    assert list(buffer.reject(batch, [], REFUSED)) == []
    assert take(buffer).key == batch.key


@pytest.mark.parametrize("indexes", [[2], [-1], [0, 7]])
def test_an_event_that_a_batch_has_not_cannot_be_rejected(make_buffer, indexes):
    """An index from nowhere is refused, and nothing changes."""
    buffer = filled(make_buffer(), 2)
    batch = take(buffer)

    with pytest.raises(ValueError):
        buffer.reject(batch, indexes, REFUSED)

    assert state(buffer) == (2, 16, 0, False)
    assert buffer.ack(batch) is True


def test_what_is_held_no_more_is_nobodys(make_buffer):
    """After a batch has left, by whatever way, nothing of what is asked of it happens."""
    buffer = filled(make_buffer(), 8)
    acked, rejected, split, released = take(buffer, 2), take(buffer, 2), take(buffer, 2), take(buffer, 2)
    buffer.ack(acked)
    buffer.reject(rejected, [0, 1], REFUSED)
    buffer.split(split, [[0], [1]])
    buffer.release(released)
    before = state(buffer)

    for batch in (acked, rejected, split, released):
        assert buffer.ack(batch) is False
        assert buffer.release(batch) is False
        assert list(buffer.split(batch, [[0], [1]])) == []
        assert list(buffer.reject(batch, [0], REFUSED)) == []

    assert state(buffer) == before == (4, 32, 0, True)


def test_abandoning_gives_back_every_event_in_order(make_buffer):
    """What is let go is all that was held: released, taken, and not yet sealed."""
    buffer = filled(make_buffer(), 6)
    released, taken = take(buffer, 2), take(buffer, 2)
    buffer.release(released)

    assert numbers(buffer.abandon()) == [0, 1, 2, 3, 4, 5]

    assert state(buffer) == (0, 0, 0, False)
    assert take(buffer) is None
    assert not buffer.ack(taken)
    assert (buffer.position, buffer.oldest) == (6, 6)
    assert numbers(take(filled(buffer, 1, start=6)).events) == [6]


def test_a_forked_child_begins_with_nothing(make_buffer):
    """What the parent held stays the parent's; the child's own events are held as ever."""
    buffer = filled(make_buffer(), 4)
    batch = take(buffer, 2)

    buffer.begin_anew()
    buffer.begin_anew()  # as in a child's child

    assert state(buffer) == (0, 0, 0, False)
    assert not buffer.ack(batch)
    assert (buffer.position, buffer.oldest, buffer.oldest_put_at) == (0, 0, None)
    assert numbers(take(filled(buffer, 1)).events) == [0]


def test_events_of_one_contact_are_in_one_taken_batch_at_a_time(make_buffer):
    """While a batch is under way its contacts' later events wait for it; the others' go past them."""
    buffer = filled_by(make_buffer(), "abacbd")
    first = take(buffer, 2)
    second = take(buffer, 2)

    assert (numbers(first.events), numbers(second.events)) == ([0, 1], [3, 5])
    assert second.position == 3
    assert take(buffer) is None
    assert (buffer.unsealed, buffer.oldest) == (2, 0)
    buffer.ack(first)
    assert buffer.oldest == 2
    assert numbers(take(buffer).events) == [2, 4]


def test_a_contact_waits_for_its_released_batch_too(make_buffer):
    """What is to be tried again goes before its contacts' later events, and nothing passes it."""
    buffer = filled_by(make_buffer(), "abca")
    first, second = take(buffer, 1), take(buffer, 1)
    buffer.release(first)
    buffer.release(second)

    assert [numbers(take(buffer, 1).events) for _ in range(3)] == [[1], [0], [2]]
    assert take(buffer) is None


def test_the_parts_of_a_batch_keep_their_contacts_order(make_buffer):
    """Of a batch that was split, the second half waits for the first where they share a contact."""
    buffer = filled_by(make_buffer(), "aabb")
    batch = take(buffer)
    _, shared, last = buffer.split(batch, [[0], [1, 2], [3]])

    first = take(buffer)
    assert numbers(first.events) == [0]
    assert take(buffer) is None
    buffer.ack(first)
    second = take(buffer)
    assert second.key == shared.key
    assert take(buffer) is None
    buffer.ack(second)
    assert take(buffer).key == last.key


def test_passed_over_events_are_the_oldest_and_are_dropped_first(make_buffer):
    """Who waits for a batch that is under way keeps its place, also where the oldest make room."""
    buffer = filled_by(make_buffer(40, drops_oldest=True), "aabcb")
    batch, other = take(buffer, 1), take(buffer, 1)
    assert numbers(other.events) == [2]

    assert numbers(buffer.put(body(5), "e")) == [1]

    buffer.ack(batch)
    buffer.ack(other)
    assert numbers(take(buffer).events) == [3, 4, 5]


def test_a_search_has_an_end(make_buffer):
    """Behind very many events of a contact whose batch is under way, others wait too: no search is endless."""
    buffer = filled_by(make_buffer(), "a" * 3000 + "b")
    batch = take(buffer, 1)

    assert take(buffer) is None
    buffer.ack(batch)
    assert numbers(take(buffer, 3000).events) == list(range(1, 3001))


def test_positions_tell_how_far_delivery_is(make_buffer):
    """`oldest` passes a position when all that was put before it has left, in whatever order."""
    buffer = filled(make_buffer(), 5)
    assert (buffer.position, buffer.oldest) == (5, 0)
    first, second = take(buffer, 2), take(buffer, 2)
    assert buffer.oldest == 0
    buffer.ack(second)
    assert buffer.oldest == 0
    buffer.ack(first)
    assert (buffer.position, buffer.oldest) == (5, 4)
    buffer.ack(take(buffer))
    assert (buffer.position, buffer.oldest) == (5, 5)


@pytest.mark.parametrize(
    ("max_bytes", "taken"),
    [(2, [0]), (10, [0]), (18, [0]), (19, [0, 1]), (27, [0, 1]), (28, [0, 1, 2]), (1000, [0, 1, 2, 3])],
)
def test_a_batch_keeps_within_its_bytes(make_buffer, max_bytes, taken):
    """Brackets and commas count; one event goes even where it is larger alone."""
    buffer = filled(make_buffer(), 4)

    batch = buffer.take(100, max_bytes)

    assert numbers(batch.events) == taken
    assert len(batch.body) <= max_bytes or len(taken) == 1


@RELAXED
@given(
    st.lists(st.integers(8, 60), min_size=1, max_size=40),
    st.integers(1, 12),
    st.integers(2, 200),
    st.sampled_from([kind.values[0] for kind in KINDS]),
)
def test_batches_are_as_large_as_they_may_be(sizes, max_events, max_bytes, kind):
    """Whatever the sizes and limits: all events, in order, each batch within its limits, and as full as can be."""
    buffer = kind()
    for number, size in enumerate(sizes):
        buffer.put(body(number, max(size, len(body(number)))), f"cust_{number}")
    batches = list(iter(lambda: buffer.take(max_events, max_bytes), None))
    buffer.close()

    assert [number for batch in batches for number in numbers(batch.events)] == list(range(len(sizes)))
    for batch, following in zip(batches, [*batches[1:], None], strict=True):
        assert len(batch.events) <= max_events
        assert len(batch.body) <= max_bytes or len(batch.events) == 1
        assert json.loads(batch.body) == [json.loads(event) for event in batch.events]
        if following is not None and len(batch.events) < max_events:
            assert len(batch.body) + 1 + len(following.events[0]) > max_bytes


def test_the_newest_is_dropped_where_it_does_not_fit(make_buffer):
    """By default a full buffer keeps what it has, and gives the new event back."""
    buffer = filled(make_buffer(24), 3)

    assert numbers(buffer.put(body(3), "c")) == [3]

    assert state(buffer) == (3, 24, 3, False)
    assert buffer.position == 3
    assert numbers(take(buffer).events) == [0, 1, 2]


def test_a_smaller_event_may_still_fit(make_buffer):
    """The bound is on the bytes: it is full for what does not fit, and reached to the last byte."""
    buffer = make_buffer(24)
    filled(buffer, 2)
    assert numbers(buffer.put(body(2, 9), "c")) == [2]

    assert list(buffer.put(body(3, 8), "c")) == []

    assert buffer.bytes == 24


def test_the_oldest_are_dropped_to_make_room(make_buffer):
    """With drops_oldest as many as needed of the oldest go, and no more."""
    buffer = filled(make_buffer(24, drops_oldest=True), 3)

    assert numbers(buffer.put(body(3, 12), "c")) == [0, 1]

    assert state(buffer) == (2, 20, 2, False)
    assert (buffer.position, buffer.oldest) == (4, 2)
    assert numbers(take(buffer).events) == [2, 3]


def test_no_event_is_dropped_out_of_a_sealed_batch(make_buffer):
    """What is sealed keeps its bytes: only events that wait make room."""
    buffer = filled(make_buffer(32, drops_oldest=True), 4)
    taken, released = take(buffer, 1), take(buffer, 1)
    buffer.release(released)

    assert numbers(buffer.put(body(4), "c")) == [2]

    assert numbers(taken.events) == [0]
    assert numbers(take(buffer).events) == [1]
    assert numbers(take(buffer).events) == [3, 4]


@pytest.mark.parametrize("size", [25, 1000])
def test_no_event_is_dropped_in_vain(make_buffer, size):
    """Where the room cannot be made, what waits stays, and the new event alone goes."""
    buffer = filled(make_buffer(24, drops_oldest=True), 3)
    assert numbers(buffer.put(body(3, size), "c")) == [3]
    assert state(buffer) == (3, 24, 3, False)
    batch = take(buffer, 2)

    assert numbers(buffer.put(body(4, 9), "c")) == [4]

    assert state(buffer) == (3, 24, 1, False)
    assert (buffer.position, buffer.oldest) == (3, 0)
    buffer.ack(batch)
    assert numbers(take(buffer).events) == [2]


def test_a_call_that_blocks_goes_on_as_soon_as_there_is_room(make_buffer):
    """With wait_seconds the event waits for another thread to make room, and is held then."""
    buffer = filled(make_buffer(24), 3)
    batch, results = take(buffer), []
    waiting = threading.Thread(target=lambda: results.append(buffer.put(body(3), "c", wait_seconds=60)))
    waiting.start()
    assert state(buffer) == (3, 24, 0, False)

    buffer.ack(batch)
    waiting.join(30)

    assert not waiting.is_alive()
    assert [list(each) for each in results] == [[]]
    assert numbers(take(buffer).events) == [3]


@pytest.mark.parametrize("how", ["reject", "abandon"])
def test_every_way_out_makes_room_for_a_call_that_blocks(make_buffer, how):
    """Rejected and abandoned events leave their room to who waits for it."""
    buffer = filled(make_buffer(24), 3)
    batch, results = take(buffer), []
    waiting = threading.Thread(target=lambda: results.append(buffer.put(body(3), "c", wait_seconds=60)))
    waiting.start()

    if how == "reject":
        buffer.reject(batch, [0], REFUSED)
    else:
        buffer.abandon()
    waiting.join(30)

    assert [list(each) for each in results] == [[]]


def test_a_call_that_blocks_waits_no_longer_than_it_may(make_buffer):
    """Where no room comes, the new event is given back, after the time that was given and not long after."""
    buffer = filled(make_buffer(24), 3)
    begun = time.monotonic()

    assert numbers(buffer.put(body(3), "c", wait_seconds=0.05)) == [3]

    assert 0.04 <= time.monotonic() - begun < 5


def test_the_age_of_the_oldest_event_is_never_underrated(make_buffer):
    """`oldest_put_at` follows the oldest event that waits, and sealed ones do not count."""
    clock = Clock()
    buffer = make_buffer(clock=clock)
    filled(buffer, 1)
    assert buffer.oldest_put_at == 1000.0
    clock.now = 1001.0
    filled(buffer, 1, start=1)
    assert buffer.oldest_put_at == 1000.0
    clock.now = 1002.0
    batch = take(buffer, 2)
    assert buffer.oldest_put_at is None
    clock.now = 1003.0
    buffer.release(batch)
    assert buffer.oldest_put_at is None
    filled(buffer, 1, start=2)
    assert 1002.0 <= buffer.oldest_put_at <= 1003.0


@pytest.mark.parametrize("is_busy", [True, False], ids=["others go past it", "nothing goes"])
def test_an_event_that_waits_long_costs_no_more_memory(make_buffer, is_busy):
    """While the oldest waits for its contact's batch, what is noted of ages is bounded, and right when it may go."""
    clock = Clock()
    buffer = filled_by(make_buffer(clock=clock), "a")
    stuck = take(buffer)
    clock.now += 1
    filled_by(buffer, "a")
    first, sizes = clock.now, []
    for number in range(1000):
        clock.now += 1
        if is_busy:
            filled(buffer, 3, start=number)
        batch = take(buffer)
        assert (batch is not None) == is_busy
        if is_busy:
            buffer.ack(batch)
        sizes.append(len(buffer._marks._marks))
        assert first - 1 <= buffer.oldest_put_at <= first

    assert max(sizes) <= 100
    clock.now += 1
    filled(buffer, 1)
    latest = clock.now
    clock.now += 1
    buffer.ack(stuck)
    assert len(take(buffer, 1).events) == 1  # the one that waited long
    assert latest - 100 <= buffer.oldest_put_at <= latest


def test_a_put_within_a_put_is_held_too(make_buffer):
    """A signal's handler or a `__del__` that logs in the midst of a put does not block, and loses nothing."""
    calls = []

    def clock():
        calls.append(1)
        if len(calls) == 1:
            buffer.put(body(100), "cust_100")
        return 1000.0 + len(calls)

    buffer = make_buffer(clock=clock)
    putting = threading.Thread(target=lambda: filled(buffer, 3), daemon=True)
    putting.start()
    putting.join(30)

    assert not putting.is_alive()
    assert state(buffer) == (4, 34, 4, False)
    assert buffer.position == 4
    assert sorted(numbers(take(buffer).events)) == [0, 1, 2, 100]


def test_a_put_at_any_line_of_another_call_is_held_too(make_buffer):
    """Whatever line of put, take, ack or release a handler of a signal interrupts, its event is kept and counted."""
    line = 0
    while True:
        buffer, seen = make_buffer(), []

        def trace(frame, event, _, buffer=buffer, seen=seen, line=line):
            if "buffers" in frame.f_code.co_filename:
                if event == "line":
                    seen.append(1)
                    if len(seen) == line + 1:
                        sys.settrace(None)
                        buffer.put(body(100), "cust_100")
                return trace
            return None

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            filled(buffer, 3)
            first = take(buffer, 2)
            buffer.release(first)
            first = take(buffer)
            buffer.ack(first)
            rest = take(buffer)
        finally:
            sys.settrace(before)
        if len(seen) <= line:
            break
        more = take(buffer)
        got = [*first.events, *(rest.events if rest else ()), *(more.events if more else ())]
        assert sorted(numbers(got)) == [0, 1, 2, 100], line
        assert buffer.position == 4
        for batch in filter(None, (rest, more)):
            assert buffer.ack(batch)
        assert state(buffer) == (0, 0, 0, False), line
        assert buffer.oldest == 4
        buffer.close()
        line += 1
    assert line > 20


def reentered(prepare, act, log_inner):
    """Run `act()` again and again, with `log_inner()` at one moment later each time, until there is none.

    The moments are memory's lines, and the ends of calls within them, where Python looks for signals. Each `act()`
    comes after `prepare()`, and before what is yielded.
    """
    moments = itertools.count()

    def note(frame, event, _):
        if frame.f_globals["__name__"] != MemoryBuffer.__module__:
            return None
        if event in {"line", "return", "c_return"} and next(moments) == moment:
            sys.settrace(None)
            sys.setprofile(None)
            log_inner()
        return note

    before = sys.gettrace()
    for start in (sys.settrace, sys.setprofile):
        for moment in itertools.count():
            prepare()
            moments = itertools.count()
            start(note)
            try:
                act()
            finally:
                sys.setprofile(None)
                sys.settrace(before)
            if next(moments) <= moment:
                break
            yield moment


@pytest.mark.parametrize("contacts", ["abcd", "aabc"], ids=["all may go", "a contact waits"])
def test_a_put_in_the_midst_of_a_full_memory_loses_nothing(contacts):
    """Where the oldest make room for the event of a signal's handler, or of a `__del__`: each is taken or dropped."""
    buffer, dropped, batches = memory(36, drops_oldest=True), [], []

    def prepare():
        buffer.begin_anew()
        dropped.clear()

    def act():
        for number, contact in enumerate(contacts):
            dropped.extend(buffer.put(body(number), contact))
        batches[:] = [take(buffer, 1), take(buffer, 2)]
        for number in (4, 5):
            dropped.extend(buffer.put(body(number), "e"))
        batches.append(take(buffer, 1))
        dropped.extend(buffer.put(body(6, 20), "f"))
        for batch in filter(None, batches):
            buffer.ack(batch)
        for number, contact in enumerate("aabb", 7):
            dropped.extend(buffer.put(body(number, 9), contact))
        dropped.extend(buffer.put(body(11, 20), "f"))

    def log_inner():
        dropped.extend(buffer.put(body(100), "cust_100"))

    count = 0
    for moment in reentered(prepare, act, log_inner):
        while len(buffer):
            batches.append(take(buffer))
            buffer.ack(batches[-1])
        taken = [event for batch in filter(None, batches) for event in batch.events]
        assert sorted(numbers([*taken, *dropped])) == [*range(12), 100], moment
        assert state(buffer) == (0, 0, 0, False), moment
        count += 1
    assert count > 100


def test_eight_threads_put_while_one_takes(make_buffer):
    """Under load every event is taken once, each thread's in the order it put them."""
    buffer, each, results, done = make_buffer(), 500, [], threading.Event()

    def put(thread):
        for number in range(each):
            buffer.put(json.dumps({"n": [thread, number]}).encode(), f"cust_{thread}")

    def drain():
        while True:
            is_last = done.is_set()
            batch = take(buffer, 7)
            if batch is not None:
                if len(results) % 3 == 0 and buffer.release(batch):
                    batch = take(buffer, 7)
                assert buffer.ack(batch)
                results.extend(numbers(batch.events))
            elif is_last:
                return

    putting = [threading.Thread(target=put, args=(thread,)) for thread in range(8)]
    taking = threading.Thread(target=drain)
    for thread in (*putting, taking):
        thread.start()
    for thread in putting:
        thread.join()
    done.set()
    taking.join(60)

    assert not taking.is_alive()
    for thread in range(8):
        assert [number for owner, number in results if owner == thread] == list(range(each))
    assert len(results) == 8 * each
    assert state(buffer) == (0, 0, 0, False)
    assert buffer.position == buffer.oldest == 8 * each


class BufferMachine(RuleBasedStateMachine):
    """Any sequence of calls, against lists of (body, position, put at, contact)."""

    kind = None
    drops_oldest = False
    MAX_BYTES = 400

    def __init__(self):
        super().__init__()
        self.clock = Clock()
        self.buffer = type(self).kind(self.MAX_BYTES, drops_oldest=self.drops_oldest, clock=self.clock)
        self.waiting = []
        self.sealed = []  # [batch, its events], to be taken first
        self.taken = []
        self.keys = {}
        self.puts = self.numbers = 0

    def teardown(self):
        self.buffer.close()

    def held(self):
        return [*(each for _, events in (*self.sealed, *self.taken) for each in events), *self.waiting]

    def held_bytes(self):
        return sum(len(each[0]) for each in self.held())

    def seen(self, batch, events):
        assert list(batch.events) == [each[0] for each in events]
        assert json.loads(batch.body) == [json.loads(each[0]) for each in events]
        assert self.keys.setdefault(batch.key, batch.body) == batch.body

    def busy(self, batches):
        return {each[3] for _, events in batches for each in events}

    @rule(size=st.integers(10, 90), seconds=st.floats(0, 10), contact=st.sampled_from("abcdefgh"))
    def put(self, size, seconds, contact):
        self.clock.now += seconds
        made = body(self.numbers, max(size, len(body(self.numbers))))
        self.numbers += 1
        room = self.MAX_BYTES - self.held_bytes()
        count = 0
        if self.drops_oldest:
            while room < len(made) and count < len(self.waiting):
                room += len(self.waiting[count][0])
                count += 1
        if room < len(made):
            (refused,) = self.buffer.put(made, contact)
            assert refused is made  # by which the account knows that it was never held
            return
        dropped, self.waiting = self.waiting[:count], self.waiting[count:]
        assert list(self.buffer.put(made, contact)) == [each[0] for each in dropped]
        self.waiting.append((made, self.puts, self.clock.now, contact))
        self.puts += 1

    @rule(max_events=st.integers(1, 5), max_bytes=st.integers(2, 300), seconds=st.floats(0, 10))
    def take(self, max_events, max_bytes, seconds):
        self.clock.now += seconds
        batch = self.buffer.take(max_events, max_bytes)
        index = self.next_sealed()
        if index is not None:
            expected, events = self.sealed.pop(index)
            assert batch.key == expected.key
            assert batch.body == expected.body
        else:
            events = self.next_new(max_events, max_bytes)
            if not events:
                assert batch is None
                return
            self.waiting = [each for each in self.waiting if each not in events]
            assert batch.key not in self.keys
            assert batch.position == events[0][1]
        self.seen(batch, events)
        self.taken.append((batch, events))

    def next_sealed(self):
        for index, (_, events) in enumerate(self.sealed):
            if self.busy([*self.taken, *self.sealed[:index]]).isdisjoint({each[3] for each in events}):
                return index
        return None

    def next_new(self, max_events, max_bytes):
        busy, chosen = self.busy([*self.taken, *self.sealed]), []
        for each in self.waiting:
            if each[3] in busy:
                continue
            if chosen and sum(len(it[0]) + 1 for it in [*chosen, each]) + 1 > max_bytes:
                break
            chosen.append(each)
            if len(chosen) == max_events:
                break
        return chosen

    @precondition(lambda self: self.taken)
    @rule(data=st.data())
    def ack(self, data):
        batch, _ = self.taken.pop(data.draw(st.integers(0, len(self.taken) - 1)))
        assert self.buffer.ack(batch) is True
        assert self.buffer.ack(batch) is False

    @precondition(lambda self: self.taken)
    @rule(data=st.data())
    def release(self, data):
        batch, events = self.taken.pop(data.draw(st.integers(0, len(self.taken) - 1)))
        assert self.buffer.release(batch) is True
        assert self.buffer.release(batch) is False
        self.sealed.insert(0, (batch, events))

    @precondition(lambda self: self.taken)
    @rule(data=st.data())
    def split(self, data):
        batch, events = self.taken.pop(data.draw(st.integers(0, len(self.taken) - 1)))
        cut = data.draw(st.integers(0, len(events)))
        groups = [list(range(cut)), list(range(cut, len(events)))]
        parts = self.buffer.split(batch, groups)
        chosen = [[events[index] for index in group] for group in groups if group]
        assert len(parts) == len(chosen)
        assert not any(part.key in self.keys for part in parts)
        for part, its in zip(parts, chosen, strict=True):
            self.seen(part, its)
        self.sealed[:0] = zip(parts, chosen, strict=True)

    @precondition(lambda self: self.taken)
    @rule(data=st.data())
    def reject(self, data):
        batch, events = self.taken.pop(data.draw(st.integers(0, len(self.taken) - 1)))
        indexes = data.draw(st.sets(st.integers(0, len(events) - 1), min_size=1))
        left = self.buffer.reject(batch, indexes, REFUSED)
        assert list(left) == [each[0] for index, each in enumerate(events) if index in indexes]
        kept = [each for index, each in enumerate(events) if index not in indexes]
        if kept:
            assert self.buffer.has_sealed
            rest = self.buffer.take(1, 1)
            assert rest.key not in self.keys
            self.seen(rest, kept)
            self.taken.append((rest, kept))

    @rule(is_wanted=st.integers(0, 9))
    def abandon(self, is_wanted):
        if is_wanted:
            return
        assert sorted(self.buffer.abandon()) == sorted(each[0] for each in self.held())
        self.waiting, self.sealed, self.taken = [], [], []

    @invariant()
    def accounts_agree(self):
        held = self.held()
        assert len(self.buffer) == len(held)
        assert self.buffer.bytes == self.held_bytes() <= self.MAX_BYTES
        assert self.buffer.unsealed == len(self.waiting)
        assert self.buffer.has_sealed == bool(self.sealed)
        assert self.buffer.position == self.puts

    @invariant()
    def nothing_that_is_held_is_passed_by(self):
        oldest = min((each[1] for each in self.held()), default=self.puts)
        batches = [batch.position for batch, _ in (*self.sealed, *self.taken)]
        assert min([oldest, *batches]) <= self.buffer.oldest <= oldest

    @invariant()
    def no_event_is_taken_for_younger_than_it_is(self):
        put_at = self.buffer.oldest_put_at
        assert (put_at is None) == (not self.waiting)
        if self.waiting:
            assert put_at <= self.waiting[0][2]


@pytest.mark.parametrize("drops_oldest", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_any_sequence_of_calls_keeps_the_account(kind, drops_oldest):
    """Puts, takes, retries, splits, rejections and drops in any order: order, bytes, keys and positions hold."""
    machine = type("Machine", (BufferMachine,), {"kind": staticmethod(kind), "drops_oldest": drops_oldest})
    machine.TestCase.settings = RELAXED
    machine.TestCase().runTest()
