"""The program of the soak: threads and two forked children that log numbered events until their time is over.

    python shop.py URL SECONDS FOLDER

Every process writes FOLDER/NAME.json, how many events each of its threads logged and its `Stats`, and, as it
happens, FOLDER/NAME.lost, a line with number and reason for each event that `on_error` told of.
"""

import dataclasses
import json
import logging
import os
import pathlib
import sys
import threading
import time
import warnings

from spotzee_logging import SpotzeeHandler
from spotzee_logging.errors import DeliveryPaused

THREADS = 8
CHILDREN = 2
PAUSE_SECONDS = 0.01  # between two events of a thread: 800 events a second in all
READ_TIMEOUT_SECONDS = 1.0
FLUSH_SECONDS = 60.0


class Process:
    """One process: its name, its handler's losses, its threads."""

    def __init__(self, name, folder, ends_at):
        self.name = name
        self.folder = folder
        self.ends_at = ends_at
        self.lost = os.open(folder / f"{name}.lost", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.logged = {}

    def told(self, event, error):
        if isinstance(error, DeliveryPaused):
            handler.api_key = "sk_renewed"
            return
        number = "invalid" if event is None else event.data["number"]
        os.write(self.lost, f"{number} {error.reason}\n".encode())

    def log(self, thread):
        waiting, count = threading.Event(), 0
        while time.monotonic() < self.ends_at:
            number = f"{self.name}-{thread}-{count}"
            # A contact of its own for each ten events of a thread, and one that all threads share.
            contact = f"{self.name}-{thread}-{count // 10}" if count % 20 else "everybody"
            fields = {"name": "order_placed", "external_id": contact, "data": {"number": number}}
            logger.info("placed", extra={"spotzee_event": fields})
            if count % 50 == 0:
                logger.info("bad", extra={"spotzee_event": {"name": "nobody's"}})
            if count % 200 == 0:
                handler.flush(0.01)
            count += 1
            waiting.wait(PAUSE_SECONDS)
        self.logged[thread] = count

    def run(self, threads):
        working = [threading.Thread(target=self.log, args=(number,)) for number in range(threads)]
        for thread in working:
            thread.start()
        return working

    def end(self):
        deadline = time.monotonic() + FLUSH_SECONDS
        # A flush returns at once while delivery is paused, until `told` has set another key.
        while not (is_flushed := handler.flush(1)) and time.monotonic() < deadline:
            threading.Event().wait(PAUSE_SECONDS)
        stats = {
            key: value
            for key, value in dataclasses.asdict(handler.stats()).items()
            if isinstance(value, (int, dict))
        }
        account = {"logged": self.logged, "is_flushed": is_flushed, "stats": stats}
        (self.folder / f"{self.name}.json").write_text(json.dumps(account))


def resident_bytes():
    """What the process takes in memory; 0 where the system does not tell."""
    try:
        pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def fork(name, folder, ends_at):
    global process
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        process = Process(name, folder, ends_at)
        for thread in process.run(THREADS // 4):
            thread.join()
        process.end()
        code = 0
    finally:
        os._exit(code)


url, seconds, folder = sys.argv[1], float(sys.argv[2]), pathlib.Path(sys.argv[3])
begun_at = time.monotonic()
process = Process("parent", folder, begun_at + seconds)
handler = SpotzeeHandler(
    "sk_first",
    base_url=url,
    flush_interval_seconds=0.2,
    read_timeout_seconds=READ_TIMEOUT_SECONDS,
    on_error=lambda event, error: process.told(event, error),
)
logging.getLogger("spotzee_logging").addHandler(logging.NullHandler())
logging.getLogger("spotzee_logging").propagate = False
logger = logging.getLogger("shop")
logger.setLevel(logging.INFO)
logger.addHandler(handler)

if __name__ == "__main__":
    working = process.run(THREADS)
    waiting = threading.Event()
    waiting.wait(seconds / 10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork with threads, from Python 3.12 on
        children = [fork(f"child{number}", folder, begun_at + seconds) for number in range(CHILDREN)]
    waiting.wait(begun_at + seconds * 0.3 - time.monotonic())
    resident_before = resident_bytes()
    waiting.wait(begun_at + seconds * 0.95 - time.monotonic())
    resident_after = resident_bytes()
    for thread in working:
        thread.join()
    process.end()
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    print(json.dumps({"codes": codes, "resident_bytes": [resident_before, resident_after]}))
