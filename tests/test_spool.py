"""What a spool promises beyond the contract of all buffers: events outlive their process, on a shared disk."""

import contextlib
import errno
import itertools
import json
import math
import os
import pathlib
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
import time
import tracemalloc

import pytest

from conftest import UNMEASURED
from spotzee_logging.buffers import (
    backlog,
    claim,
    journal,
    parts,
    spool_schema,
    spool_store,
    sqlite,
    tally,
)
from spotzee_logging.buffers.base import Verdict
from spotzee_logging.buffers.journal import Journal, contact_of, framed
from spotzee_logging.buffers.owners import OwnerLock
from spotzee_logging.buffers.parts import MOST_OLDER
from spotzee_logging.buffers.spool_store import MOST_REJECTED, SpoolStore
from spotzee_logging.buffers.sqlite import SqliteBuffer
from spotzee_logging.errors import SpoolError

PLENTY = 10**9

sees_open_files = pytest.mark.skipif(
    not os.path.isdir("/proc/self/fd"), reason="this system does not list a process's open files"
)


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "spool" / "events.db")


@pytest.fixture
def open_spool(path):
    """Opens buffers on one file, as several processes would, and closes them."""
    opened = []

    def make(max_bytes=PLENTY, **options):
        opened.append(SqliteBuffer(path, max_bytes, **options))
        return opened[-1]

    yield make
    for buffer in opened:
        buffer.close()


def body(number):
    return json.dumps({"n": number}).encode()


def put(buffer, numbers, contact="cust_{}"):
    for number in numbers:
        assert list(buffer.put(body(number), contact.format(number))) == []


def numbers(batch):
    return [json.loads(event)["n"] for event in batch.events]


def drained(buffer):
    """The numbers of all events, taken and acknowledged batch by batch."""
    found = []
    while (batch := buffer.take(100, PLENTY)) is not None:
        found += numbers(batch)
        assert buffer.ack(batch)
    return found


def die(buffer):
    """End a buffer as kill -9 would: its files are closed, and nothing else happens."""
    buffer.begin_anew()


def files(path):
    """What lies beside the spool's file, but for SQLite's own."""
    folder, name = os.path.split(path)
    return sorted(each for each in os.listdir(folder) if each not in {name, f"{name}-wal", f"{name}-shm"})


def journals(path):
    """The files that events are put to, the oldest first."""
    return [f"{os.path.dirname(path)}/{each}" for each in files(path) if each.endswith(".journal")]


def open_files(path):
    """The names of the spool's files that this process has open."""
    found = []
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found.append(os.readlink(f"/proc/self/fd/{fd}"))
    return sorted(each for each in found if each.startswith(path))


def rejected(path):
    """The dead letters of a spool."""
    store = SpoolStore(path)
    rows = store.rejected()
    store.close()
    return rows


def test_what_a_dead_process_has_left_is_taken_over(open_spool):
    """Its batches keep key and body, and go first; its other events follow; all are counted as recovered."""
    dead = open_spool()
    put(dead, range(5))
    batch = dead.take(2, PLENTY)
    die(dead)
    heir = open_spool()
    assert heir.has_company

    assert heir.tend().recovered == 5

    assert heir.oldest_put_at == -math.inf  # they have waited for long: they are due at once
    assert (len(heir), heir.unsealed, heir.has_sealed, heir.bytes) == (5, 3, True, 40)
    again = heir.take(100, PLENTY)
    assert (again.key, again.body, again.events) == (batch.key, batch.body, batch.events)
    assert again.sealed_at == batch.sealed_at
    assert drained(heir) == [2, 3, 4]
    assert heir.tend().recovered == 0


def test_what_a_living_process_has_is_left_to_it(open_spool):
    """While its owner lives, nobody else takes an event, whether it is in a batch or not."""
    owner, other = open_spool(), open_spool()
    put(owner, range(5))
    batch = owner.take(2, PLENTY)

    assert other.tend().recovered == 0

    assert other.has_company
    assert other.take(100, PLENTY) is None
    assert owner.ack(batch)
    assert drained(owner) == [2, 3, 4]


@pytest.mark.parametrize(
    ("index", "size", "lost"),
    [(0, None, {0, 1, 2, 3}), (1, None, {4, 5, 6, 7}), (1, 30, {5, 6, 7})],
    ids=["the first is gone", "one between is gone", "one between is cut"],
)
def test_a_file_that_is_gone_costs_no_event_of_another_file(open_spool, path, monkeypatch, index, size, lost):
    """Of the files that a dead process has left, all is taken over that can be found, in its order."""
    monkeypatch.setattr(journal, "SEGMENT_BYTES", 100)
    dead = open_spool()
    put(dead, range(12))
    die(dead)
    harmed = journals(path)[index]
    if size is None:
        os.unlink(harmed)
    else:
        os.truncate(harmed, size)
    heir = open_spool()

    assert (*heir.tend(),) == (12 - len(lost), 0, 0, "")

    assert drained(heir) == [number for number in range(12) if number not in lost]
    assert (len(heir), heir.unsealed, heir.bytes) == (0, 0, 0)
    assert files(path) == []


def test_a_file_of_its_own_that_is_gone_keeps_no_other_file(open_spool, path, monkeypatch):
    """What others delete by hand is told as lost; the rest is delivered, and its files go then."""
    monkeypatch.setattr(journal, "SEGMENT_BYTES", 100)
    buffer = open_spool()
    put(buffer, range(20))
    os.unlink(journals(path)[0])

    assert drained(buffer) == list(range(4, 20))

    assert buffer.tend().lost == 4
    assert (len(buffer), buffer.unsealed, buffer.bytes) == (0, 0, 0)
    assert len(files(path)) == 2  # the lock, and the file that is written to


@pytest.mark.parametrize("is_abandoned", [False, True], ids=["delivered", "abandoned"])
def test_what_is_cut_off_after_it_was_taken_over_is_told(open_spool, path, is_abandoned):
    """Others may harm a dead process's journal later too: what is gone is counted as lost, to the byte."""
    dead = open_spool()
    put(dead, range(3))
    die(dead)
    heir = open_spool()
    assert heir.tend().recovered == 3
    os.truncate(*journals(path), 25)

    found = [json.loads(each)["n"] for each in heir.abandon()] if is_abandoned else drained(heir)

    assert found == [0]
    assert heir.tend().lost == 2
    assert (len(heir), heir.unsealed, heir.bytes) == (0, 0, 0)


def test_a_copy_beside_a_journal_is_no_journal(open_spool, path):
    """What an operator copied there for safety is passed over, and its events come once."""
    dead = open_spool()
    put(dead, range(3))
    die(dead)
    (name,) = journals(path)
    shutil.copy(name, name.replace(".journal", " (copy).journal"))
    heir = open_spool()

    assert heir.tend().recovered == 3

    assert drained(heir) == [0, 1, 2]


def test_an_heir_that_dies_leaves_both_parts(open_spool):
    """What was taken over and what came after goes on to the next, the oldest first."""
    first, second = open_spool(), open_spool()
    put(first, range(3))
    die(first)
    put(second, range(3, 6))
    second.tend()
    die(second)
    third = open_spool()

    assert third.tend().recovered == 6

    assert drained(third) == [0, 1, 2, 3, 4, 5]


