"""Celery's workers: who acted where a task was sent acts in it, in what it sends and in its retry, and nobody else."""

import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent
NUMBERS = range(8)
QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat")
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
def test_a_handler_on_the_root_logger_gets_all_events(start, arrived, tmp_path, pool, variant):
    """A worker takes all handlers off the root logger, and cuts tasks' loggers off it: each event arrives, once.

    The handler is put back beside Celery's own. A logger of `get_task_logger` hands on to `celery.task` alone, and
    what is tracked in its module goes its way.
    """
    worker = start(
        *(
            "celery",
            "-A",
            "celery_root",
            "worker",
            "--pool",
            pool,
            "--concurrency",
            "2",
            "--loglevel",
            "INFO",
        ),
        *QUIET,
        JOBS_FOLDER=str(tmp_path),
        **variant,
    )
    environment = {"PYTHONPATH": str(HERE), "JOBS_FOLDER": str(tmp_path), "SPOTZEE_API_KEY": "sk_test"}
    send = "import celery_root\nfor number in range(8): celery_root.order.delay(number)"

    subprocess.run([sys.executable, "-c", send], check=True, timeout=60, env={**os.environ, **environment})

    worker.wait_until(lambda: len(list((tmp_path / "done").iterdir())) == 8, "end of all tasks")
    assert worker.stop() == 0, worker.output
    sent = [number + kind for number in NUMBERS for kind in (0, 100, 200)]
    assert arrived() == dict.fromkeys(sent, 1), worker.output
    if "HIJACK" not in variant:
        written = [worker.output.count(text) for text in ("in the root logger", "in a task's logger")]
        assert written == [len(NUMBERS)] * 2


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_tasks_have_the_contact_that_sent_them(start, sandbox, tmp_path, pool):
    """Each task's events are about the contact that it was sent for; what is pending arrives when it is stopped."""
    worker = start(
        *(
            "celery",
            "-A",
            "celery_shop",
            "worker",
            "--pool",
            pool,
            "--concurrency",
            "2",
            "--loglevel",
            "INFO",
        ),
        *QUIET,
        SPOTZEE_FLUSH_INTERVAL_SECONDS="3600",
        JOBS_FOLDER=str(tmp_path),
    )
    worker.wait_until(lambda: "ready." in worker.output, "worker that is ready")
    environment = {"PYTHONPATH": str(HERE), "JOBS_FOLDER": str(tmp_path), "SPOTZEE_API_KEY": "sk_test"}

    subprocess.run([sys.executable, "-c", SEND], check=True, timeout=60, env={**os.environ, **environment})

    done = tmp_path / "done"
    names = ["ordered", "paid", "try_0", "try_1", "browsed"]
    worker.wait_until(lambda: len(list(done.iterdir())) == len(names) * len(NUMBERS), "end of all tasks")
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
