"""Threads, forked children and a server that answers at random with every row of the table, for a long time.

`SOAK_SECONDS` says how long; see tox.ini.
"""

import collections
import json
import os
import pathlib
import random
import subprocess
import sys
import threading

from spotzee_logging.sandbox import Sandbox

SECONDS = float(os.environ.get("SOAK_SECONDS", "60"))
SCRIPT_SECONDS = 0.5
SCRIPT_LENGTH = 200
TROUBLED = 0.25
"""The part of the answers that are trouble."""

MIB = 1024 * 1024
SHOP = pathlib.Path(__file__).parent / "shop.py"


def naming(status, index):
    errors = [{"param": f"{index}.external_id", "code": "parameter_invalid_format", "message": "bad"}]
    return {"status": status, "body": {"code": "validation_failed", "message": "no", "errors": errors}}


def refusals(draw):
    """Answers that end, divide or pause a batch: a server that keeps the contract gives none to a committed one."""
    yield from ({"status": status} for status in (400, 401, 402, 403, 404, 405, 410, 413, 418, 422))
    yield from (naming(status, draw.randrange(100)) for status in (400, 422))
    yield {"status": 302, "headers": {"Location": "/elsewhere"}}
    yield {"status": 400, "code": "version_unsupported"}
    yield {"status": 409, "code": "idempotency_key_mismatch"}


def troubles(draw):
    """Answers after which the same request is made again, and successes that are none, or hard to read."""
    yield from ({"status": status} for status in (408, 425, 500, 502, 503, 504))
    yield {"status": 429, "headers": {"Retry-After": "0"}}
    yield {"status": 429, "headers": {"Retry-After": "1"}}
    yield {"status": 409, "code": "idempotency_in_progress", "headers": {"Retry-After": "1"}}
    yield {"status": 502, "body": "<html>Bad Gateway</html>" * 10_000}
    yield {"reset": "before"}
    yield {"reset": "after"}
    yield {"hang": True}
    yield {"delay": 1.5}  # committed, and answered after the client has gone
    yield {"delay": 0.1}
    yield naming(200, draw.randrange(100))


def script(draw):
    rows = [{**row, "fresh": True} for row in refusals(draw)] + list(troubles(draw))
    return [draw.choice(rows) if draw.random() < TROUBLED else {} for _ in range(SCRIPT_LENGTH)]


def trouble(sandbox, is_over, draw):
    while not is_over.wait(SCRIPT_SECONDS):
        sandbox.faults(script(draw))
    sandbox.faults([])


def accounts(folder):
    """Of each process: its name, its account, and the lines of what was lost."""
    for path in sorted(folder.glob("*.json")):
        yield path.stem, json.loads(path.read_text()), path.with_suffix(".lost").read_text().splitlines()


def test_every_event_of_the_soak_ends_in_one_place(tmp_path):
    """Each event is delivered exactly once or told of with its reason, none both, none neither; memory is flat."""
    seed = random.randrange(2**32)
    with Sandbox(max_kept=10_000_000, max_kept_bytes=8 * 1024 * MIB) as sandbox:
        over = threading.Event()
        troubling = threading.Thread(target=trouble, args=(sandbox, over, random.Random(seed)))
        troubling.start()
        # The last part without trouble, so that what waits has its chance: the flush is a minute at most.
        ending = threading.Timer(SECONDS, over.set)
        ending.start()
        command = [sys.executable, str(SHOP), sandbox.url, str(SECONDS), str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS + 200)
        over.set()
        troubling.join()
        ending.cancel()
        committed = collections.Counter(event["data"]["number"] for event in sandbox.events())
        requests = sandbox.requests()

    assert done.returncode == 0, f"seed {seed}: {done.stderr}"
    outcome = json.loads(done.stdout)
    assert outcome["codes"] == [0, 0], f"seed {seed}: {done.stderr}"
    logged, told = set(), collections.Counter()
    for name, account, lines in accounts(tmp_path):
        stats = account["stats"]
        lost = [line.split() for line in lines]
        told.update(number for number, _ in lost if number != "invalid")
        its = {f"{name}-{thread}-{n}" for thread, count in account["logged"].items() for n in range(count)}
        logged |= its
        reasons = collections.Counter(reason for _, reason in lost)
        assert account["is_flushed"], f"seed {seed}: {name}"
        assert reasons == stats["rejected"] | stats["dropped"], f"seed {seed}: {name}"
        assert stats["accepted"] == len(its) + reasons["invalid_event"], f"seed {seed}: {name}"
        assert stats["delivered"] == len(its & committed.keys()), f"seed {seed}: {name}"
    statuses = collections.Counter(request["status"] for request in requests)
    print(
        f"seed {seed}: {len(logged)} events, {len(committed)} delivered, {len(told)} told of, "
        f"{len(requests)} requests {dict(statuses)}, memory {outcome['resident_bytes']}"
    )
    assert [number for number, count in committed.items() if count > 1] == [], f"seed {seed}: doubled"
    assert [number for number, count in told.items() if count > 1] == [], f"seed {seed}: told twice"
    assert logged - committed.keys() - told.keys() == set(), f"seed {seed}: lost"
    assert committed.keys() & told.keys() == set(), f"seed {seed}: delivered, and told of"
    assert committed.keys() | told.keys() == logged, f"seed {seed}: from nowhere"
    before, after = outcome["resident_bytes"]
    assert after - before < 32 * MIB, f"seed {seed}: memory grew"
