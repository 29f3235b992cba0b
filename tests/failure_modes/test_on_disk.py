"""Failure modes 29 to 31: what a spool keeps when its program is killed, and when its disk is in trouble."""

import collections
import json
import os
import pathlib
import random
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc

import pytest
from loopback import Judge

from spotzee_logging import SpotzeeHandler
from spotzee_logging.buffers.sqlite import SqliteBuffer
from spotzee_logging.client import ApiClient
from spotzee_logging.delivery import Delivery
from spotzee_logging.diagnostics import Diagnostics
from spotzee_logging.reporting import Reporter
from spotzee_logging.sandbox import Sandbox
from spotzee_logging.settings import Settings
from spotzee_logging.stats import Ledger

PROGRAM = pathlib.Path(__file__).parent / "spool_program.py"
ROUNDS = int(os.environ.get("SPOOL_ROUNDS", "40"))
"""Kills of test 29; tox's environments `spool` and `spool-long` say 200 and 1,000."""

SECONDS = float(os.environ.get("SPOOL_SECONDS", "4"))
"""How long the processes of test 31 are killed and started again; 15 and 60 in tox's environments."""

SEED = int(os.environ.get("SPOOL_SEED", "29"))
"""Which moments, stages and faults of the server they meet."""

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
    delivered, deadline = 0, time.monotonic() + 60
    done = threading.Event()
    while any(path.suffix in {".lock", ".journal"} for path in spool.parent.iterdir()):
        handler.flush(1)
        done.wait(0.05)
        if handler.stats().delivered > delivered:  # however much is left, as long as it gets less
            delivered, deadline = handler.stats().delivered, time.monotonic() + 60
        assert time.monotonic() < deadline, handler.stats()
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
    chance = random.Random(SEED)
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
    chance = random.Random(SEED)
    server.faults(faults(chance, 10_000))
    programs = [Program(server.url, spool, receipts) for _ in range(4)]

    lives = keep_restarting(programs, chance, SECONDS)
    server.faults([])
    stats = drain(server.url, spool)

    with capsys.disabled():
        assert_once(server, receipts, lives, expect_order=False)
    assert (stats.pending, stats.accepted) == (0, stats.delivered)


TROUBLE = """
import logging, os, resource, signal, sqlite3, shutil, sys, time, threading, urllib.request
from spotzee_logging import SpotzeeHandler

url, spool = sys.argv[1:]
said = []


class Said(logging.Handler):
    def emit(self, record):
        said.append(record.getMessage())


logging.getLogger("spotzee_logging").addHandler(Said())
handler = SpotzeeHandler(
    "sk_test", base_url=url, spool=spool, requests_per_second=None, shutdown_timeout_seconds=20
)
logger = logging.getLogger("shop")
logger.setLevel(logging.INFO)
logger.addHandler(handler)


def log(start, count):
    for number in range(start, start + count):
        tag = {"name": "x", "external_id": f"c{number % 9}", "data": {"at": number}}
        logger.info("x", extra={"spotzee_event": tag})


def wait_for(true, seconds=30):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, handler.stats()
        threading.Event().wait(0.02)


def spool_said():
    return [line for line in said if line.startswith("the spool")]


def resident_pages():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1])


def heal():
    faults = url.replace("/api/client", "/sandbox/faults")
    request = urllib.request.Request(faults, b"[]", {"Content-Type": "application/json"}, method="PUT")
    urllib.request.urlopen(request).close()

"""


def arrived(server):
    return sorted(event["data"]["at"] for event in server.events())


unprivileged = pytest.mark.skipif(
    not hasattr(os, "setuid"), reason="permissions are another matter on this system"
)


