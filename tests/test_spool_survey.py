"""A look at a spool from outside, while programs write to it: what it holds, and what is done by hand."""

import json
import os

import pytest

from spotzee_logging.buffers import journal, survey
from spotzee_logging.buffers.base import Verdict
from spotzee_logging.buffers.sqlite import SqliteBuffer
from spotzee_logging.buffers.survey import OwnerSurvey, SpoolSurvey

PLENTY = 10**9


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "events.db")


@pytest.fixture
def buffer(path):
    """A program's, that lives."""
    made = SqliteBuffer(path, PLENTY)
    yield made
    made.close()


@pytest.fixture
def look(path, buffer):
    made = SpoolSurvey(path)
    yield made
    made.close()


def body(number, contact="ada"):
    return json.dumps({"name": "placed", "external_id": contact, "data": {"n": number}}).encode()


def put(buffer, contacts):
    """An event for each letter, which is its contact; the first has number 0."""
    for number, contact in enumerate(contacts):
        assert not buffer.put(body(number, contact), contact)


def number_of(event):
    return json.loads(event)["data"]["n"]


def refuse(buffer, count):
    """Have so many of the oldest events refused by the server."""
    batch = buffer.take(count, PLENTY)
    assert len(buffer.reject(batch, range(count), Verdict("validation_failed", "no", "req_7"))) == count


def test_each_event_is_seen_where_it_is(buffer, look, monkeypatch):
    """In a batch, waiting for its contact's batch, or not looked at yet: each once, in order, and found by its ID."""
    monkeypatch.setattr(journal, "SEGMENT_BYTES", 100)  # some files of two events each
    put(buffer, "abacbd")
    batch = buffer.take(2, PLENTY)
    buffer.ack(buffer.take(2, PLENTY))
    buffer.put(body(6, "e"), "e")

    found = list(look.pending())

    (token,) = {each.where["owner"] for each in found}
    assert [(each.state, number_of(each.body)) for each in found] == [
        ("sealed", 0),
        ("sealed", 1),
        ("waiting", 2),
        ("waiting", 4),
        ("waiting", 6),
    ]
    assert look.owners() == [OwnerSurvey(token, os.getpid(), is_alive=True, waiting=3, sealed=2)]
    assert found[1].where == {"owner": token, "idempotency_key": batch.key, "sealed_at": batch.sealed_at}
    assert [look.find(each.id) for each in found] == found
    assert look.find(f"{batch.key}:2") is None


def test_what_is_delivered_while_it_is_listed_is_left_out(buffer, look):
    """A list of what waits is no obstacle to its delivery: the others are told, each with its own body."""
    put(buffer, "abcd")
    buffer.take(1, PLENTY)
    second = buffer.take(1, PLENTY)
    buffer.take(1, PLENTY)
    pending = look.pending()
    assert number_of(next(pending).body) == 0

    buffer.ack(second)

    assert [number_of(each.body) for each in pending] == [2, 3]


def test_who_has_said_nothing_yet_is_seen_too(buffer, look):
    """A program that has only just begun: its events are there before the database knows it."""
    put(buffer, "ab")

    (owner,) = look.owners()

    assert (owner.pid, owner.is_alive, owner.waiting, owner.sealed) == (None, True, 2, 0)
    assert [number_of(each.body) for each in look.pending()] == [0, 1]
    buffer.begin_anew()  # as kill -9 would leave it
    (owner,) = look.owners()
    assert (owner.is_alive, owner.waiting) == (False, 2)


def test_dead_letters_are_found_with_the_verdict(buffer, look):
    """By number, with reason, words, request and time; the oldest first; and no others."""
    put(buffer, "abc")
    refuse(buffer, 2)

    first, second = look.rejected()

    assert (first.id, first.state, number_of(first.body)) == ("1", "rejected", 0)
    assert {**first.where, "rejected_at": None} == {
        "reason": "validation_failed",
        "why": "no",
        "request_id": "req_7",
        "rejected_at": None,
    }
    assert look.find("2") == second
    assert look.find("3") is None
    assert look.rejected_by_reason() == {"validation_failed": 2}