def test_an_owner_whose_files_may_not_be_opened_keeps_nobody_elses(open_spool, path):
    """A root process's files, say, on another user's spool: it is said which, and all others are taken over."""
    other, dead = open_spool(), open_spool()
    put(other, [3])
    other.tend()
    put(dead, range(3))
    die(dead)
    barred = f"{path}.{0:020x}.lock"
    os.mkdir(barred)  # not even root can open a folder to write to it
    heir = open_spool(5 * 8)

    found = heir.tend()

    assert found.recovered == 3
    assert found.trouble.endswith(f"cannot be read, and stays as it is ({barred}: Is a directory)")
    put(heir, [4])
    assert list(heir.put(body(5), "cust_5")) == [body(5)]  # what others hold is known too
    assert drained(heir) == [0, 1, 2, 4]
    os.rmdir(barred)
    assert heir.tend().trouble == ""


def test_a_contacts_order_holds_across_a_takeover(open_spool):
    """The heir's own events of a contact wait for those that the dead process had."""
    dead, heir = open_spool(), open_spool()
    put(dead, range(3), "ada")
    dead.take(1, PLENTY)
    die(dead)
    put(heir, range(3, 6), "ada")
    heir.tend()

    sealed = heir.take(100, PLENTY)
    assert numbers(sealed) == [0]
    assert heir.take(100, PLENTY) is None
    heir.ack(sealed)

    assert drained(heir) == [1, 2, 3, 4, 5]


def test_events_that_were_passed_over_are_recovered(open_spool):
    """An event that waits for its contact's batch is not forgotten, though later ones were sealed."""
    dead = open_spool()
    for number, contact in enumerate("abacbd"):
        dead.put(body(number), contact)
    first, second = dead.take(2, PLENTY), dead.take(2, PLENTY)
    assert (numbers(first), numbers(second)) == ([0, 1], [3, 5])
    dead.ack(second)
    die(dead)
    heir = open_spool()

    assert heir.tend().recovered == 4

    assert (len(heir), heir.unsealed, heir.bytes) == (4, 2, 4 * 8)
    assert drained(heir) == [0, 1, 2, 4]


@pytest.mark.parametrize(("is_cut", "left"), [(False, [0, 1, 4]), (True, [0, 1])], ids=["damaged", "cut"])
def test_an_event_that_was_passed_over_and_is_damaged_brings_no_other(open_spool, path, is_cut, left):
    """The line behind it was sealed, and perhaps delivered: it does not come again in its place."""
    dead = open_spool()
    for number, contact in enumerate("abacbd"):
        dead.put(body(number), contact)
    dead.take(2, PLENTY)
    dead.ack(dead.take(2, PLENTY))
    die(dead)
    (name,) = journals(path)
    content = pathlib.Path(name).read_bytes()
    at = content.index(body(2))
    pathlib.Path(name).write_bytes(content[: at - 17] if is_cut else content.replace(body(2), b'{"n": X}'))
    heir = open_spool()

    assert heir.tend().recovered == len(left)

    assert drained(heir) == left
    assert (len(heir), heir.unsealed, heir.bytes) == (0, 0, 0)


def test_a_search_holds_few_bytes(open_spool, monkeypatch):
    """However large the events are that wait for their contact's batch: what is passed over is held in memory."""
    monkeypatch.setattr(backlog, "MOST_PASSED_BYTES", 80)
    buffer = open_spool()
    put(buffer, range(10), "ada")
    put(buffer, [10])
    first = buffer.take(1, PLENTY)
    assert numbers(buffer.take(1, PLENTY)) == [10]
    put(buffer, [11], "ada")
    put(buffer, [12])

    assert buffer.take(1, PLENTY) is None

    buffer.ack(first)
    assert drained(buffer) == [*range(1, 10), 11, 12]


def test_the_parts_of_a_split_are_recovered_in_their_order(open_spool):
    """Halves of halves stand where the whole stood: a restart changes nothing of the order."""
    dead = open_spool()
    put(dead, range(8), "ada")
    dead.split(dead.take(8, PLENTY), [range(4), range(4, 8)])
    dead.split(dead.take(8, PLENTY), [range(2), range(2, 4)])
    die(dead)
    heir = open_spool()
    heir.tend()

    assert drained(heir) == list(range(8))


def test_batches_that_an_heir_makes_go_behind_those_it_took_over(open_spool):
    """They are younger: whoever comes after it delivers the oldest first too."""
    dead, heir = open_spool(), open_spool()
    put(dead, range(6))
    dead.take(2, PLENTY)
    dead.take(2, PLENTY)
    die(dead)
    heir.tend()
    for _ in range(3):
        heir.take(2, PLENTY)
    die(heir)
    third = open_spool()
    third.tend()

    assert drained(third) == list(range(6))


def test_the_parts_of_a_split_go_before_later_batches(open_spool):
    """They are older, though they were made last: also the next process delivers the oldest first."""
    dead = open_spool()
    put(dead, range(4))
    first, _ = dead.take(2, PLENTY), dead.take(2, PLENTY)
    dead.split(first, [[0], [1]])
    die(dead)
    heir = open_spool()
    heir.tend()

    assert drained(heir) == [0, 1, 2, 3]


def test_what_is_done_is_not_recovered(open_spool, path):
    """What was delivered or rejected before the end does not come again, and leaves no file behind."""
    dead = open_spool()
    put(dead, range(4))
    dead.reject(dead.take(2, PLENTY), [0, 1], Verdict("validation_failed"))
    dead.ack(dead.take(2, PLENTY))
    die(dead)
    heir = open_spool()

    assert heir.tend().recovered == 0

    assert len(heir) == 0
    assert files(path) == []


def test_a_spool_is_left_behind_closed(open_spool, path):
    """Who closes it leaves its events to the next, at once, and no file where there are none."""
    buffer = open_spool()
    put(buffer, range(3))
    assert buffer.keep() == 3
    assert len(buffer) == 0
    heir = open_spool()

    heir.tend()

    assert drained(heir) == [0, 1, 2]
    heir.close()
    assert files(path) == []


def test_who_has_delivered_all_leaves_no_trace(open_spool, path):
    """No file, and no row by which others would look for one."""
    buffer = open_spool()
    put(buffer, range(3))
    assert drained(buffer) == [0, 1, 2]

    assert buffer.keep() == 0

    assert files(path) == []
    with contextlib.closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT * FROM owners").fetchall() == []


@contextlib.contextmanager
def logged_at(line, buffer, modules):
    """Within it, event 3 is put when so many lines of these were run, as by a signal's handler; gives the lines."""
    files, met = {module.__file__ for module in modules}, []

    def trace(frame, event, _):
        if frame.f_code.co_filename not in files:
            return None
        if event == "line":
            met.append(frame.f_lineno)
            if len(met) == line + 1:
                sys.settrace(None)
                put(buffer, [3])
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield met
    finally:
        sys.settrace(before)


def test_what_is_logged_in_the_midst_of_the_end_while_the_disk_is_in_trouble(open_spool, troubled):
    """What a signal's handler logs then is in memory alone: it is given back, and not taken for kept."""
    for line in itertools.count():
        buffer = open_spool()
        put(buffer, [9])
        assert drained(buffer) == [9]
        with troubled():
            put(buffer, range(3))
            with logged_at(line, buffer, (sqlite, parts, backlog)) as met:
                kept = buffer.keep()
            if len(met) <= line:
                break
            left = [json.loads(each)["n"] for each in buffer.abandon()]
        assert (kept, sorted(left)) == (0, [0, 1, 2, 3]), line
        assert (len(buffer), buffer.unsealed, buffer.bytes, buffer.position) == (0, 0, 0, 5), line
        buffer.close()
    assert line > 20


