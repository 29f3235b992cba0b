"""ty, a third checker, has nothing to say of what is right; of what is wrong it speaks in words of its own."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent
EXAMPLES = sorted(path.name for path in HERE.glob("*_api.py"))


def test_it_accepts_what_the_others_accept(tmp_path: pathlib.Path) -> None:
    """Whoever uses ty gets no false alarm from the package's types."""
    for name in EXAMPLES:
        lines = (HERE / name).read_text().splitlines(keepends=True)
        # A line that breaks a type on purpose says so in the other checkers' way.
        (tmp_path / name).write_text("".join(line for line in lines if "type: ignore" not in line))

    done = _ty(tmp_path)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", EXAMPLES)
def test_it_refuses_what_the_others_refuse(tmp_path: pathlib.Path, name: str) -> None:
    """And it sees the types: a wrong use does not pass."""
    (tmp_path / name).write_text((HERE / name).read_text().replace("# type: ignore", "# wrong"))

    assert _ty(tmp_path).returncode == 1


def _ty(folder: pathlib.Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "ty",
            "check",
            "--python",
            sys.prefix,
            "--output-format",
            "concise",
            str(folder),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
