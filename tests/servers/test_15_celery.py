"""Celery's prefork pool: its children end by os._exit, after some tasks or when the worker is stopped."""

import pytest

SEND = "import jobs\nfor number in range(10): jobs.order.delay(number)"


@pytest.mark.parametrize("tasks_per_child", [3, 1000], ids=["children are replaced", "children stay"])
def test_15_celery(celery, sandbox, arrived, tasks_per_child):
    """What tasks log arrives once, and so does what the worker has pending when its children are forked."""
    worker = celery.worker(
        "jobs",
        "prefork",
        *("--max-tasks-per-child", tasks_per_child),
        LOG_AT_IMPORT="1000",
        SPOTZEE_FLUSH_INTERVAL_SECONDS="3600",
    )
    worker.wait_until(lambda: "ready." in worker.output, "worker that is ready")

    celery.send(SEND, SPOTZEE_BASE_URL=sandbox.url)

    worker.wait_until(lambda: celery.has_done(10), "end of all tasks")

    assert worker.stop() == 0, worker.output
    assert arrived() == dict.fromkeys([*range(10), 1000], 1), worker.output
    assert "Traceback" not in worker.output
