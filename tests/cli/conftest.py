"""The command line as a user runs it: a process of its own, with an environment and a standard input."""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
MODULE = (sys.executable, "-W", "error", "-m", "spotzee_logging")


def environment(**variables):
    """The tests' environment, with the package on the path."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "COLUMNS": "80", "PYTHONIOENCODING": "utf-8", **variables}


@pytest.fixture
def package_path():
    """What PYTHONPATH needs for the package to be found."""
    return environment()["PYTHONPATH"]


@pytest.fixture
def command():
    """Runs `spotzee-logging ARGUMENTS`; gives its CompletedProcess, stdout and stderr as text."""

    def run(*arguments, stdin="", timeout=60, **variables):
        return subprocess.run(
            [*MODULE, *map(str, arguments)],
            input=stdin if isinstance(stdin, bytes) else stdin.encode(),
            capture_output=True,
            timeout=timeout,
            check=False,
            env=environment(**variables),
        )

    def decoded(*arguments, **options):
        done = run(*arguments, **options)
        done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
        return done

    return decoded


@pytest.fixture
def start():
    """Starts `spotzee-logging ARGUMENTS` and gives its Popen, with pipes of text; ends it after the test."""
    started = []

    def run(*arguments, **variables):
        process = subprocess.Popen(
            [*MODULE, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(**variables),
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def without_modules(run_python):
    """Runs the command line in a Python where the named modules are not installed."""

    def run(modules, *arguments):
        source = (
            "import sys\n"
            f"sys.modules.update(dict.fromkeys({list(modules)!r}))\n"
            "from spotzee_logging.cli import main\n"
            "main()\n"
        )
        return run_python(source, *arguments, check=False, **environment())

    return run
