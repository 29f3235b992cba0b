"""A spool and its processes: forks, multiprocessing, two that live, a machine's restart, a key's last day."""

import collections
import json
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import pytest

from conftest import numbers, program, tag
from spotzee_logging.buffers import owners
from spotzee_logging.buffers.sqlite import SqliteBuffer

PLENTY = 10**9
DAY_SECONDS = 24 * 60 * 60

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
sees_open_files = pytest.mark.skipif(
    not os.path.isdir("/proc/self/fd"), reason="this system does not list a process's open files"
)


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "spool" / "events.db")


def left_by_the_dead(path, count):
    """Put so many events into a spool as a process would that was killed with half of them in a batch."""
    dead = SqliteBuffer(path, PLENTY)
    for number in range(count):
        dead.put(json.dumps(tag(number, created_at="2026-01-01T00:00:00.000Z")).encode(), "cust_001")
    batch = dead.take(count // 2, PLENTY)
    dead.begin_anew()  # what is open is closed, and nothing else happens
    return batch


def change(path, statement, *parameters):
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement, parameters)
    connection.close()


@pytest.mark.parametrize(
    ("age_seconds", "possibly_repeated"),
    [(DAY_SECONDS + 60, 5), (DAY_SECONDS - 600, 0)],
    ids=["older", "younger"],
)
def test_a_batch_that_is_older_than_the_servers_memory(
    sandbox, make_handler, path, age_seconds, possibly_repeated
):
    """After 24 hours the server knows a key no more: the batch is sent all the same, and the account says so."""
    batch = left_by_the_dead(path, 10)
    change(path, "UPDATE batches SET sealed_at = ?", time.time() - age_seconds)
    handler = make_handler(spool=path)

    assert sandbox.wait_for(10, 20)
    assert handler.flush(20)

    stats = handler.stats()
    assert (stats.delivered, stats.recovered, stats.possibly_repeated) == (10, 10, possibly_repeated)
    assert sandbox.requests()[0]["idempotency_key"] == batch.key
    assert numbers(sandbox) == list(range(10))


def test_a_flush_delivers_what_a_dead_process_has_left_first(sandbox, make_handler, path):
    """Also the first thing that a program does: it is settled when that is, which counts as accepted here."""
    left_by_the_dead(path, 150)
    handler = make_handler(spool=path)

    assert handler.flush(20)

    stats = handler.stats()
    assert (stats.accepted, stats.recovered, stats.delivered, stats.pending) == (150, 150, 150, 0)
    assert numbers(sandbox) == list(range(150))


def test_where_no_thread_can_be_started_a_flush_looks_itself(
    sandbox, make_handler, make_logger, path, monkeypatch
):
    """What a dead process has left arrives by the caller's own thread, and later events by one of ours, as ever."""
    left_by_the_dead(path, 3)

    def no_thread(*_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_thread)
        handler = make_handler(spool=path)
        assert handler.flush(10)
        assert handler.flush(10)
    make_logger(handler).info("x", extra={"spotzee_event": tag(3)})

    assert handler.flush(10)
    assert numbers(sandbox) == [0, 1, 2, 3]


def test_a_program_that_ends_at_once_delivers_what_a_dead_process_has_left(sandbox, run_python, path):
    """A short run after a crash is enough, and leaves nothing behind."""
    left_by_the_dead(path, 7)

    done = run_python(program("", spool=path), sandbox.url)

    assert done.stderr == ""
    assert numbers(sandbox) == list(range(7))


def test_an_owner_on_another_machine_is_left_its_lease(path):
    """Of its locks nothing may be known here, so that it counts as alive for a minute after it last wrote."""
    left_by_the_dead(path, 10)
    change(path, "UPDATE owners SET machine = 'another', lease_until = ?", time.time() + owners.LEASE_SECONDS)
    heir = SqliteBuffer(path, PLENTY)

    assert heir.tend().recovered == 0
    assert heir.has_company

    change(path, "UPDATE owners SET lease_until = ?", time.time() - 1)
    assert heir.tend().recovered == 10
    heir.abandon()
    heir.close()