@pytest.fixture
def in_trouble(server, tmp_path, run_python):
    """Runs a program whose spool gets into trouble; it prints what the test compares."""

    def run(source):
        spool = tmp_path / "spool" / "events.db"
        done = run_python(TROUBLE + source, server.url, spool, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.split()

    return run


def test_30_a_full_disk_costs_no_event(server, in_trouble):
    """What the disk does not take waits in memory, counted, with one line; with room again it is written."""
    server.faults([{"status": 503, "times": 100}])
    printed = in_trouble(
        "hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]\n"
        "log(0, 100)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, hard))\n"
        "log(100, 1900)\n"
        "wait_for(lambda: handler.stats().unspooled > 1000)\n"
        "assert handler.stats().pending == 2000\n"
        "in_memory = handler._buffer._parts.own.backlog.in_memory\n"
        "assert in_memory > 0\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))\n"
        "wait_for(lambda: handler._buffer._parts.own.backlog.in_memory == 0)\n"
        "print(len(spool_said()), handler.stats().dropped)\n"
        "heal()\n"
        "print(handler.flush(20))\n"
    )

    assert printed == ["1", "{}", "True"]
    assert arrived(server) == list(range(2000))


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="asks Linux how much memory is taken")
def test_30_what_a_full_disk_leaves_in_memory_takes_what_it_says(server, in_trouble):
    """`pending_bytes` is what such events cost, and not the KiB that an encoder's bytes hold on to for each."""
    server.faults([{"status": 503, "times": 100}])
    (grown,) = in_trouble(
        "hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]\n"
        "log(0, 100)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, hard))\n"
        "log(100, 900)\n"
        "before = resident_pages()\n"
        "log(1000, 5000)\n"
        "grown = resident_pages() - before\n"
        "assert handler._buffer._parts.own.backlog.in_memory > 4000\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))\n"
        "heal()\n"
        "assert handler.flush(20)\n"
        "print(grown * resource.getpagesize() // 5000)\n"
    )

    assert int(grown) < 2000  # bytes an event; with the encoder's own they were more than 4,000


def test_30_a_spool_that_another_program_holds_locked(server, in_trouble):
    """The calls go on, events are delivered from the journal, one line is said; the file catches up later."""
    printed = in_trouble(
        "other = sqlite3.connect(spool, isolation_level=None)\n"
        "other.execute('BEGIN IMMEDIATE')\n"
        "begun = time.monotonic()\n"
        "log(0, 500)\n"
        "print(time.monotonic() - begun < 1)\n"
        "print(handler.flush(20))\n"
        "other.execute('ROLLBACK')\n"
        "other.close()\n"
        "wait_for(lambda: not handler._buffer._behind._removed and not handler._buffer._behind._added)\n"
        "log(500, 100)\n"
        "print(handler.flush(20), len(spool_said()), 'locked' in spool_said()[0])\n"
    )

    assert printed == ["True", "True", "True", "1", "True"]
    assert arrived(server) == list(range(600))


@pytest.mark.parametrize(
    "harm",
    [
        "shutil.rmtree(os.path.dirname(spool))",
        "[os.unlink(f'{os.path.dirname(spool)}/{name}') for name in os.listdir(os.path.dirname(spool))]",
        "os.unlink(spool)",
    ],
    ids=["folder", "files", "database"],
)
def test_30_a_spool_that_vanishes_while_it_is_open(server, in_trouble, harm):
    """Somebody deletes it: nothing is raised, what the process holds is delivered, and a new one is made."""
    server.faults([{"status": 503, "times": 3}])
    printed = in_trouble(
        "log(0, 300)\n"
        "wait_for(lambda: handler.stats().requests)\n"
        f"{harm}\n"
        "log(300, 300)\n"
        "wait_for(spool_said)\n"
        "log(600, 300)\n"
        "print(handler.flush(20), os.path.exists(spool), handler.stats().pending)\n"
    )

    assert printed == ["True", "True", "0"]
    assert arrived(server) == list(range(900))


NOBODY = 65534
AS_NOBODY = (
    # What comes late, and nobody may not read any more.
    "import encodings.idna, requests, spotzee_logging.answer_heads, spotzee_logging.buffers.sqlite\n"
    "import spotzee_logging.silence\n"
    "SpotzeeHandler('sk_test', base_url='http://127.0.0.1:9').close()\n"
    "if os.getuid() == 0:\n"
    "    os.setgroups([])\n"
    f"    os.setgid({NOBODY})\n"
    f"    os.setuid({NOBODY})\n"
)


@pytest.fixture
def nobodys_folder():
    """A folder of the user that these programs run as: to root, nothing is read-only."""
    folder = pathlib.Path(tempfile.mkdtemp())
    if os.getuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    yield folder
    folder.chmod(0o700)
    shutil.rmtree(folder)


REFUSED = (
    "import json, logging, os, sys\n"
    "from spotzee_logging import SpotzeeHandler, errors\n" + AS_NOBODY + "folder, is_file = sys.argv[1:]\n"
    "spool = folder + '/events.db'\n"
    "if is_file == 'True':\n"
    "    SpotzeeHandler('sk_test', spool=spool).close()\n"
    "    os.chmod(spool, 0o400)\n"
    "else:\n"
    "    os.chmod(folder, 0o500)\n"
    "before = os.listdir(folder)\n"
    "try:\n"
    "    SpotzeeHandler('sk_test', spool=spool)\n"
    "except errors.SpoolError as error:\n"
    "    print(error)\n"
    "print(os.listdir(folder) == before)\n"
)