@pytest.mark.parametrize(
    ("how", "modules"),
    [
        ("keep", (sqlite, parts, claim)),
        ("abandon", (sqlite, backlog, tally)),
        ("rest", (parts, claim)),
    ],
    ids=["kept", "abandoned", "resting"],
)
def test_what_is_logged_in_the_midst_of_letting_go_is_counted_once(open_spool, how, modules):
    """By a signal's handler, or a `__del__`, while a program ends or its spool rests: it is left to the next process,
    given back, or held on to, and the account says which.
    """
    heir = open_spool()
    put(heir, [9])
    heir.take(1, PLENTY)  # with something in hand it stays open, and no other closes the file as the last
    held_on_to = 0
    for line in itertools.count():
        buffer = open_spool()
        put(buffer, range(3))
        if how == "rest":
            assert drained(buffer) == [0, 1, 2]
        else:
            buffer.take(1, PLENTY)

        with logged_at(line, buffer, modules) as met:
            result = buffer.tend(is_idle=True) if how == "rest" else getattr(buffer, how)()

        if len(met) <= line:
            break
        given = [json.loads(each)["n"] for each in result] if how == "abandon" else []
        assert buffer.position == 4, line
        held, rest = len(buffer), [json.loads(each)["n"] for each in buffer.abandon()]
        assert held == len(rest), line
        held_on_to += held
        assert (len(buffer), buffer.unsealed, buffer.bytes) == (0, 0, 0), line
        assert heir.tend().recovered == (result if how == "keep" else 0), line
        assert sorted([*given, *rest, *drained(heir)]) == ([3] if how == "rest" else [0, 1, 2, 3]), line
        buffer.close()
    assert line > 20
    assert how != "keep" or held_on_to <= 3  # only what comes when all is left


class Interrupted(BaseException):
    """What a signal's handler raises, as Ctrl-C does."""


def raised_at(point):
    """For `sys.setprofile`: raises where so many calls of the buffers' have ended. There Python looks for signals."""
    points = itertools.count()

    def profile(frame, event, _):
        is_there = os.path.dirname(frame.f_code.co_filename) == os.path.dirname(journal.__file__)
        if is_there and event in {"return", "c_return"} and next(points) == point:
            sys.setprofile(None)
            raise Interrupted

    return profile


def test_a_call_that_is_left_while_a_file_begins_costs_no_event_that_is_held(open_spool, monkeypatch):
    """What Ctrl-C interrupts is held where it was written, and else not there at all; what comes is put on disk."""
    monkeypatch.setattr(journal, "SEGMENT_BYTES", 1)
    buffer = open_spool()
    put(buffer, [0])
    for point in itertools.count():
        sys.setprofile(raised_at(point))
        try:
            put(buffer, [1 + point])
            break
        except Interrupted:
            put(buffer, [100 + point])
        finally:
            sys.setprofile(None)
    held = len(buffer)

    found = drained(buffer)

    assert len(found) == held
    assert set(found) >= {0, 1 + point, *range(100, 100 + point)}
    assert (*buffer.tend(),) == (0, 0, 0, "")
    assert (len(buffer), buffer.unsealed, buffer.bytes) == (0, 0, 0)
    assert point > 20


@pytest.mark.parametrize("is_waited_for", [False, True], ids=["nobody waits", "a batch waits"])
def test_letting_go_does_not_wait_for_a_file_that_is_held_locked(open_spool, path, is_waited_for):
    """A process that ends has half a second for it, also where the delivering thread waits for the lock by then."""
    buffer = open_spool()
    put(buffer, range(4))
    sealed = buffer.take(2, PLENTY)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    taking = threading.Thread(target=buffer.take, args=(2, PLENTY))
    if is_waited_for:
        taking.start()
        deadline = time.monotonic() + 30
        while buffer.unsealed:
            assert time.monotonic() < deadline
            threading.Event().wait(0.001)
    begun = time.monotonic()

    kept = buffer.keep()

    took_seconds = time.monotonic() - begun
    if is_waited_for:
        taking.join()
    other.execute("ROLLBACK")
    other.close()
    assert took_seconds < 0.5
    assert kept == 4
    heir = open_spool()
    assert heir.tend().recovered == 4
    assert heir.take(2, PLENTY).key == sealed.key
    assert drained(heir) == [2, 3]


@pytest.fixture
def locked(path):
    """Within it another program holds the spool's file locked, for which the buffer hardly waits."""

    @contextlib.contextmanager
    def lock(buffer):
        buffer._store.hurry()
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")

    return lock


def test_what_is_delivered_while_the_file_is_locked_does_not_come_again(open_spool, path, locked):
    """A batch that the file never had is tried again as it is; once delivered, nothing of it is left to the next."""
    buffer = open_spool()
    put(buffer, range(3))
    with locked(buffer):
        batch = buffer.take(3, PLENTY)
        buffer.release(batch)
        assert buffer.take(3, PLENTY).body == batch.body
        assert buffer.ack(batch)

        assert buffer.keep() == 0

    heir = open_spool()
    assert heir.tend().recovered == 0
    assert files(path) == []


def test_what_was_delivered_while_the_file_was_locked_does_not_come_again(open_spool, locked):
    """Whoever lets go of the spool writes first what the file did not take before."""
    buffer = open_spool()
    put(buffer, range(4))
    with locked(buffer):
        assert buffer.ack(buffer.take(2, PLENTY))

    assert buffer.keep() == 2

    heir = open_spool()
    assert heir.tend().recovered == 2
    assert drained(heir) == [2, 3]


def test_what_is_in_memory_alone_is_kept_where_the_disk_is_well_at_the_end(open_spool, troubled):
    """No look after the spool need come in between: it is written before the process lets go."""
    buffer = open_spool()
    put(buffer, range(2))
    with troubled():
        put(buffer, range(2, 4))

    assert buffer.keep() == 4

    heir = open_spool()
    heir.tend()
    assert drained(heir) == [0, 1, 2, 3]


def test_a_batch_that_no_file_has_is_held_on_to(open_spool, troubled, locked):
    """Neither journal nor database took it: whoever lets go of the spool keeps it, and is not told that it is left."""
    buffer = open_spool()
    put(buffer, range(2))
    with troubled():
        put(buffer, [2])
        assert numbers(buffer.take(2, PLENTY)) == [0, 1]
        with locked(buffer):
            assert numbers(buffer.take(1, PLENTY)) == [2]

            assert [buffer.keep(), buffer.keep()] == [2, 0]

    assert (len(buffer), buffer.unsealed, buffer.bytes) == (1, 0, 8)
    assert [json.loads(each)["n"] for each in buffer.abandon()] == [2]


def test_a_batch_that_the_database_alone_has_is_left_to_the_next(open_spool, troubled):
    """The journal did not take its events, and need not any more."""
    buffer = open_spool()
    put(buffer, range(2))
    with troubled():
        put(buffer, [2])
        assert numbers(buffer.take(3, PLENTY)) == [0, 1, 2]

        assert buffer.keep() == 3

    assert (len(buffer), buffer.unsealed, buffer.bytes) == (0, 0, 0)
    heir = open_spool()
    assert heir.tend().recovered == 3
    assert drained(heir) == [0, 1, 2]


@pytest.mark.parametrize("is_abandoned", [False, True], ids=["delivered", "abandoned"])
def test_a_batch_that_is_gone_from_the_file_is_told(open_spool, path, is_abandoned):
    """Somebody deleted what a dead process had left: it is counted as lost, and the others go on."""
    dead = open_spool()
    put(dead, range(3))
    dead.take(2, PLENTY)
    die(dead)
    heir = open_spool()
    assert heir.tend().recovered == 3
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("DELETE FROM batches")

    found = [json.loads(each)["n"] for each in heir.abandon()] if is_abandoned else drained(heir)

    assert found == [2]
    assert heir.tend().lost == 2
    assert (len(heir), heir.unsealed, heir.bytes) == (0, 0, 0)


