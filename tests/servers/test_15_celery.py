"""Celery's prefork pool: its children end by os._exit, after some tasks or when the worker is stopped."""

import os
import subprocess
import sys

import pytest

SEND = "import jobs, sys\nfor number in range(int(sys.argv[1])): jobs.order.delay(number)"


@pytest.mark.parametrize("tasks_per_child", [3, 1000], ids=["children are replaced", "children stay"])
def test_15_celery(start, sandbox, arrived, tmp_path, tasks_per_child):
    """What tasks log arrives once, and so does what the worker has pending when its children are forked."""
    worker = start(
        "celery",
        "-A",
        "jobs",
        "worker",
        "--pool",
        "prefork",
        "--concurrency",
        "2",
        "--loglevel",
        "INFO",
        "--max-tasks-per-child",
        tasks_per_child,
        "--without-gossip",
        "--without-mingle",
        "--without-heartbeat",
        LOG_AT_IMPORT="1000",
        SPOTZEE_FLUSH_INTERVAL_SECONDS="3600",
        JOBS_FOLDER=str(tmp_path),
    )
    worker.wait_until(lambda: "ready." in worker.output, "worker that is ready")
    done = tmp_path / "done"

    subprocess.run(
        [sys.executable, "-c", SEND, "10"],
        check=True,
        timeout=60,
        env={
            **os.environ,
            "PYTHONPATH": os.path.dirname(__file__),
            "JOBS_FOLDER": str(tmp_path),
            "SPOTZEE_API_KEY": "sk_test",
            "SPOTZEE_BASE_URL": sandbox.url,
        },
    )
    worker.wait_until(lambda: len(list(done.iterdir())) == 10, "end of all tasks")

    assert worker.stop() == 0, worker.output
    assert arrived() == dict.fromkeys([*range(10), 1000], 1), worker.output
    assert "Traceback" not in worker.output
