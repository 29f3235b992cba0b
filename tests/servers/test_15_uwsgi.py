"""uWSGI: it forks in C, with the program loaded before (by default) or after (lazy-apps); its workers end in C too."""

import itertools

import pytest

# Without the hook SIGTERM reloads uWSGI, or with die-on-term ends it in the midst of a request, which skips all
# that Python does at its end.
UWSGI = [
    "uwsgi",
    "--http-socket",
    "127.0.0.1:{port}",
    "--module",
    "shop:application",
    "--need-app",
    "--master",
    "--processes",
    "2",
    "--enable-threads",
    "--hook-master-start",
    "unix_signal:15 gracefully_kill_them_all",
]


@pytest.mark.parametrize("hooks", [[], ["--py-call-osafterfork"]], ids=["no fork hooks", "fork hooks"])
@pytest.mark.parametrize("lazy", [[], ["--lazy-apps"]], ids=["app before the fork", "lazy-apps"])
def test_15_uwsgi(start, sandbox, arrived, lazy, hooks):
    """Events arrive while it serves, and those that are pending when it is stopped; the master's too."""
    master = [] if lazy else [1000]
    at_import = {} if lazy else {"LOG_AT_IMPORT": "1000"}
    server = start(*UWSGI, *lazy, *hooks, **at_import)
    server.wait_until(server.answers, "answer")

    server.ask_for(range(10))

    assert sandbox.wait_for(10 + len(master), 10), server.output
    server.ask_for(range(10, 20))
    assert server.stop() == 0, server.output
    assert arrived() == dict.fromkeys([*range(20), *master], 1), server.output
    assert "Traceback" not in server.output
    assert "undelivered" not in server.output


def test_15_uwsgi_max_requests(start, arrived):
    """A worker that uWSGI replaces after some requests delivers before it goes."""
    server = start(
        *UWSGI, "--max-requests", "5", "--min-worker-lifetime", "0", SPOTZEE_FLUSH_INTERVAL_SECONDS="3600"
    )
    server.wait_until(server.answers, "answer")
    asked, pids = itertools.count(), set()

    def has_replaced():
        pids.update(server.ask_for([next(asked)]))
        return len(pids) > 3

    server.wait_until(has_replaced, "worker in place of another")
    # A second signal for a worker that is at its end just now would cut it short.
    server.wait_until(lambda: server.output.count("Seeya!") == server.output.count("Respawned"), "end of it")

    assert server.stop() == 0, server.output
    assert arrived() == dict.fromkeys(range(next(asked)), 1), server.output


def test_15_uwsgi_without_pythons_exit(start, arrived):
    """Where uWSGI spares itself the end of Python, it delivers all the same."""
    server = start(*UWSGI, "--skip-atexit-teardown", SPOTZEE_FLUSH_INTERVAL_SECONDS="3600")
    server.wait_until(server.answers, "answer")

    server.ask_for(range(10))

    assert server.stop() == 0, server.output
    assert arrived() == dict.fromkeys(range(10), 1), server.output
