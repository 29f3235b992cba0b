"""Celery's workers: who acted where a task was sent acts in it, in what it sends and in its retry, and nobody else."""

import pytest

NUMBERS = range(8)
SEND = """
import celery_shop
from spotzee_logging import contact

for number in range(8):
    with contact(external_id=f"cust_{number}", user={"data": {"plan": "pro"}}):
        celery_shop.order.delay(number)
        celery_shop.retried.delay(number)
    celery_shop.stranger.delay(number)
"""


@pytest.mark.parametrize(
    ("pool", "variant"),
    [
        ("prefork", {}),
        ("threads", {}),
        ("prefork", {"ON_CELERYS_LOGGER": "yes"}),
        ("threads", {"HIJACK": "no"}),
    ],
    ids=["prefork", "threads", "on celery.task too", "not taken off"],
)
def test_a_handler_on_the_root_logger_gets_all_events(celery, arrived, pool, variant):
    """A worker takes all handlers off the root logger, and cuts tasks' loggers off it: each event arrives, once.

    The handler is put back beside Celery's own. A logger of `get_task_logger` hands on to `celery.task` alone, and
    what is tracked in its module goes its way.
    """
    worker = celery.worker("celery_root", pool, **variant)
    # Both would make the queue at a time, of which the broker lets one fail.
    worker.wait_until(celery.has_queue, "queue")

    celery.send("import celery_root\nfor number in range(8): celery_root.order.delay(number)")

    worker.wait_until(lambda: celery.has_done(8), "end of all tasks")
    assert worker.stop() == 0, worker.output
    sent = [number + kind for number in NUMBERS for kind in (0, 100, 200)]
    assert arrived() == dict.fromkeys(sent, 1), worker.output
    if "HIJACK" not in variant:
        written = [worker.output.count(text) for text in ("in the root logger", "in a task's logger")]
        assert written == [len(NUMBERS)] * 2


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_tasks_have_the_contact_that_sent_them(celery, sandbox, pool):
    """Each task's events are about the contact that it was sent for; what is pending arrives when it is stopped."""
    worker = celery.worker("celery_shop", pool, SPOTZEE_FLUSH_INTERVAL_SECONDS="3600")
    worker.wait_until(lambda: "ready." in worker.output, "worker that is ready")

    celery.send(SEND)

    names = ["ordered", "paid", "try_0", "try_1", "browsed"]
    worker.wait_until(lambda: celery.has_done(len(names) * len(NUMBERS)), "end of all tasks")
    assert worker.stop() == 0, worker.output
    arrived = {(event["name"], event["data"]["number"]): event for event in sandbox.events()}
    assert set(arrived) == {(name, number) for name in names for number in NUMBERS}, worker.output
    for (name, number), event in arrived.items():
        if name == "browsed":
            assert "external_id" not in event
            assert "user" not in event
        else:
            assert event["external_id"] == f"cust_{number}"
            assert event["user"] == {"data": {"plan": "pro"}}
    assert "Traceback" not in worker.output
