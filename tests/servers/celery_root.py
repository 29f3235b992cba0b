"""The program of `jobs` with the handler where most configurations have it: on the root logger, and on Celery's own."""

import logging

from celery.utils.log import get_task_logger
from jobs import DONE, HANDLER, app

from spotzee_logging.contrib.celery import carry_contacts

logging.getLogger("shop").removeHandler(HANDLER)
logging.root.addHandler(HANDLER)
logging.getLogger("celery.task").addHandler(HANDLER)
app.conf.worker_hijack_root_logger = True
carry_contacts()


@app.task
def order(number):
    extra = {"spotzee_event": "asked", "external_id": "cust_001"}
    logging.getLogger("orders").info("in the root logger", extra={**extra, "number": number})
    get_task_logger("orders").info("in a task's logger", extra={**extra, "number": number + 100})
    (DONE / str(number)).touch()
