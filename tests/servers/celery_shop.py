"""The program of `jobs`, with tasks whose events are about whoever acted where they were sent."""

from jobs import DONE, app, logger

from spotzee_logging.contrib.celery import carry_contacts

carry_contacts()


@app.task
def paid(number):
    logger.info("x", extra={"spotzee_event": "paid", "number": number})
    (DONE / f"paid{number}").touch()


@app.task
def order(number):
    logger.info("x", extra={"spotzee_event": "ordered", "number": number})
    paid.delay(number)
    (DONE / f"ordered{number}").touch()


@app.task
def stranger(number):
    extra = {"spotzee_event": "browsed", "anonymous_id": f"anon_{number}", "number": number}
    logger.info("x", extra=extra)
    (DONE / f"browsed{number}").touch()


@app.task(bind=True, max_retries=1)
def retried(task, number):
    logger.info("x", extra={"spotzee_event": f"try_{task.request.retries}", "number": number})
    (DONE / f"try_{task.request.retries}{number}").touch()
    if not task.request.retries:
        raise task.retry(countdown=0)