def test_an_owner_keeps_its_lease_as_long_as_it_lives(path):
    """Each look after the spool says anew that its owner lives, and on which machine, as which process."""
    owner = SqliteBuffer(path, PLENTY)
    owner.put(b"{}", "cust_001")
    owner.tend()
    change(path, "UPDATE owners SET lease_until = 0")

    owner.tend()

    connection = sqlite3.connect(path)
    ((machine, pid, lease_until),) = connection.execute(
        "SELECT machine, pid, lease_until FROM owners"
    ).fetchall()
    connection.close()
    assert (machine, pid) == (owners.machine(), os.getpid())
    assert time.time() < lease_until <= time.time() + owners.LEASE_SECONDS
    owner.abandon()
    owner.close()


# What the child finds open of the spool would be the parent's: its locks would be shared, or lost.
FORK = """
import json, os, signal, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # a fork with threads, from Python 3.12 on

def open_files():
    found = set()
    for fd in os.listdir("/proc/self/fd"):
        try:
            found.add(os.path.basename(os.readlink(f"/proc/self/fd/{fd}")))
        except OSError:
            pass
    return {name for name in found if name.startswith("events.db")}

for number in range(9): log(number)
parents = open_files()
read, write = os.pipe()
child = os.fork()
if child == 0:
    inherited = open_files()
    for number in range(9, 20): log(number)
    told = {"inherited": sorted(inherited), "settled": handler.flush(20)}
    told["delivered"] = handler.stats().delivered
    os.write(write, json.dumps(told).encode())
    os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(child, 0)
told = json.loads(os.read(read, 10_000))
told["pending"] = handler.stats().pending
told["kept"] = len(parents)
print(json.dumps(told))
handler.flush(20)
"""


@forks
@sees_open_files
def test_a_fork_leaves_the_parents_events_and_files_to_it(sandbox, run_python, path):
    """What is pending at a fork goes once, by the parent; the child's go once, and no file is open in both."""
    done = run_python(program(FORK, spool=path, flush_interval_seconds=3600), sandbox.url)

    told = json.loads(done.stdout)
    assert told["kept"] >= 2  # a lock and a journal
    assert told["inherited"] == []
    assert (told["settled"], told["delivered"], told["pending"]) == (True, 11, 9)
    assert numbers(sandbox) == list(range(20))


IN_FLIGHT = """
import os, time, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # a fork with threads, from Python 3.12 on
for number in range(9): log(number)
handler.flush(0)
deadline = time.monotonic() + 20
while not handler.stats().in_flight:
    assert time.monotonic() < deadline
    handler.flush(0.01)
child = os.fork()
for number in range(100, 150) if child else range(50, 100): log(number)
print(handler.flush(20), handler.stats().delivered, flush=True)
if child:
    os.waitpid(child, 0)
else:
    os._exit(0)
"""


@forks
def test_a_fork_while_a_batch_is_under_way(sandbox, run_python, path):
    """Its request, its connection and its row in the spool are the parent's alone: both go on, nothing doubles."""
    sandbox.faults([{"delay": 1.0, "times": 1}])

    done = run_python(program(IN_FLIGHT, spool=path), sandbox.url)

    assert sorted(done.stdout.split("\n")) == ["", "True 50", "True 59"]
    assert numbers(sandbox) == [*range(9), *range(50, 150)]
    assert len({request["idempotency_key"] for request in sandbox.requests()}) == len(sandbox.requests())


ORPHAN = """
import os, signal, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # a fork with threads, from Python 3.12 on
for number in range(9): log(number)
child = os.fork()
if child:
    os.kill(os.getpid(), signal.SIGKILL)
log(9)
while handler.stats().delivered < 10:
    handler.flush(0.1)
print(handler.stats().recovered, flush=True)
os._exit(0)
"""


