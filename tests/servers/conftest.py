"""Real servers, each a process of its own on a free port, with the sandbox as the API.

The folder is collected where `WITH_TESTS_OF` says so, as tox's environment `servers` does: there, a server
that is not installed is a failure.
"""

import collections
import contextlib
import os
import pathlib
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request

import pytest

HERE = pathlib.Path(__file__).parent
BIN = pathlib.Path(sys.executable).parent
DEADLINE_SECONDS = 20
_tick = threading.Event()  # never set: between two looks at a condition


class Server:
    """A running program: what it writes, what it answers, and its end."""

    def __init__(self, command, process, log, port):
        self.command = command
        self._process = process
        self._log = log
        self.port = port

    @property
    def output(self):
        return self._log.read_text(errors="replace")

    def wait_until(self, condition, what):
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"no {what} in {DEADLINE_SECONDS} s; it wrote:\n{self.output}"
            assert self._process.poll() is None, f"it ended with {self._process.returncode}:\n{self.output}"
            _tick.wait(0.02)

    def get(self, path, **headers):
        """What the server answers to a request; the connection is closed."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/{path}", headers=headers)
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.read().decode()

    def answers(self):
        with contextlib.suppress(OSError):
            return bool(self.get("ready"))
        return False

    def ask_for(self, numbers):
        """Have each number logged by a request of its own; the pids of the processes that answered."""
        return {int(self.get(number)) for number in numbers}

    def stop(self, number=signal.SIGTERM):
        """Stop it by its usual signal; its exit status."""
        self._process.send_signal(number)
        return self.ended()

    def ended(self):
        """Wait for its end; its exit status."""
        try:
            return self._process.wait(DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            pytest.fail(f"it did not end within {DEADLINE_SECONDS} s; it wrote:\n{self.output}")

    def kill(self):
        # It leads a session of its own: whatever a failed test leaves of it goes.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(DEADLINE_SECONDS)


@pytest.fixture
def start(sandbox, tmp_path):
    """Starts a server: a command, in which {port} stands for a free one, and its environment."""
    started = []

    def run(*command, **environment):
        port = free_port()
        log = tmp_path / "server.log"
        tool, *arguments = [str(part).format(port=port, tmp=tmp_path) for part in command]
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [str(BIN / tool), *arguments],
                stdout=stream,
                stderr=subprocess.STDOUT,
                cwd=tmp_path,
                start_new_session=True,
                env={
                    **os.environ,
                    "HOME": str(tmp_path),  # gunicorn puts a socket there
                    "PYTHONPATH": str(HERE),
                    "PYTHONUNBUFFERED": "1",
                    "SPOTZEE_API_KEY": "sk_test",
                    "SPOTZEE_BASE_URL": sandbox.url,
                    **environment,
                },
            )
        started.append(Server(command, process, log, port))
        return started[-1]

    yield run
    for server in started:
        server.kill()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def arrived(sandbox):
    """Says how often each number arrived."""
    return lambda: collections.Counter(event["data"]["number"] for event in sandbox.events())


class Celery:
    """A program's worker, and the program that sends it tasks; they meet in a folder."""

    def __init__(self, start, folder):
        self._start = start
        self._folder = folder
        self.done = folder / "done"

    def worker(self, app, pool, *options, **environment):
        return self._start(
            *("celery", "-A", app, "worker", "--pool", pool, "--concurrency", "2", "--loglevel", "INFO"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
            *options,
            JOBS_FOLDER=str(self._folder),
            **environment,
        )

    def send(self, source, **environment):
        environment |= {
            "PYTHONPATH": str(HERE),
            "JOBS_FOLDER": str(self._folder),
            "SPOTZEE_API_KEY": "sk_test",
        }
        subprocess.run(
            [sys.executable, "-c", source], check=True, timeout=60, env={**os.environ, **environment}
        )

    def has_queue(self):
        """Whether the worker has made the queue that it takes its tasks from."""
        with (
            contextlib.suppress(sqlite3.Error),
            contextlib.closing(
                sqlite3.connect(f"file:{self._folder}/queue.db?mode=ro", uri=True)
            ) as connection,
        ):
            return bool(
                connection.execute("SELECT count(*) FROM kombu_queue WHERE name = 'celery'").fetchone()[0]
            )
        return False

    def has_done(self, count):
        return len(list(self.done.iterdir())) == count


@pytest.fixture
def celery(start, tmp_path):
    return Celery(start, tmp_path)
