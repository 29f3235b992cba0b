"""A program that logs at full speed into a spool, until it is killed: by its test, or by itself at a named stage.

    python spool_program.py URL SPOOL RECEIPTS

Each line of its standard input is a life of it: a JSON object with `life` (a number), `events` (how many it logs),
`stage` and `passes` (it kills itself where it comes to that stage so many times). A life is a fork of a process that
has imported all it needs, and has no thread and no handler: a start costs milliseconds, so that a test may
kill hundreds. The number of each event is written to RECEIPTS when its call has returned.
"""

import json
import logging
import os
import signal
import struct
import sys

import requests  # noqa: F401  what the first delivery would import

from spotzee_logging import SpotzeeHandler
from spotzee_logging.buffers import spool_store
from spotzee_logging.buffers.sqlite import SqliteBuffer
from spotzee_logging.client import ApiClient

CONTACTS = 5
RECEIPT = struct.Struct("=II")


class Stages:
    """Kills the process at one stage, when it has been passed so many times."""

    def __init__(self, stage, passes):
        self.stage = stage
        self.left = passes

    def __call__(self, stage):
        if stage == self.stage:
            self.left -= 1
            if self.left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)


def around(kind, name, reached, before, after):
    """Have a method of a real class say when it begins and ends."""
    method = getattr(kind, name)

    def told(*arguments, **options):
        reached(before)
        result = method(*arguments, **options)
        if result is not None:
            reached(after)
        return result

    setattr(kind, name, told)


def live(url, spool, receipts, life, events, stage, passes):
    reached = Stages(stage, passes)
    around(SqliteBuffer, "put", reached, "before insert", "after insert")
    around(SqliteBuffer, "take", reached, "before sealing", "after sealing")
    around(spool_store.Change, "save", reached, "within a change", "")
    around(ApiClient, "send", reached, "before request", "after answer")
    around(SqliteBuffer, "ack", reached, "before acknowledgement", "after acknowledgement")
    around(SqliteBuffer, "split", reached, "before split", "after split")
    handler = SpotzeeHandler(
        "sk_test", base_url=url, spool=spool, requests_per_second=None, flush_interval_seconds=0.02
    )
    logger = logging.getLogger("shop")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    logging.getLogger("spotzee_logging").addHandler(logging.NullHandler())
    logging.getLogger("spotzee_logging").propagate = False
    for number in range(events):
        tag = {"name": "logged", "external_id": f"cust_{number % CONTACTS}", "data": {"at": [life, number]}}
        logger.info("logged", extra={"spotzee_event": tag})
        os.write(receipts, RECEIPT.pack(life, number))
    while True:
        handler.flush(0.05)
        signal.sigtimedwait([], 0.01)


def main(url, spool, receipts):
    receipts = os.open(receipts, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            live(url, spool, receipts, **json.loads(line))
        print(child, flush=True)
        os.waitpid(child, 0)
        print("gone", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
