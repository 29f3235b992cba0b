"""A Celery program: task `order` logs the event of its number. Its broker is a database in a folder.

Not Celery's broker of plain files: a worker may take such a file before it is written, and ends.
"""

import logging
import os
import pathlib

from celery import Celery
from kombu.transport.sqlalchemy import Transport

from spotzee_logging import SpotzeeHandler

FOLDER = pathlib.Path(os.environ["JOBS_FOLDER"])
DONE = FOLDER / "done"
DONE.mkdir(exist_ok=True)

Transport.polling_interval = 0.05
app = Celery("jobs", broker=f"sqla+sqlite:///{FOLDER / 'queue.db'}")
app.conf.update(
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
)

HANDLER = SpotzeeHandler()
logger = logging.getLogger("shop")
logger.setLevel(logging.INFO)
logger.addHandler(HANDLER)


def log(number):
    logger.info("x", extra={"spotzee_event": "asked", "external_id": "cust_001", "number": number})


@app.task
def order(number):
    log(number)
    (DONE / str(number)).touch()


if "LOG_AT_IMPORT" in os.environ:
    log(int(os.environ["LOG_AT_IMPORT"]))
