"""The pages of the documentation as their blocks of code, and how each kind of block is run.

The first word of a fence is its language, the second what it is:

    ```python            the page's program: all such blocks, one after the other, in one process
    ```python shop.py    a file of that name, beside the program and the commands
    ```python test       a module of tests, which pytest runs (`python conftest`: their conftest)
    ```console           commands after `$ `, and what they print
    ```text              lines that the program, or a command, prints; `…` stands for anything
    ```json              events, as they arrive
"""

import fnmatch
import functools
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
from typing import NamedTuple

from markdown_it import MarkdownIt

ROOT = pathlib.Path(__file__).parent.parent
PAGES = ["README.md", *sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/**/*.md"))]

RUN = ("python", "python test", "python conftest", "console", "text", "text failure", "json")
NOT_RUN = {
    "console live": "asks the API itself, under the reader's key, or for files of the reader's",
    "python signature": "how a name is imported and called, made from the code",
    "python sketch": "a part of a docstring, in which `...` stands for what is the reader's",
    "pycon": "an example of a docstring, which tests/test_public_names.py runs",
    "ini systemd": "a part of a unit: systemd starts services of the whole machine",
    "ini uwsgi": "held to what tests/servers starts uWSGI with, where that is installed",
    "yaml": "a part of a Kubernetes manifest, which needs a cluster",
    "sh": "lines for a shell's start-up file; the variable's name is held to the command's",
    "{toctree}": "the site's table of contents, which its build holds to the pages",
}
"""The kinds of blocks that no test runs, and why."""

NOT_RUN_COMMANDS = {
    r"python -m (pip|venv) ": "fetches from an index, or makes an environment",
    r"\. ": "is for an interactive shell",
    r"spotzee-logging (sandbox|demo --keep)": "serves until Ctrl-C",
    r"(gunicorn|uvicorn|uwsgi) (?!--check-config)": "serves until it is stopped; tests/servers runs it",
    r"celery .*\bworker\b": "works until it is stopped; tests/servers runs it",
    r"curl ": "asks a server that the page has the reader start",
    r"(python -m )?(tox|benchmarks)\b": "takes minutes",
}
"""How commands begin that no test runs, and why. The options of ours are held to the command line all the same."""


class Block(NamedTuple):
    """A fenced block: `kind` is its info string, `name` the file that it is, or nothing."""

    kind: str
    text: str

    @property
    def name(self):
        word = self.kind.partition(" ")[2]
        return word if "." in word else ""


class Command(NamedTuple):
    """A line of a console, and the lines that are shown under it."""

    line: str
    output: list

    @property
    def is_run(self):
        return not any(re.match(start, self.line) for start in NOT_RUN_COMMANDS)


@functools.cache
def tokens(page):
    """What Markdown makes of a page."""
    return MarkdownIt().enable("table").parse((ROOT / page).read_text())


def blocks(page, kind=None):
    found = [Block(token.info.strip(), token.content) for token in tokens(page) if token.type == "fence"]
    return found if kind is None else [block.text for block in found if block.kind == kind]


def inline_code(page):
    """What stands in single backticks."""
    for token in tokens(page):
        for child in token.children or ():
            if child.type == "code_inline":
                yield child.content


def commands(text):
    """The commands of a block of the kind `console`."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            found.append(Command(line[2:], []))
        else:
            found[-1].output.append(line)
    return found


def is_shown(line, printed):
    """Whether a line of a page, in which `…` stands for anything, is among those that were printed."""
    pattern = re.sub(r"([\[*?])", r"[\1]", line.rstrip()).replace("…", "*")
    return any(fnmatch.fnmatchcase(each.rstrip(), pattern) for each in printed)


class Shell:
    """Runs a page's files, program and commands in one folder, against one sandbox."""

    def __init__(self, folder, sandbox):
        self.folder = folder
        self.printed = []
        self._address = sandbox.root_url.removeprefix("http://")
        self._environment = {
            **os.environ,
            "SPOTZEE_API_KEY": "sk_docs",
            "SPOTZEE_BASE_URL": sandbox.url,
            "PATH": os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")]),
            "NO_COLOR": "1",
            "PYTHONWARNINGS": "error",
        }

    def write(self, block):
        path = self.folder / block.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text)

    def has(self, program):
        return shutil.which(program, path=self._environment["PATH"]) is not None

    def run_program(self, source):
        """Run the page's program, without a traceback of anybody's."""
        (self.folder / "program.py").write_text(source)
        done = self._run([sys.executable, "program.py"])
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr, done.stderr

    def run_command(self, command):
        """Run a line of a console; what is shown under it is printed."""
        if command.line.startswith("export "):
            self._environment |= dict(
                pair.split("=", 1) for pair in shlex.split(self._here(command.line))[1:]
            )
            return
        done = self._run(self._here(command.line), shell=True)
        said = [*done.stdout.splitlines(), *done.stderr.splitlines()]
        assert done.returncode == 0, f"$ {command.line}\n{done.stdout}{done.stderr}"
        for line in command.output:
            assert is_shown(self._here(line), said), f"$ {command.line}\n{line!r} is not in\n" + "\n".join(
                said
            )

    def _here(self, line):
        return line.replace("127.0.0.1:8025", self._address)

    def _run(self, command, **options):
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
            **options,
        )
        self.printed += [*done.stdout.splitlines(), *done.stderr.splitlines()]
        return done