def test_what_is_abandoned_does_not_come_again(open_spool):
    """It was counted as dropped: no other process delivers it."""
    buffer = open_spool()
    put(buffer, range(3))

    assert len(buffer.abandon()) == 3

    die(buffer)
    heir = open_spool()
    assert heir.tend().recovered == 0
    assert len(heir) == 0


@sees_open_files
def test_a_database_is_closed_across_a_fork_and_used_again(open_spool, path):
    """SQLite's locks do not cross one; afterwards any thread goes on."""
    buffer, found = open_spool(), []
    put(buffer, range(4))
    batch = buffer.take(2, PLENTY)
    assert path in open_files(path)

    buffer.before_fork()

    assert path not in open_files(path)
    buffer.after_fork()
    going_on = threading.Thread(target=lambda: found.extend(drained(buffer)), daemon=True)
    going_on.start()
    going_on.join(30)
    assert found == [2, 3]
    assert buffer.ack(batch)


def test_a_broken_line_costs_nothing_but_itself(open_spool, path):
    """What a kill or a power failure left half written is passed over; every whole line counts."""
    dead = open_spool()
    put(dead, range(3))
    die(dead)
    (name,) = (each for each in files(path) if each.endswith(".journal"))
    with open(os.path.join(os.path.dirname(path), name), "ab") as file:
        file.write(framed(contact_of("x"), body(3))[:-2])
        file.write(b"\n\n???")
        file.write(framed(contact_of("x"), body(4)))
        file.write(b"\n0123")
    heir = open_spool()

    assert heir.tend().recovered == 4

    assert drained(heir) == [0, 1, 2, 4]


def test_a_journal_that_cannot_be_read_for_a_moment_costs_no_event(open_spool, path):
    """What a batch had been given by then is held on to, in its order: it comes as soon as the rest can be read.

    Meanwhile no event of the living waits for it.
    """
    dead = open_spool()
    for number in range(300):
        event = json.dumps({"n": number, "pad": "x" * 3_000}).encode()
        assert not dead.put(event, "ada" if number < 60 and number % 2 else f"cust_{number}")
    die(dead)
    heir = open_spool()
    heir.tend()
    first = heir.take(40, PLENTY)  # the first of ada's is in it, the others are passed over
    (journal,) = (f"{os.path.dirname(path)}/{name}" for name in files(path) if name.endswith(".journal"))
    os.rename(journal, f"{journal}.away")
    os.mkdir(journal)
    before = len(heir), heir.unsealed, heir.bytes

    assert heir.take(100, PLENTY) is None

    assert (len(heir), heir.unsealed, heir.bytes) == before
    put(heir, [300])
    assert drained(heir) == [300]
    os.rmdir(journal)
    os.rename(f"{journal}.away", journal)
    trouble = heir.tend().trouble
    assert "what another process has left cannot be read, and stays as it is (Is a directory)" in trouble
    rest = drained(heir)
    heir.ack(first)
    got = [*numbers(first), *rest, *drained(heir)]
    assert sorted(got) == list(range(300))
    assert [number for number in got if number < 60 and number % 2] == list(range(1, 60, 2))
    assert heir.tend().lost == 0


@pytest.fixture
def troubled(path, monkeypatch):
    """Within it the disk takes no event: a folder stands where the journal's next file would be made."""
    monkeypatch.setattr(journal, "SEGMENT_BYTES", 1)

    @contextlib.contextmanager
    def trouble():
        last = max(each for each in files(path) if each.endswith(".journal"))
        stem, address, _ = last.rsplit(".", 2)
        folder = os.path.dirname(path)
        start = int(address, 16) + os.stat(f"{folder}/{last}").st_size
        os.mkdir(f"{folder}/{stem}.{start:012x}.journal")
        yield
        os.rmdir(f"{folder}/{stem}.{start:012x}.journal")

    return trouble


def test_what_is_in_memory_alone_is_written_when_the_disk_is_well_again(open_spool, troubled):
    """Also what waits for its contact's batch: it is counted, kept for the next process, once and in its order."""
    buffer = open_spool()
    put(buffer, range(2), "ada")
    first = buffer.take(1, PLENTY)
    with troubled():
        put(buffer, range(2, 5), "ada")
        put(buffer, [5])
        other = buffer.take(100, PLENTY)
        assert numbers(other) == [5]
        assert buffer.oldest == 0
        assert buffer.tend().unspooled == 4
        put(buffer, [6], "ada")
        assert buffer.take(100, PLENTY) is None
    assert buffer.ack(other)

    assert (*buffer.tend(),) == (0, 1, 0, "")
    put(buffer, [7], "ada")
    assert buffer.tend().unspooled == 0

    assert buffer.take(100, PLENTY) is None
    assert (len(buffer), buffer.unsealed, buffer.bytes) == (7, 6, 7 * 8)
    assert buffer.ack(first)
    assert numbers(buffer.take(2, PLENTY)) == [1, 2]
    die(buffer)
    heir = open_spool()
    assert heir.tend().recovered == 7 - 1
    assert drained(heir) == [1, 2, 3, 4, 6, 7]


def test_what_the_disk_does_not_take_until_the_end_is_held_on_to(open_spool, troubled):
    """Whoever lets go of the spool is told how many are kept, and gives the others back, passed over or not."""
    buffer = open_spool(max_memory_bytes=32)
    put(buffer, range(2), "ada")
    buffer.take(1, PLENTY)
    with troubled():
        put(buffer, range(2, 4), "ada")
        assert buffer.take(100, PLENTY) is None
        put(buffer, range(4, 6), "ada")

        assert buffer.keep() == 2

        assert (len(buffer), buffer.unsealed, buffer.bytes, buffer.position) == (4, 4, 32, 6)
        assert buffer.oldest == 2
        assert list(buffer.put(body(6), "ada")) == [body(6)]  # memory is as full as before
    assert [json.loads(each)["n"] for each in buffer.abandon()] == [2, 3, 4, 5]
    assert (len(buffer), buffer.unsealed, buffer.bytes) == (0, 0, 0)
    buffer.tend()
    put(buffer, [6])
    assert buffer.tend().unspooled == 0


@pytest.mark.parametrize("is_killed", [True, False], ids=["killed", "lives on"])
def test_what_is_in_memory_alone_survives_its_journal(open_spool, troubled, path, is_killed):
    """Where others delete the files, it is written to the new ones, and what is passed over with it."""
    buffer = open_spool()
    put(buffer, range(1), "ada")
    first = buffer.take(1, PLENTY)
    with troubled():
        put(buffer, range(1, 3), "ada")
        assert buffer.take(100, PLENTY) is None
        put(buffer, [3], "ada")
    for name in files(path):
        os.unlink(os.path.join(os.path.dirname(path), name))

    assert "was deleted or cut" in buffer.tend().trouble

    assert (buffer.position, buffer.oldest) == (4, 0)
    assert buffer.ack(first)
    if is_killed:
        die(buffer)
        buffer = open_spool()
        assert buffer.tend().recovered == 3
    assert drained(buffer) == [1, 2, 3]
    assert (len(buffer), buffer.unsealed, buffer.bytes) == (0, 0, 0)


