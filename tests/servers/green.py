# ruff: noqa: E402  when it imports what is what it is about
"""A program of green threads: python green.py gevent|eventlet before|after [exits], by when it patches.

It logs ten events, answers nobody, and lives until it is stopped; line by line it says how far it is.
"""

import sys
import warnings

library, patched = sys.argv[1:3]


def patch():
    if library == "gevent":
        from gevent import monkey

        monkey.patch_all()
    else:
        with warnings.catch_warnings():
            # eventlet says that it is deprecated, which is no news to those who still run it.
            warnings.filterwarnings("ignore", "(?s).*Eventlet is deprecated")
            import eventlet

        eventlet.monkey_patch()


if patched == "before":
    patch()

import logging
import signal
import threading
import time

from spotzee_logging import SpotzeeHandler, flush_on_sigterm

handler = SpotzeeHandler()

if patched == "after":
    patch()

logger = logging.getLogger("shop")
logger.setLevel(logging.INFO)
logger.addHandler(handler)


def log(number):
    logger.info("x", extra={"spotzee_event": "asked", "external_id": "cust_001", "number": number})


def tick():
    """Look how long the others keep a green thread from running."""
    longest = 0.0
    while True:
        before = time.monotonic()
        time.sleep(0.01)
        longest = max(longest, time.monotonic() - before)
        gaps.append(longest)


gaps = []
threading.Thread(target=tick, daemon=True).start()
workers = [threading.Thread(target=log, args=(number,)) for number in range(5)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
print("delivered", handler.flush(10), flush=True)
time.sleep(1)
print("gap", gaps[-1], flush=True)
if len(sys.argv) > 3:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
flush_on_sigterm()
for number in range(5, 10):
    log(number)
print("ready", flush=True)
while True:
    time.sleep(60)