@forks
def test_a_child_outlives_its_parent(sandbox, run_python, path):
    """The parent's claim ends with the parent, not with the children that it has left: they take its events over."""
    done = run_python(program(ORPHAN, spool=path, flush_interval_seconds=3600), sandbox.url, check=False)

    assert done.returncode == -signal.SIGKILL
    assert sandbox.wait_for(10, 20)
    assert done.stdout == "9\n"
    assert numbers(sandbox) == list(range(10))


IMPORTS = """
import os, threading
from spotzee_logging import late

def watch(event, arguments):
    is_guarded = threading.get_ident() in late._importing.values()
    if event == "import" and threading.current_thread() is not threading.main_thread() and not is_guarded:
        print(arguments[0], flush=True)

sys.addaudithook(watch)
for number in range(300): log(number)
print(handler.flush(20))
"""


def test_nothing_is_imported_by_the_way_in_another_thread(sandbox, run_python, path):
    """A fork in the midst of an import would leave the child a lock for ever: a spool brings none after its making."""
    sandbox.faults([{"status": 422, "times": 1}])

    done = run_python(program(IMPORTS, spool=path), sandbox.url)

    assert done.stdout == "True\n"


CHILDREN = """
import logging, multiprocessing, sys, warnings
from spotzee_logging import SpotzeeHandler

def set_up(url, spool):
    logger = logging.getLogger("shop")
    logger.setLevel(logging.INFO)
    logger.addHandler(SpotzeeHandler("sk_test", base_url=url, spool=spool, flush_interval_seconds=3600))
    return logger

def log(logger, numbers):
    for number in numbers:
        tag = {"name": "n", "external_id": "c", "data": {"number": number}}
        logger.info("x", extra={"spotzee_event": tag})

def work(start, url, spool):
    logger = logging.getLogger("shop")
    log(logger if logger.handlers else set_up(url, spool), range(start, start + 100))

if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)  # a fork with threads, from Python 3.12 on
    _, method, url, spool = sys.argv
    log(set_up(url, spool), range(100))
    context = multiprocessing.get_context(method)
    children = [context.Process(target=work, args=(start, url, spool)) for start in (100, 200, 300)]
    for child in children: child.start()
    for child in children: child.join(60)
    print(*(child.exitcode for child in children))
"""


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_children_of_multiprocessing_share_a_spool(sandbox, run_python, path, method):
    """However they start, parent and children deliver their own events, once each, and leave no file behind."""
    done = run_python(CHILDREN, method, sandbox.url, path)

    assert (done.stdout, done.stderr) == ("0 0 0\n", "")
    assert numbers(sandbox) == list(range(400))
    assert os.listdir(os.path.dirname(path)) == ["events.db"]


TOGETHER = """
import os
first = int(sys.argv[2])
os.write(1, b"ready\\n")
sys.stdin.readline()
for number in range(first, first + 1_000):
    log(number)
    if number % 50 == 0:
        handler.flush(0.01)
print(handler.flush(30), handler.stats().recovered)
"""


def test_two_that_live_log_of_one_contact(sandbox, tmp_path, path):
    """Each event arrives once, each process's in the order of its calls; between the two there is no order."""
    source = tmp_path / "program.py"
    source.write_text(program(TOGETHER, spool=path))
    both = [
        subprocess.Popen(
            [sys.executable, str(source), sandbox.url, first],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for first in ("0", "10000")
    ]
    assert [each.stdout.readline() for each in both] == ["ready\n"] * 2
    for each in both:
        print("go", file=each.stdin, flush=True)

    assert [each.communicate(timeout=60)[0] for each in both] == ["True 0\n"] * 2

    order = collections.defaultdict(list)
    for event in sandbox.events():
        number = event["data"]["number"]
        order[number // 10_000].append(number)
    assert order == {0: list(range(1_000)), 1: list(range(10_000, 11_000))}