def test_what_others_can_read_without_its_lock_is_kept(open_spool, path):
    """A cleaner of old files that takes the lock alone costs no event, and none is told of that arrives after all."""
    buffer = open_spool()
    put(buffer, range(3))
    assert buffer.take(1, PLENTY) is not None
    for name in files(path):
        if name.endswith(".lock"):
            os.unlink(f"{os.path.dirname(path)}/{name}")
    buffer.tend()

    assert buffer.keep() == 3

    assert list(buffer.abandon()) == []
    heir = open_spool()
    heir.tend()
    assert drained(heir) == [0, 1, 2]


def test_an_earlier_file_of_the_journal_that_is_deleted_is_said(open_spool, path, monkeypatch):
    """Each file counts, not the last alone: at the end nothing of one that is gone is said to be kept."""
    monkeypatch.setattr(journal, "SEGMENT_BYTES", 1)
    buffer = open_spool()
    put(buffer, range(3))
    os.unlink(journals(path)[0])

    assert "was deleted or cut" in buffer.tend().trouble

    assert buffer.keep() == 0
    assert buffer.tend().lost == 1
    assert list(buffer.abandon()) == [body(1), body(2)]


def test_who_takes_over_from_the_living_goes_on_delivering(open_spool, path):
    """Where somebody deletes a living process's lock, another takes its events for a dead one's. What the first
    writes then is its own, and the other delivers what it has found, and what it is given.
    """
    living = open_spool()
    put(living, range(3))
    for name in files(path):
        if name.endswith(".lock"):
            os.unlink(f"{os.path.dirname(path)}/{name}")
    heir = open_spool()
    assert heir.tend().recovered == 3
    put(living, range(3, 6))
    put(heir, [6])

    assert sorted(drained(heir)) == [0, 1, 2, 6]

    assert (len(heir), heir.unsealed, heir.bytes) == (0, 0, 0)


def test_what_a_cut_file_still_has_is_told_of_or_delivered_never_both(open_spool, path):
    """Of what is told of as undelivered at the end nothing arrives later."""
    buffer = open_spool()
    put(buffer, range(4))
    assert buffer.take(1, PLENTY) is not None
    (journal,) = journals(path)
    os.truncate(journal, 3 * len(body(0)) + 3 * len("\n0123456789abcdef"))
    buffer.tend()

    kept = buffer.keep()

    told = [json.loads(each)["n"] for each in buffer.abandon()]
    heir = open_spool()
    heir.tend()
    arrived = drained(heir)
    assert (kept, told, arrived) == (1, [1, 2, 3], [0])


def test_what_a_deleted_file_held_stands_before_what_memory_holds(open_spool, troubled, path):
    """Events of one contact are given back in their order, wherever they were."""
    buffer = open_spool()
    put(buffer, range(2), "ada")
    assert buffer.take(1, PLENTY) is not None
    (journal,) = journals(path)
    with troubled():
        put(buffer, range(2, 4), "ada")
        assert buffer.take(1, PLENTY) is None
        os.unlink(journal)
        buffer.keep()

        assert [json.loads(each)["n"] for each in buffer.abandon()][-3:] == [1, 2, 3]


@pytest.mark.parametrize(
    ("trouble", "remedy"),
    [
        (errno.EACCES, ". Give spool= a path in a folder that this program's user may write to."),
        (errno.EROFS, ", on another file system."),
        (errno.ENOTDIR, ": a part of its path is a file."),
        (errno.EIO, os.strerror(errno.EIO)),
    ],
    ids=["permission", "read-only", "beneath a file", "another"],
)
def test_a_spool_that_the_system_does_not_give_says_what_to_do(
    open_spool, path, monkeypatch, trouble, remedy
):
    """Whoever names a folder that the program may not write to is told so, and what to give."""

    def refuse(*_, **__):
        raise OSError(trouble, os.strerror(trouble))

    monkeypatch.setattr(os, "makedirs", refuse)
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(SpoolError, match=re.escape(f"the spool {path}: {os.strerror(trouble)}")) as caught:
        open_spool()

    assert str(caught.value).endswith(remedy)


@pytest.mark.parametrize("is_noticed", [True, False], ids=["noticed", "not noticed yet"])
def test_what_is_in_a_deleted_file_alone_is_not_kept(open_spool, path, is_noticed):
    """At the process's end it is told of as undelivered: the next process cannot find it."""
    buffer = open_spool()
    put(buffer, range(3))
    assert buffer.take(1, PLENTY) is not None
    for name in journals(path):
        os.unlink(name)
    if is_noticed:
        buffer.tend()
        put(buffer, [3])

    kept = buffer.keep()

    assert kept == (2 if is_noticed else 1)  # the batch, which the database has, and what came after
    assert list(buffer.abandon()) == [body(number) for number in (1, 2)]
    assert (len(buffer), buffer.unsealed, buffer.bytes, buffer.position) == (0, 0, 0, 4 if is_noticed else 3)
    heir = open_spool()
    heir.tend()
    assert drained(heir) == ([0, 3] if is_noticed else [0])


def test_what_is_in_memory_alone_is_written_whether_passed_over_or_not(open_spool, troubled):
    """One that waits for its contact's batch and one that nobody has looked at: both are kept for the next process."""
    buffer = open_spool()
    put(buffer, [0], "ada")
    first = buffer.take(1, PLENTY)
    with troubled():
        put(buffer, [1], "ada")
        assert buffer.take(1, PLENTY) is None
        put(buffer, [2], "ada")
    buffer.tend()
    assert buffer.ack(first)
    die(buffer)
    heir = open_spool()

    assert heir.tend().recovered == 2

    assert drained(heir) == [1, 2]


def replace_by_a_copy(name):
    shutil.copy(name, f"{name}.copy")
    os.replace(f"{name}.copy", name)


@pytest.mark.parametrize(
    ("harm", "lost"),
    [
        (os.unlink, 0),
        (replace_by_a_copy, 0),
        (lambda name: os.truncate(name, 25), 2),
        (lambda name: os.unlink(re.sub(r"\.\w+\.journal$", ".lock", name)), 0),
    ],
    ids=["deleted", "replaced", "cut", "without its lock"],
)
def test_events_are_put_to_another_file_where_others_harm_a_journal(open_spool, path, harm, lost):
    """It is said; what the process has open is delivered, what is gone is counted, and what comes survives a kill."""
    buffer = open_spool()
    put(buffer, range(3))
    harm(*journals(path))

    trouble = buffer.tend().trouble

    assert trouble == f"the spool's journal beside {path} was deleted or cut; another is made"
    assert drained(buffer) == list(range(3 - lost))
    assert (*buffer.tend(),) == (0, 0, lost, "")
    assert (len(buffer), buffer.unsealed, buffer.bytes) == (0, 0, 0)
    put(buffer, [3])
    die(buffer)
    heir = open_spool()
    heir.tend()
    assert drained(heir) == [3]


def test_where_memory_is_full_nothing_on_disk_is_dropped(open_spool, troubled):
    """With drops_oldest the oldest that the disk did not take make room: what it has takes none in memory."""
    buffer = open_spool(drops_oldest=True, max_memory_bytes=24)
    put(buffer, range(3))
    put(buffer, [3], "ada")
    with troubled():
        put(buffer, range(4, 6), "ada")
        put(buffer, [6])

        assert list(buffer.put(body(7), "cust_7")) == [body(4)]
        assert list(buffer.put(body(8), "cust_8")) == [body(5)]

        assert (len(buffer), buffer.unsealed, buffer.bytes) == (7, 7, 7 * 8)
        assert (buffer.position, buffer.oldest) == (9, 0)
        first = buffer.take(2, PLENTY)
        assert (numbers(first), buffer.oldest) == ([0, 1], 0)
        buffer.ack(first)
        assert buffer.oldest == 2
    buffer.tend()
    put(buffer, [9])
    batches = [buffer.take(2, PLENTY)]
    assert buffer.ack(batches[0])
    assert buffer.oldest == 6
    batches += [buffer.take(2, PLENTY), buffer.take(2, PLENTY)]

    assert [numbers(batch) for batch in batches] == [[2, 3], [6, 7], [8, 9]]
    assert [batch.position for batch in batches] == [2, 6, 8]
    assert all(map(buffer.ack, batches[1:]))
    assert (len(buffer), buffer.bytes, buffer.position, buffer.oldest) == (0, 0, 10, 10)