@unprivileged
@pytest.mark.parametrize("is_file", [True, False], ids=["file", "folder"])
def test_30_a_place_that_is_read_only(run_python, nobodys_folder, is_file):
    """Where the handler is made it says so, with the path, and makes and changes nothing."""
    done = run_python(REFUSED, nobodys_folder, is_file)

    said, is_as_before = done.stdout.splitlines()
    assert said.startswith(f"the spool {nobodys_folder}/events.db")
    assert "ermission" in said
    assert is_as_before == "True"


@unprivileged
def test_30_a_spool_that_becomes_read_only_while_it_is_open(server, run_python, nobodys_folder):
    """Events go on to be delivered, one line is said, and with the right to write again the file catches up."""
    folder = nobodys_folder / "spool"
    done = run_python(
        TROUBLE.replace("url, spool = sys.argv[1:]", AS_NOBODY + "url, spool = sys.argv[1:]")
        + "folder = os.path.dirname(spool)\n"
        "log(0, 100)\n"
        "print(handler.flush(20))\n"
        "wait_for(lambda: not handler._buffer._store._connection)\n"  # idle: it is to be opened again
        "for name in os.listdir(folder): os.chmod(f'{folder}/{name}', 0o400)\n"
        "os.chmod(folder, 0o500)\n"
        "log(100, 300)\n"
        "print(handler.flush(20))\n"
        "wait_for(spool_said)\n"
        "os.chmod(folder, 0o700)\n"
        "for name in os.listdir(folder): os.chmod(f'{folder}/{name}', 0o600)\n"
        "log(400, 100)\n"
        "print(handler.flush(20))\n"
        "wait_for(lambda: not handler._buffer._behind._removed and not handler._buffer._behind._added)\n"
        "print(len(spool_said()), 'ermission' in spool_said()[0])\n",
        server.url,
        folder / "events.db",
    )

    assert done.stdout.split() == ["True", "True", "True", "1", "True"]
    assert arrived(server) == list(range(500))


def test_30_a_journal_that_is_cut_while_it_is_open(server, in_trouble):
    """What was cut off is counted as dropped, `spool_lost`; the account holds, and all else arrives."""
    server.faults([{"delay": 3, "times": 1}])
    printed = in_trouble(
        "log(0, 5_000)\n"
        "wait_for(lambda: handler.stats().requests)\n"
        "folder = os.path.dirname(spool)\n"
        "(journal,) = [f'{folder}/{name}' for name in os.listdir(folder) if name.endswith('.journal')]\n"
        "os.truncate(journal, 5_000)\n"
        "wait_for(spool_said)\n"
        "log(5_000, 300)\n"
        "wait_for(lambda: handler.flush(1) and handler.stats().pending == 0)\n"
        "stats = handler.stats()\n"
        "print(stats.accepted, stats.delivered + stats.dropped['spool_lost'], sum(stats.dropped.values()))\n"
    )

    assert printed[:2] == ["5300", "5300"]
    assert 0 < int(printed[2]) < 5000
    assert set(range(5000, 5300)) < set(arrived(server))
    assert len(arrived(server)) == 5300 - int(printed[2])


def test_30_a_database_that_is_damaged_while_it_is_open(server, in_trouble):
    """Whatever becomes of its bytes: nothing is raised, it is said, and the events arrive."""
    printed = in_trouble(
        "log(0, 100)\n"
        "print(handler.flush(20))\n"
        "handler._buffer._store.close()\n"
        "with open(spool, 'r+b') as file:\n"
        "    file.write(os.urandom(8192))\n"
        "log(100, 500)\n"
        "print(handler.flush(20))\n"
        "wait_for(lambda: any('is no spool' in line for line in said))\n"
    )

    assert printed == ["True", "True"]
    assert arrived(server) == list(range(600))


OUTAGE_SECONDS = int(os.environ.get("SPOOL_OUTAGE_SECONDS", "120"))
"""How long the server is away, by a clock that runs ahead; an hour in tox's long environment."""