def test_dead_letters_of_before_a_time_are_deleted(buffer, look):
    """Those of that very moment stay."""
    put(buffer, "ab")
    refuse(buffer, 1)
    refuse(buffer, 1)
    later = [each.where["rejected_at"] for each in look.rejected()][1]

    assert look.purge(before=later) == 1

    assert [each.id for each in look.rejected()] == ["2"]
    assert look.purge() == 1
    assert list(look.rejected()) == []


@pytest.mark.parametrize(
    ("room", "taken"),
    [
        (4, [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]),
        (3, [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]),
        (-150, [[number] for number in range(10)]),
    ],
    ids=["three fit", "one byte is missing", "not one fits"],
)
def test_what_is_retried_goes_in_batches_that_may_be_sent(buffer, look, monkeypatch, room, taken):
    """Of at most a MiB with brackets and commas; a contact's events in order, of which one batch goes at a time."""
    limit = len(body(0, "a")) * 3 + room
    monkeypatch.setattr(survey, "BATCH_BYTES", limit)
    put(buffer, "a" * 10)
    refuse(buffer, 10)

    assert look.retry() == 10

    assert list(look.rejected()) == []
    assert buffer.tend().recovered == 10
    first = buffer.take(100, PLENTY)
    assert buffer.take(100, PLENTY) is None
    buffer.ack(first)
    batches = [first]
    while (batch := buffer.take(100, PLENTY)) is not None:
        batches.append(batch)
        buffer.ack(batch)
    assert [[number_of(each) for each in batch.events] for batch in batches] == taken
    assert all(len(batch.body) <= limit or len(batch.events) == 1 for batch in batches)
    assert len({batch.key for batch in batches}) == len(taken)


def test_retried_events_of_many_contacts_go_a_hundred_at_a_time(buffer, look):
    """Those that are named, or all; and no named one that is none."""
    for number in range(250):
        assert not buffer.put(body(number, f"cust_{number}"), f"cust_{number}")
    refuse(buffer, 250)

    assert look.retry(["250", "7", "1000"]) == 2
    assert look.retry() == 248

    assert len(list(look.pending())) == 250
    assert buffer.tend().recovered == 250
    batches = [buffer.take(1000, PLENTY) for _ in range(4)]
    assert [number_of(each) for each in batches[0].events] == [6, 249]
    assert [len(batch.events) for batch in batches[1:]] == [100, 100, 48]
    assert all(map(buffer.ack, batches))


def test_where_nothing_is_retried_no_batch_is_made(buffer, look):
    """Who names a dead letter that was retried already sends no empty request."""
    assert look.retry() == look.retry(["7"]) == 0

    assert look.owners() == []
    assert buffer.tend().recovered == 0
    assert not buffer.has_sealed


def test_a_retried_event_waits_for_those_of_its_own_contact_alone(buffer, look):
    """Each is of its own contact, by whichever id it has."""
    events = [
        {"name": "x", "external_id": "ada", "anonymous_id": "anon_1"},
        {"name": "x", "anonymous_id": "ada"},
        {"name": "x", "anonymous_id": "anon_1"},
    ]
    for number, event in enumerate(events):
        buffer.put(json.dumps({**event, "data": {"n": number}}).encode(), str(number))
    refuse(buffer, 3)
    for identity in ("1", "2", "3"):
        assert look.retry([identity]) == 1
    buffer.tend()

    first, last = buffer.take(100, PLENTY), buffer.take(100, PLENTY)

    assert [number_of(each) for batch in (first, last) for each in batch.events] == [0, 2]
    assert buffer.take(100, PLENTY) is None
    buffer.ack(first)
    assert [number_of(each) for each in buffer.take(100, PLENTY).events] == [1]


def test_the_size_is_that_of_all_its_files(path, buffer, look):
    """Of the database, SQLite's own beside it, locks and journals; not of a file that only sounds like it."""
    put(buffer, "abc")
    buffer.take(1, PLENTY)
    with open(f"{path}2", "wb") as other:
        other.write(bytes(100_000))
    folder = os.path.dirname(path)

    sizes = {name: os.stat(f"{folder}/{name}").st_size for name in os.listdir(folder)}

    assert len(sizes) == 6
    assert look.size_bytes() == sum(sizes.values()) - 100_000