def test_passed_over_events_in_memory_are_dropped_first(open_spool, troubled):
    """Also where they wait for their contact's batch, the oldest make room, and no more than are needed."""
    buffer = open_spool(drops_oldest=True, max_memory_bytes=24)
    put(buffer, [0], "ada")
    first = buffer.take(1, PLENTY)
    with troubled():
        put(buffer, range(1, 3), "ada")
        assert buffer.take(1, PLENTY) is None
        put(buffer, [3], "ada")

        assert list(buffer.put(body(4), "ada")) == [body(1)]
        buffer.ack(first)

        assert drained(buffer) == [2, 3, 4]
    assert (len(buffer), buffer.bytes, buffer.position, buffer.oldest) == (0, 0, 5, 5)


def test_no_event_on_disk_is_dropped_to_make_room_in_memory(open_spool, troubled):
    """Also where it waits for its contact's batch, and is older than all that the disk did not take."""
    buffer = open_spool(drops_oldest=True, max_memory_bytes=24)
    put(buffer, range(2), "ada")
    first = buffer.take(1, PLENTY)
    with troubled():
        put(buffer, range(2, 4), "ada")
        assert buffer.take(1, PLENTY) is None
        put(buffer, [4], "ada")

        assert list(buffer.put(body(5), "ada")) == [body(2)]

        buffer.ack(first)
        assert drained(buffer) == [1, 3, 4, 5]


def test_an_event_that_memory_may_not_hold_is_put_on_disk(open_spool):
    """The bound is on what the disk does not take."""
    buffer = open_spool(max_memory_bytes=4)

    put(buffer, range(2))

    assert buffer.tend().unspooled == 0
    assert drained(buffer) == [0, 1]


def test_what_memory_drops_for_long_takes_none(open_spool, troubled):
    """However many events make room one after the other while the disk is in trouble."""
    buffer = open_spool(drops_oldest=True, max_memory_bytes=24)
    put(buffer, [0])
    with troubled():
        put(buffer, range(1, 4))
        for number in range(4, 10):
            assert list(buffer.put(body(number), "ada")) == [body(number - 3)]

        assert len(buffer._parts.own.backlog._gaps) == 1

    assert drained(buffer) == [0, 7, 8, 9]
    assert buffer.oldest == buffer.position == 10


def test_no_event_is_dropped_where_the_next_cannot_be_read(open_spool, path, monkeypatch):
    """Dropping the oldest makes no room then: all that waits stays, in its order, and the new event is given back."""
    monkeypatch.setattr(journal, "SEGMENT_BYTES", 100)
    buffer = open_spool(9 * 8, drops_oldest=True)
    put(buffer, range(9))
    buffer.ack(buffer.take(1, PLENTY))  # the rest of the first file is in memory
    barred = journals(path)[1]
    os.rename(barred, f"{barred}.away")
    os.mkdir(barred)
    large = json.dumps({"n": 9, "pad": "x" * 40}).encode()

    assert list(buffer.put(large, "cust_9")) == [large]

    assert (len(buffer), buffer.unsealed, buffer.bytes) == (8, 8, 8 * 8)
    os.rmdir(barred)
    os.rename(f"{barred}.away", barred)
    assert drained(buffer) == list(range(1, 9))
    assert (len(buffer), buffer.unsealed, buffer.bytes) == (0, 0, 0)


FEW_FILES = """
import os, resource, sys
from spotzee_logging.buffers.sqlite import SqliteBuffer

buffer = SqliteBuffer(sys.argv[1], 10**9)
free = os.open(os.devnull, os.O_RDONLY)
os.close(free)
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (free + 1, hard))
assert not buffer.put(b'{"n": 0}', "ada")
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
print(*buffer.tend(), sep="|", flush=True)
os._exit(9)
"""


@pytest.mark.skipif(os.name != "posix", reason="this system sets no such limit")
def test_what_is_put_while_no_file_can_be_opened_is_written_later(open_spool, path, run_python):
    """A process may have one file left, for the lock, and none for the journal: it is said, and no event is lost."""
    done = run_python(FEW_FILES, path, check=False, **UNMEASURED)

    assert done.stderr == ""
    assert done.stdout == (
        f"0|1|0|the spool's journal beside {path}: {os.strerror(errno.EMFILE)}. "
        "Events that it does not take are held in memory meanwhile\n"
    )
    heir = open_spool()
    assert heir.tend().recovered == 1
    assert drained(heir) == [0]


def test_where_spool_and_memory_are_full_what_makes_room_in_both_is_dropped(open_spool, troubled):
    """No event on disk goes where those in memory are enough; where they are not, the oldest of all go too."""
    buffer = open_spool(48, drops_oldest=True, max_memory_bytes=24)
    put(buffer, range(3))
    with troubled():
        put(buffer, range(3, 6))

        assert list(buffer.put(body(6), "cust_6")) == [body(3)]
        assert list(buffer.put(json.dumps({"n": 7, "pad": "x" * 6}).encode(), "cust_7")) == [
            *map(body, (4, 5, 6, 0)),
        ]

    assert drained(buffer) == [1, 2, 7]


def test_only_its_owner_can_read_a_spool(open_spool, path):
    """Events are personal data: every file has mode 0600, and the folder that is made 0700."""
    buffer = open_spool()
    put(buffer, range(3))
    buffer.take(1, PLENTY)
    folder = os.path.dirname(path)

    modes = {name: stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode) for name in os.listdir(folder)}

    assert set(modes.values()) == {0o600}
    assert len(modes) == 5
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700


def test_space_is_given_back(open_spool, path, monkeypatch):
    """Files of the journal go as soon as their events are sealed, and the database shrinks with its batches."""
    monkeypatch.setattr(journal, "SEGMENT_BYTES", 10_000)
    buffer = open_spool()
    put(buffer, range(2000))
    assert len(files(path)) > 4

    assert drained(buffer) == list(range(2000))
    buffer.tend()

    assert len(files(path)) == 2  # the lock, and the file that is written to
    assert sum(os.stat(os.path.join(os.path.dirname(path), each)).st_size for each in files(path)) < 11_000
    assert os.stat(path).st_size < 60_000


@sees_open_files
def test_few_files_are_open_and_none_is_left_open(open_spool, path, monkeypatch):
    """However many were written and read: one journal of a process, and nothing while nothing is held."""
    monkeypatch.setattr(journal, "SEGMENT_BYTES", 100)
    buffer = open_spool()
    assert open_files(path) == []  # a server may fork its workers from here on, in C, and ask nobody
    put(buffer, range(40))
    assert len(journals(path)) == 10

    assert drained(buffer) == list(range(40))

    assert len([each for each in open_files(path) if ".journal" in each]) == 1
    buffer.tend(is_idle=True)
    assert open_files(path) == []
    put(buffer, range(2))
    assert buffer.keep() == 2
    assert open_files(path) == []


