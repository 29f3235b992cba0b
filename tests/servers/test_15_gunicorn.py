"""gunicorn: its workers, with and without --preload; what was logged arrives once, whichever way a worker ends."""

import itertools

import pytest

WORKERS = ["sync", "gthread", "gevent"]


@pytest.mark.parametrize("preload", [[], ["--preload"]], ids=["no preload", "preload"])
@pytest.mark.parametrize("worker", WORKERS)
def test_15_gunicorn(start, sandbox, arrived, worker, preload):
    """Events arrive while it serves, and those that are pending when it is stopped; the master's too."""
    at_import = {"LOG_AT_IMPORT": "1000"} if preload else {}
    server = start(
        "gunicorn",
        "shop:application",
        "-k",
        worker,
        "-w",
        "2",
        "-b",
        "127.0.0.1:{port}",
        "--threads",
        "2",
        *preload,
        **at_import,
    )
    server.wait_until(server.answers, "answer")
    master = [1000] if preload else []

    server.ask_for(range(10))

    assert sandbox.wait_for(10 + len(master), 10), server.output
    server.ask_for(range(10, 20))
    assert server.stop() == 0, server.output
    assert arrived() == dict.fromkeys([*range(20), *master], 1), server.output
    assert "Traceback" not in server.output
    assert "undelivered" not in server.output


@pytest.mark.parametrize("worker", WORKERS)
def test_15_gunicorn_max_requests(start, sandbox, arrived, worker):
    """A worker that gunicorn replaces after some requests delivers before it goes."""
    server = start(
        "gunicorn",
        "shop:application",
        "-k",
        worker,
        "-w",
        "2",
        "-b",
        "127.0.0.1:{port}",
        "--max-requests",
        "5",
        SPOTZEE_FLUSH_INTERVAL_SECONDS="3600",
    )
    server.wait_until(server.answers, "answer")

    asked, pids = itertools.count(), set()

    def has_replaced():
        pids.update(server.ask_for([next(asked)]))
        return len(pids) > 3

    server.wait_until(has_replaced, "worker in place of another")

    assert server.stop() == 0, server.output
    assert arrived() == dict.fromkeys(range(next(asked)), 1), server.output
    assert "Traceback" not in server.output
