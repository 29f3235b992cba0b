"""What an import takes, in a Python that has imported nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

PROGRAM = """
import sys, time
before = len(sys.modules)
began = time.process_time()
{statement}
print(time.process_time() - began, len(sys.modules) - before)
"""


def measure(statement: str) -> dict[str, float]:
    """Milliseconds of CPU, so that other programs do not count, and modules, beyond a bare Python's."""
    # Away from the project: what is imported is what is installed. And compiled, as it is wherever it is used.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    program = [sys.executable, "-c", PROGRAM.format(statement=statement)]
    done = subprocess.run(
        program, capture_output=True, text=True, check=True, cwd=tempfile.gettempdir(), env=environment
    )
    seconds, modules = done.stdout.split()
    return {"ms": float(seconds) * 1e3, "modules": float(modules)}