def test_the_bound_is_on_the_events_of_all_processes(open_spool):
    """What others hold takes room too, as they last said; the newest event is given back."""
    other, buffer = open_spool(80), open_spool(80)
    put(other, range(8))
    other.tend()
    put(buffer, range(2))
    buffer.tend()

    assert list(buffer.put(body(2), "c")) == [body(2)]


def test_others_are_told_what_is_on_disk(open_spool, troubled, path):
    """In batches or not; what the disk did not take takes no room of the spool's."""
    buffer = open_spool()
    put(buffer, range(3))
    buffer.take(1, PLENTY)
    with troubled():
        put(buffer, [3])
        buffer.tend()

        connection = sqlite3.connect(path)
        assert connection.execute("SELECT events, bytes FROM owners").fetchall() == [(3, 24)]
        connection.close()


@pytest.mark.parametrize("harm", [os.unlink, replace_by_a_copy], ids=["deleted", "replaced"])
def test_another_database_is_made_where_others_harm_it(open_spool, path, harm):
    """It is said once, and the batches are written to the new one: the next process sends them under their keys."""
    buffer = open_spool()
    put(buffer, range(3))
    batch = buffer.take(2, PLENTY)
    harm(path)
    for suffix in ("-wal", "-shm"):
        os.unlink(path + suffix)

    assert buffer.tend().trouble == f"the spool {path} was deleted or replaced; another is made"

    assert buffer.tend().trouble == ""
    die(buffer)
    heir = open_spool()
    assert heir.tend().recovered == 3
    assert heir.take(2, PLENTY).key == batch.key
    assert drained(heir) == [2]


def test_a_folder_that_is_gone_is_made_again(open_spool, path):
    """What is put then survives a kill, as ever."""
    buffer = open_spool()
    shutil.rmtree(os.path.dirname(path))
    put(buffer, range(2))
    die(buffer)
    heir = open_spool()

    assert heir.tend().recovered == 2

    assert drained(heir) == [0, 1]


def test_dead_letters_are_kept_with_the_servers_words(open_spool, path):
    """What the server refused is there to be looked at and sent again: reason, words, request_id, time."""
    buffer = open_spool()
    put(buffer, range(4))
    verdict = Verdict("validation_failed", "422 validation_failed: phone", "req_7")
    buffer.reject(buffer.take(2, PLENTY), [1], verdict)
    buffer.ack(buffer.take(1, PLENTY))
    buffer.ack(buffer.take(2, PLENTY), [0], verdict)

    rows = rejected(path)

    assert [(row.reason, row.why, row.request_id, row.body) for row in rows] == [
        ("validation_failed", "422 validation_failed: phone", "req_7", body(1)),
        ("validation_failed", "422 validation_failed: phone", "req_7", body(2)),
    ]
    assert all(row.rejected_at > 1.7e9 for row in rows)
    assert len(buffer) == 0


def test_each_dead_letter_has_the_verdict_on_it(open_spool, path):
    """Where the server has words of its own for an event, these are kept with it; else those for all."""
    buffer = open_spool()
    put(buffer, range(6))
    verdict = Verdict("r", "why", "req_7", {1: Verdict("r1", "why 1"), 2: Verdict("r2", "why 2", "req_7")})
    buffer.reject(buffer.take(3, PLENTY), [0, 2], verdict)
    assert numbers(buffer.take(1, PLENTY)) == [1]
    buffer.ack(buffer.take(3, PLENTY), [0, 1], verdict)

    assert [(row.reason, row.why, row.request_id, row.body) for row in rejected(path)] == [
        ("r", "why", "req_7", body(0)),
        ("r2", "why 2", "req_7", body(2)),
        ("r", "why", "req_7", body(3)),
        ("r1", "why 1", None, body(4)),
    ]


def test_a_dead_letter_with_half_a_character_stops_nothing(open_spool, path):
    """A server that cuts its words in the midst of an emoji: they are kept, legible, and what comes goes on."""
    buffer = open_spool()
    put(buffer, range(3))
    verdict = Verdict("too_long \ud83d", "party \ud83d is too long", "req \udc80")

    assert buffer.reject(buffer.take(1, PLENTY), [0], verdict) == [body(0)]

    assert drained(buffer) == [1, 2]
    (row,) = rejected(path)
    assert (row.reason, row.why, row.request_id) == (
        r"too_long \ud83d",
        r"party \ud83d is too long",
        r"req \udc80",
    )
    assert buffer.tend().trouble == ""


def test_a_value_that_the_database_does_not_take_is_an_error_of_ours(path):
    """Nothing but `SpoolError` comes out of a change, which leaves nothing behind; the next is made as ever."""
    store = SpoolStore(path)

    for value in ("\ud83d", 2**70):
        with pytest.raises(SpoolError, match="a value cannot be written"), store.change() as change:
            change.remove([value])

    with store.change() as change:
        change.bury([(body(1), Verdict("r"))])
    assert len(store.rejected()) == 1
    store.close()


def test_dead_letters_are_bounded(open_spool, path, monkeypatch):
    """The oldest go first, so that a server that refuses everything does not fill the disk."""
    monkeypatch.setattr(spool_store, "MOST_REJECTED", 10)
    buffer = open_spool()
    put(buffer, range(25))
    for _ in range(5):
        buffer.reject(buffer.take(5, PLENTY), range(5), Verdict("r"))

    assert [row.body for row in rejected(path)] == [body(number) for number in range(15, 25)]
    assert MOST_REJECTED > 1000


def test_an_older_spool_is_brought_forward(open_spool, path):
    """A file of an earlier version keeps its events, and gets what is new."""
    old = open_spool()
    put(old, range(2))
    batch = old.take(2, PLENTY)
    die(old)
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE rejected")
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    heir = open_spool()

    heir.tend()

    assert heir.take(2, PLENTY).key == batch.key
    assert rejected(path) == []


LOOK = (
    "import json, sys\n"
    "from spotzee_logging.buffers.spool_store import SpoolStore\n"
    "store = SpoolStore(sys.argv[1])\n"
    "print(json.dumps([row.key for life in store.owners() for row in store.batches(life.token)]))\n"
    "store.close()\n"
)


def batches_seen_elsewhere(path):
    """The keys of the batches that a process finds in a spool which opens and closes it."""
    done = subprocess.run([sys.executable, "-c", LOOK, path], check=True, capture_output=True, timeout=60)
    return json.loads(done.stdout)


def test_two_buffers_of_one_process_leave_each_other_its_locks(open_spool, path):
    """Two handlers on one spool: what the first seals is on disk, whatever the second and other processes do."""
    first = open_spool()
    put(first, range(2))
    sealed = first.take(1, PLENTY)
    second = open_spool()
    put(second, [2])

    assert batches_seen_elsewhere(path) == [sealed.key]

    again = first.take(1, PLENTY)
    first.ack(sealed)
    assert batches_seen_elsewhere(path) == [again.key]
    assert first.ack(again)
    assert drained(second) == [2]


def foreign(path):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE mine (a)")
    connection.commit()
    connection.close()


def newer(path):
    SqliteBuffer(path, PLENTY).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {spool_schema.VERSION + 1}")
    connection.close()


def without_a_table(path):
    SqliteBuffer(path, PLENTY).close()
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE rejected")
    connection.close()


