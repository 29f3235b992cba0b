"""A Celery program: task `order` logs the event of its number. Broker and results are files of a folder."""

import logging
import os
import pathlib

from celery import Celery

from spotzee_logging import SpotzeeHandler

FOLDER = pathlib.Path(os.environ["JOBS_FOLDER"])
QUEUE = FOLDER / "queue"
DONE = FOLDER / "done"
for folder in (QUEUE, DONE):
    folder.mkdir(exist_ok=True)

app = Celery("jobs", broker="filesystem://")
app.conf.update(
    broker_transport_options={
        "data_folder_in": str(QUEUE),
        "data_folder_out": str(QUEUE),
        "polling_interval": 0.05,
        "control_folder": str(FOLDER / "control"),
    },
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
)

logger = logging.getLogger("shop")
logger.setLevel(logging.INFO)
logger.addHandler(SpotzeeHandler())


def log(number):
    logger.info("x", extra={"spotzee_event": "asked", "external_id": "cust_001", "number": number})


@app.task
def order(number):
    log(number)
    (DONE / str(number)).touch()


if "LOG_AT_IMPORT" in os.environ:
    log(int(os.environ["LOG_AT_IMPORT"]))
