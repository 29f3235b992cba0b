"""Each measurement runs in a process of its own: `python -m benchmarks.child MODULE ARGUMENTS`.

What is measured by turns shares a process and its noise; what an import, a patch or a thread of one library
could do to another does not.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from typing import Any

from benchmarks.servers import ROOT

TIMEOUT_SECONDS = 300


class ChildFailed(RuntimeError):
    """A measurement that came to no result; its message ends with what it wrote."""


def run_child(module: str, *, without: tuple[str, ...] = (), **arguments: Any) -> Any:
    """What `benchmarks.MODULE.measure(**arguments)` returns, called in a new process.

    :param without: libraries that cannot be imported there.
    """
    task = json.dumps({"without": without, "arguments": arguments})
    command = [sys.executable, "-m", "benchmarks.child", module, task]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, cwd=ROOT, check=False
    )
    if done.returncode:
        raise ChildFailed(f"{module} {task}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main(module: str, task: str) -> None:
    given = json.loads(task)
    for library in given["without"]:
        sys.modules[library] = None  # type: ignore[assignment]  # an import of it raises ImportError
    result = importlib.import_module(f"benchmarks.{module}").measure(**given["arguments"])
    print(json.dumps(result), flush=True)
    os._exit(0)  # nobody waits for events that go nowhere


if __name__ == "__main__":
    main(*sys.argv[1:])