def cut(path):
    SqliteBuffer(path, PLENTY).close()
    os.truncate(path, 5000)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (foreign, "is the database of another program. Give spool= another path, or move that file away."),
        (newer, "was made by a newer spotzee_logging"),
        (without_a_table, "no such table: rejected"),
        (cut, "It is damaged: move it away"),
        (lambda path: pathlib.Path(path).write_text("notes"), "is no spool, and no SQLite database. "),
        (lambda path: pathlib.Path(path).write_bytes(b"\0" * 4096), "is no spool, and no SQLite database. "),
    ],
    ids=["foreign", "newer", "without a table", "cut", "text", "zeros"],
)
def test_a_file_that_is_no_spool_of_ours_is_refused_and_left_as_it_is(path, make, words):
    """Where the handler is made it says what is wrong and what to do; not a byte of the file changes."""
    os.makedirs(os.path.dirname(path))
    make(path)
    before = pathlib.Path(path).read_bytes()

    with pytest.raises(SpoolError, match=words) as caught:
        SqliteBuffer(path, PLENTY)

    assert pathlib.Path(path).read_bytes() == before
    assert isinstance(caught.value, OSError)
    assert path in str(caught.value)
    assert files(path) == []


def test_a_row_that_cannot_be_read_is_said_and_keeps_no_event_waiting(path, open_spool):
    """What the dead have left is not as it was: the events of the living are taken as ever, and it once it can be."""
    SqliteBuffer(path, PLENTY).close()
    connection = sqlite3.connect(path)
    connection.execute("INSERT INTO batches VALUES ('key', 'owner', '0', 0, '[12', '[1]', x'00')")
    connection.commit()
    connection.close()
    buffer = open_spool()
    put(buffer, range(3))

    tidings = buffer.tend(is_idle=True)

    assert "a value cannot be written, or read again (JSONDecodeError)" in tidings.trouble
    assert drained(buffer) == [0, 1, 2]
    connection = sqlite3.connect(path)
    connection.execute("UPDATE batches SET sizes = '[8]', body = ?", (b"[%b]" % body(7),))
    connection.commit()
    connection.close()
    assert buffer.tend().recovered == 1
    assert drained(buffer) == [7]


def test_a_batch_that_cannot_be_read_keeps_no_other_contacts_event_waiting(path, open_spool):
    """It is said, the events of others go on, and it goes first, before those of its contacts, once it can be."""
    dead = open_spool()
    put(dead, range(2))
    dead.take(2, PLENTY)
    die(dead)
    heir = open_spool()
    assert heir.tend().recovered == 2
    heir._store.close()
    content = pathlib.Path(path).read_bytes()
    pathlib.Path(path).write_bytes(os.urandom(len(content)))
    put(heir, [0, 7])

    assert drained(heir) == [7]
    assert not heir.has_sealed

    assert "is no spool" in heir.tend().trouble
    pathlib.Path(path).write_bytes(content)
    heir.tend()
    assert drained(heir) == [0, 1, 0]


def test_an_empty_file_becomes_a_spool(open_spool, path):
    """A file that was only touched, to own it, is taken."""
    os.makedirs(os.path.dirname(path))
    pathlib.Path(path).touch()
    buffer = open_spool()
    put(buffer, range(2))

    assert drained(buffer) == [0, 1]


@pytest.mark.parametrize("place", ["/proc/events.db", "{file}/events.db", "{folder}"])
def test_a_place_where_no_file_can_be_is_refused(tmp_path, place):
    """No folder, no permission, or a folder in its place: said where the handler is made."""
    (tmp_path / "file").write_text("")
    place = place.format(file=tmp_path / "file", folder=tmp_path)

    with pytest.raises(SpoolError):
        SqliteBuffer(place, PLENTY)


def test_many_open_one_new_spool_at_a_time(path):
    """Workers that start together make one spool, and each keeps what the others put."""
    source = (
        "import sys\n"
        "from spotzee_logging.buffers.sqlite import SqliteBuffer\n"
        "buffer = SqliteBuffer(sys.argv[1], 10**9)\n"
        "for number in range(100):\n"
        "    buffer.put(b'{\"n\": %d}' % number, 'cust')\n"
        "buffer.take(50, 10**6)\n"
        "buffer.close()\n"
    )
    workers = [subprocess.Popen([sys.executable, "-c", source, path]) for _ in range(6)]
    assert [worker.wait(60) for worker in workers] == [0] * 6
    heir = SqliteBuffer(path, PLENTY)

    assert heir.tend().recovered == 600

    heir.close()


def test_a_lock_is_one_owners_alone(tmp_path):
    """While it is held nobody else gets it; let go for ever it leaves nothing."""
    stem = str(tmp_path / "events.db.token")
    lock = OwnerLock.acquire(stem)

    assert OwnerLock.acquire(stem) is None

    lock.release(is_done=False)
    again = OwnerLock.acquire(stem)
    assert again is not None
    again.release(is_done=True)
    assert os.listdir(tmp_path) == []


def written_to(folder, sizes):
    """A journal with events of these sizes."""
    written = Journal(str(folder / "events.db.token"))
    for size in sizes:
        written.append(framed(1, b"x" * size))
    return written


def read(written, least_bytes):
    """All lines of a journal, of which so much is read at a time."""
    address, found = 0, []
    while True:
        lines, following = written.read(address, least_bytes)
        found += lines
        if following == address:
            return found
        address = following


def test_lines_longer_than_what_is_read_at_a_time(tmp_path):
    """An event of any size is read whole."""
    sizes = [10, 5000, 100, 20_000, 1]
    written = written_to(tmp_path, sizes)

    assert [len(line.body) for line in read(written, 1024)] == sizes

    written.remove()


def test_wherever_a_read_ends_each_line_is_read_once(tmp_path):
    """Within a line, at its end or behind it; and each is found again by its address, as one that was passed over."""
    sizes = [10, 50, 3, 29, 1]
    written = written_to(tmp_path, sizes)

    for least_bytes in range(1, written.end + 2):
        assert [len(line.body) for line in read(written, least_bytes)] == sizes
    for address in range(written.end):
        for line in written.read(address)[0]:
            assert written.read(line.address)[0][0] == line
    written.remove()


def test_memory_stays_flat_however_much_waits(open_spool):
    """Events wait on disk: a hundred thousand of them take no more memory than a thousand."""
    buffer = open_spool()
    put(buffer, range(1000))
    tracemalloc.start()
    try:
        put(buffer, range(1000, 100_000))
        waiting, _ = tracemalloc.get_traced_memory()
        taken = drained(buffer)
        del taken[:-1]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert waiting < 100_000
    assert peak < 10_000_000
    assert taken == [99_999]


def test_a_power_safe_spool_keeps_the_contract_too(open_spool):
    """With durability="power" each put waits for the disk, and all else is the same."""
    buffer = open_spool(is_power_safe=True)
    put(buffer, range(20))

    assert drained(buffer) == list(range(20))


def test_the_dead_go_first_however_many_they_are(open_spool):
    """More owners may have died than are taken over at a time: later events of their contacts wait for them all."""
    for number in range(MOST_OLDER + 20):
        dead = open_spool()
        put(dead, [number], "ada")
        die(dead)
    heir = open_spool()
    put(heir, [999], "ada")

    found = []
    while heir.tend().recovered:
        found += drained(heir)

    assert found + drained(heir) == [*range(MOST_OLDER + 20), 999]


def test_an_owner_that_was_about_to_leave_is_not_read_again(open_spool, path):
    """A kill between the steps of its end: its journals go before the row that says how far they are sealed."""
    dead = open_spool()
    put(dead, range(5))
    assert drained(dead) == [0, 1, 2, 3, 4]
    ended = list(dead._parts)
    for each in ended:
        each.backlog.journal.remove()
    die(dead)
    heir = open_spool()

    assert heir.tend().recovered == 0

    assert files(path) == []