PER_SECOND, CONTACTS, PACE = 1_000, 50, 100.0


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Shop:
    """Logs a thousand events a second, and has all that is due delivered meanwhile, to a server of its own.

    A call's and a request's time is none on its clock, so that only waiting counts.
    """

    def __init__(self, spool):
        self.clock = Clock()
        self.is_away = True
        self.arrived = {contact: contact - CONTACTS for contact in range(CONTACTS)}
        self.begun = []
        self.in_order = True
        self.server = Judge(self.judge)
        # A place of its own: handlers to one base URL share a pace, and thereby a clock.
        settings = Settings(api_key="sk_test", base_url=f"{self.server.url}/outage", requests_per_second=PACE)
        self.buffer = SqliteBuffer(str(spool), 2**33, clock=self.clock)
        self.ledger = Ledger()
        self.delivery = Delivery(
            settings,
            self.buffer,
            ApiClient(settings),
            Reporter(self.ledger, Diagnostics(), None),
            clock=self.clock,
            draw=lambda: 1.0,
        )

    def judge(self, events):
        if self.is_away:
            return 503
        for event in events:
            number = event["data"]["at"]
            contact = number % CONTACTS
            self.in_order &= number == self.arrived[contact] + CONTACTS
            self.arrived[contact] = number
        return None

    def log(self, second):
        for number in range(second * PER_SECOND, (second + 1) * PER_SECOND):
            contact = f"cust_{number % CONTACTS}"
            body = b'{"name":"x","external_id":"%b","data":{"at":%d}}' % (contact.encode(), number)
            assert not self.buffer.put(body, contact)

    def deliver(self):
        """Make every request that is due now; how long until the next is."""
        while (delay := self.delivery.delay_seconds()) == 0:
            request = self.delivery.begin()
            if request is None:
                return delay
            self.begun.append(self.clock.now)
            self.delivery.carry_out(request)
            self.server.requests.clear()  # an hour's would fill the memory
            self.server.events.clear()
        self.delivery.tend()
        return delay

    def stats(self):
        return self.ledger.snapshot(
            held=lambda: self.buffer.position, pending_bytes=self.buffer.bytes, in_flight=0, paused_seconds=0
        )

    def close(self):
        self.delivery.close()
        self.buffer.close()


@pytest.fixture
def shop(tmp_path):
    shop = Shop(tmp_path / "events.db")
    with shop.server:
        yield shop
        shop.close()


@pytest.mark.timeout(120 + OUTAGE_SECONDS)
def test_30_an_outage_at_a_thousand_events_a_second(shop, tmp_path, capsys):
    """Memory stays flat, nothing is lost, and afterwards each contact's events go in order, as fast as paced."""
    for second in range(OUTAGE_SECONDS):
        if second == 10:  # until every part of it is in memory
            tracemalloc.start()
        shop.log(second)
        shop.deliver()
        shop.clock.now += 1.0
    grown_bytes = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    in_vain, accepted = len(shop.begun), OUTAGE_SECONDS * PER_SECOND
    assert (shop.stats().accepted, shop.stats().pending, len(shop.buffer)) == (accepted,) * 3

    shop.is_away, ended_at = False, shop.clock.now
    while (delay := shop.deliver()) is not None:
        shop.clock.now += max(delay, 0.001)
    took_seconds = shop.clock.now - ended_at

    with capsys.disabled():
        print(
            f"{OUTAGE_SECONDS} s of outage, {accepted} events, {in_vain} requests in vain, memory grown by "
            f"{grown_bytes} bytes, then {len(shop.begun) - in_vain} requests in {took_seconds:.0f} s"
        )
    assert (shop.stats().delivered, shop.stats().pending) == (accepted, 0)
    assert shop.in_order
    assert sorted(shop.arrived.values()) == list(range(accepted - CONTACTS, accepted))
    assert grown_bytes < 500_000  # what one search passes over is held: a thousand events
    # What waits for the next try after the outage's end, a minute at most, and then a full batch at each turn.
    assert took_seconds < 60 + accepted / 100 / PACE
    assert max(requests_in_any_span(shop.begun, 10.0)) <= 10 * PACE
    shop.close()
    assert os.listdir(tmp_path) == ["events.db"]


def test_30_a_line_of_a_journal_that_is_damaged_is_counted_and_said_at_once(shop, tmp_path, caplog):
    """The event is gone, and no one waits for it: `spool_lost` says so with the next look, and the logger how many."""
    shop.is_away = False
    shop.deliver()
    shop.log(0)
    (journal,) = tmp_path.glob("*.journal")
    with journal.open("r+b") as file:
        file.seek(journal.read_bytes().index(b'"at":500}'))
        file.write(b"X")
    shop.deliver()
    shop.clock.now += 1.0  # less than a buffer is left to itself

    shop.deliver()
    shop.delivery.tend()

    stats = shop.stats()
    assert (stats.delivered, stats.dropped, stats.pending) == (999, {"spool_lost": 1}, 0)
    (said,) = [line for line in caplog.messages if "spool_lost" in line]
    assert said.startswith(f"1 event is gone that the spool {tmp_path}/events.db held")


def requests_in_any_span(begun, seconds):
    """How many requests began in the span that ends with each."""
    window = collections.deque()
    for at in begun:
        window.append(at)
        while window[0] <= at - seconds:
            window.popleft()
        yield len(window)
