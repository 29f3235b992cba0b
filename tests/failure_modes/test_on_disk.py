"""Failure modes 29 to 31: what a spool keeps when its program is killed, and when its disk is in trouble."""

import collections
import json
import os
import pathlib
import random
import select
import signal
import struct
import subprocess
import sys
import threading
import time

import pytest

from spotzee_logging import SpotzeeHandler
from spotzee_logging.sandbox import Sandbox

PROGRAM = pathlib.Path(__file__).parent / "spool_program.py"
ROUNDS = int(os.environ.get("SPOOL_ROUNDS", "40"))
"""Kills of test 29; tox's environments `spool` and `spool-long` say 200 and 1,000."""

SECONDS = float(os.environ.get("SPOOL_SECONDS", "4"))
"""How long the processes of test 31 are killed and started again; 15 and 60 in tox's environments."""

STAGES = [
    "before insert",
    "after insert",
    "before sealing",
    "within a change",
    "after sealing",
    "before request",
    "after answer",
    "before acknowledgement",
    "after acknowledgement",
    "after split",
]
AT_ANY_MOMENT = "at any moment"
AFTER_THE_COMMIT = "after the commit"
LIFE_SECONDS = 3.0
RECEIPT = struct.Struct("=II")  # the program's

FAULTS = [
    {"status": 503},
    {"status": 500},
    {"reset": "before"},
    {"reset": "after"},
    {"delay": 0.02},
    {"status": 503, "commit": False},
    {"status": 204, "delay": 0.01},
]


class Program:
    """The program, of which one life runs at a time."""

    def __init__(self, url, spool, receipts):
        self.pid = None
        self.process = subprocess.Popen(
            [sys.executable, str(PROGRAM), url, str(spool), str(receipts)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, **life):
        print(json.dumps(life), file=self.process.stdin, flush=True)
        self.pid = int(self.process.stdout.readline())

    def is_gone_within(self, seconds):
        return bool(select.select([self.process.stdout], [], [], seconds)[0])

    def kill(self):
        """SIGKILL the life, if it has not done so itself, and wait for its end."""
        if not self.is_gone_within(0):
            os.kill(self.pid, signal.SIGKILL)
        assert self.process.stdout.readline() == "gone\n"

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


@pytest.fixture
def server():
    """A sandbox that remembers all that these tests send, and for which a full batch is too large.

    It says so of the same body each time. A scripted 413 would not: a server that keeps the contract gives the
    second request with a key the answer of the first.
    """
    with Sandbox(max_kept=2_000_000, max_kept_bytes=2**31, max_body_bytes=8_000) as running:
        yield running


def faults(chance, count=200):
    """A script of so many answers, most of them normal."""
    return [chance.choice(FAULTS) if chance.random() < 0.3 else {} for _ in range(count)]


def drain(url, spool):
    """Run the program a last time, until nothing is left; its account."""
    handler = SpotzeeHandler("sk_test", base_url=url, spool=spool, requests_per_second=None)
    deadline = time.monotonic() + 60
    done = threading.Event()
    while any(path.suffix in {".lock", ".journal"} for path in spool.parent.iterdir()):
        assert time.monotonic() < deadline, handler.stats()
        handler.flush(1)
        done.wait(0.05)
    handler.close()
    return handler.stats()


def assert_once(server, receipts, rounds, expect_order=True):
    """Every event whose call had returned was committed exactly once, and each contact's in order."""
    data = receipts.read_bytes()
    returned = set(RECEIPT.iter_unpack(data))
    events = server.events()
    arrived = collections.Counter(tuple(event["data"]["at"]) for event in events)
    lost = [at for at in returned if not arrived[at]]
    doubled = [at for at, count in arrived.items() if count > 1]
    print(f"{rounds} rounds, {len(returned)} events, {len(lost)} lost, {len(doubled)} doubled")

    assert (lost[:10], doubled[:10]) == ([], [])
    assert server.forgotten() == {"events": 0, "requests": 0}
    assert "idempotency_key_mismatch" not in {request["code"] for request in server.requests()}
    if expect_order:
        of_contact = collections.defaultdict(list)
        for event in events:
            of_contact[event["external_id"]].append(event["data"]["at"])
        assert all(each == sorted(each) for each in of_contact.values())


def one_life(program, server, chance, life):
    """Start the program and have it end at some stage."""
    stage = chance.choice([*STAGES, AFTER_THE_COMMIT, *[AT_ANY_MOMENT] * 6])
    passes = chance.randint(1, 300 if "insert" in stage else 4)
    server.faults([{"delay": 0.3}] if stage == AFTER_THE_COMMIT else faults(chance))
    committed = len(server.events()) if stage == AFTER_THE_COMMIT else 0
    program.start(life=life, events=chance.randint(1, 400), stage=stage, passes=passes)
    if stage == AT_ANY_MOMENT:
        program.is_gone_within(chance.uniform(0, 0.08))
    elif stage == AFTER_THE_COMMIT:
        server.wait_for(committed + 1, LIFE_SECONDS)
    else:
        program.is_gone_within(0.5)
    program.kill()


@pytest.mark.timeout(60 + ROUNDS)
def test_29_a_program_that_is_killed_at_any_moment_loses_and_doubles_nothing(server, tmp_path, capsys):
    """kill -9 wherever it is, with a server in trouble: each event whose call had returned arrives exactly once."""
    spool, receipts = tmp_path / "spool" / "events.db", tmp_path / "receipts"
    chance = random.Random(29)
    program = Program(server.url, spool, receipts)
    for life in range(ROUNDS):
        one_life(program, server, chance, life)
    program.close()
    server.faults([])

    stats = drain(server.url, spool)

    with capsys.disabled():
        assert_once(server, receipts, ROUNDS)
    assert stats.pending == 0
    assert stats.accepted == stats.delivered


def keep_restarting(programs, chance, seconds):
    """Kill each at random moments and start it again, until the time is over; how many lives that were."""
    lives, begun = 0, time.monotonic()
    due = dict.fromkeys(programs, begun)
    while (now := time.monotonic()) < begun + seconds:
        program = min(due, key=due.get)
        program.is_gone_within(max(0.0, due[program] - now))
        if program.pid is not None:
            program.kill()
        program.start(life=lives, events=chance.randint(1, 400), stage="", passes=0)
        lives += 1
        due[program] = time.monotonic() + chance.uniform(0.02, 0.5)
    for program in programs:
        program.kill()
        program.close()
    return lives


@pytest.mark.timeout(120 + SECONDS)
def test_31_four_processes_on_one_spool_that_are_killed_lose_and_double_nothing(server, tmp_path, capsys):
    """A process's claim dies with it, and whoever is there takes its batches over: same key, same body."""
    spool, receipts = tmp_path / "spool" / "events.db", tmp_path / "receipts"
    chance = random.Random(31)
    server.faults(faults(chance, 10_000))
    programs = [Program(server.url, spool, receipts) for _ in range(4)]

    lives = keep_restarting(programs, chance, SECONDS)
    server.faults([])
    stats = drain(server.url, spool)

    with capsys.disabled():
        assert_once(server, receipts, lives, expect_order=False)
    assert (stats.pending, stats.accepted) == (0, stats.delivered)
