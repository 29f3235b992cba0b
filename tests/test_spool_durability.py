"""`durability="power"`: the disk has an event when its call returns, as the system's calls show."""

import itertools
import re
import shutil
import subprocess
import sys

import pytest

from conftest import program
from spotzee_logging.buffers.sqlite import SqliteBuffer

CALLS = """
import os
os.write(1, b"begin")
for number in range(5):
    log(number)
    os.write(1, b"returned")
os._exit(0)
"""
"""The marks are written to standard output, so that they stand among the program's other calls of the system."""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "spool" / "events.db"


@pytest.fixture
def traced(tmp_path):
    """Runs a program under strace; what it wrote and synced: (call, file, text)."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace, which shows what a program asks of the system, is not installed")

    def run(source):
        (tmp_path / "program.py").write_text(source)
        seen = tmp_path / "calls"
        command = [strace, "-f", "-y", "-s", "400", "-e", "trace=write,fsync,fdatasync", "-o", seen]
        done = subprocess.run(
            [*command, sys.executable, tmp_path / "program.py", "http://127.0.0.1:9"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if "ptrace" in done.stderr:
            pytest.skip(f"this system lets nobody trace a program: {done.stderr.strip()}")
        assert (done.returncode, done.stderr) == (0, "")
        found = re.findall(r"(write|fsync|fdatasync)\((\d+)<([^>]*)>(.*)", seen.read_text())
        return [(call, "stdout" if fd == "1" else name, text) for call, fd, name, text in found]

    return run


def calls_of_each_event(calls):
    """What was done to the journal in the course of each log call: (call, file, text)."""
    marks = [index for index, (_, name, _) in enumerate(calls) if name == "stdout"]
    for start, end in itertools.pairwise(marks):
        yield [each for each in calls[start:end] if each[1].endswith(".journal")]


def test_each_call_waits_for_the_disk(traced, path):
    """Power: between the write of an event and the return of its call its file is synced; its folders were before."""
    calls = traced(program(CALLS, spool=str(path), durability="power", flush_interval_seconds=3600))

    events = list(calls_of_each_event(calls))
    assert [[call for call, _, _ in each] for each in events] == [["write", "fdatasync"]] * 5
    for number, ((_, written, text), (_, synced, _)) in enumerate(events):
        assert f'\\"number\\":{number}}}' in text
        assert written == synced
    folders = {name for call, name, _ in calls if call == "fsync"}
    assert folders >= {str(path.parent), str(path.parent.parent)}


def test_by_default_no_call_waits_for_the_disk(traced, path):
    """Process: an event is written, in one piece, and that is all."""
    calls = traced(program(CALLS, spool=str(path), flush_interval_seconds=3600))

    assert [[call for call, _, _ in each] for each in calls_of_each_event(calls)] == [["write"]] * 5


@pytest.mark.parametrize(("is_power_safe", "synchronous"), [(True, 2), (False, 1)], ids=["power", "process"])
def test_what_sqlite_is_told(path, is_power_safe, synchronous):
    """Power: each transaction waits for the disk (FULL). Process: none does, and none can damage the file (NORMAL)."""
    buffer = SqliteBuffer(str(path), 10**9, is_power_safe=is_power_safe)
    connection = buffer._store.open()

    assert connection.execute("PRAGMA synchronous").fetchone() == (synchronous,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    buffer.close()


def test_a_power_safe_spool_keeps_its_events_for_the_next(path):
    """It is taken over like any other, also by a process that is not power-safe."""
    dead = SqliteBuffer(str(path), 10**9, is_power_safe=True)
    for number in range(20):
        dead.put(b'{"n":%d}' % number, "ada")
    dead.take(10, 10**6)
    dead.begin_anew()
    heir = SqliteBuffer(str(path), 10**9)

    assert heir.tend().recovered == 20

    heir.abandon()
    heir.close()
