"""The program of `jobs` with the handler where most configurations have it: on the root logger.

`ON_CELERYS_LOGGER` puts it on Celery's own too, `HIJACK=no` has Celery leave the root logger's handlers alone.
"""

import logging
import os

from celery.utils.log import get_task_logger
from jobs import DONE, HANDLER, app

from spotzee_logging import track
from spotzee_logging.contrib.celery import carry_contacts

logging.getLogger("shop").removeHandler(HANDLER)
logging.root.addHandler(HANDLER)
if "ON_CELERYS_LOGGER" in os.environ:
    logging.getLogger("celery.task").addHandler(HANDLER)
app.conf.worker_hijack_root_logger = os.environ.get("HIJACK") != "no"
carry_contacts()
task_logger = get_task_logger(__name__)


@track("counted", external_id="cust_001", data=lambda call: {"number": call.arguments["number"] + 200})
def count(number):
    """What is tracked in a module whose logger is a task's."""


@app.task
def order(number):
    extra = {"spotzee_event": "asked", "external_id": "cust_001"}
    logging.getLogger("orders").info("in the root logger", extra={**extra, "number": number})
    task_logger.info("in a task's logger", extra={**extra, "number": number + 100})
    count(number)
    (DONE / str(number)).touch()
