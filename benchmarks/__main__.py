"""Runs the benchmarks.

    python -m benchmarks [--output FOLDER] [--page PAGE]     everything, in about ten minutes
    python -m benchmarks --short                             what CI runs: fails where a ratio is far off, twice
    python -m benchmarks --only caller deliver               some groups
    python -m benchmarks --from FOLDER [--page PAGE]         the report again, of an earlier run

The page is a Markdown file whose marked parts are replaced by the run's tables.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path

from benchmarks import report
from benchmarks.budgets import far_outside
from benchmarks.plan import FULL, GROUPS, LATENCIES_MS, SHORT, SHORT_GROUPS, Ports, run
from benchmarks.samples import Samples
from benchmarks.servers import sink


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser("benchmarks", description=__doc__)
    parser.add_argument("--short", action="store_true", help="the few budgets that CI watches, in a minute")
    parser.add_argument("--only", nargs="+", choices=GROUPS, help="these groups alone")
    parser.add_argument("--output", type=Path, help="a folder for the JSON, the tables and the charts")
    parser.add_argument("--page", type=Path, help="a page whose tables are replaced")
    parser.add_argument("--from", type=Path, dest="earlier", help="a folder that an earlier run wrote")
    return parser.parse_args()


def main() -> int:
    options = parsed()
    if options.earlier:
        written = report.read(options.earlier)
    else:
        with ExitStack() as stack:
            ports = {late: stack.enter_context(sink(late)) for late in LATENCIES_MS}
            if options.short:
                return check(ports)
            written = report.of(measured(options.only, ports))
    print(written.tables["budgets"])
    folder = options.output or options.earlier
    if folder:
        report.write(written, folder)
        written = report.read(folder)  # rounded as they are kept, so that the page and they agree
    if options.page:
        report.fill_in(written, options.page)
    return 0


def measured(only: list[str] | None, ports: Ports) -> Samples:
    samples = Samples()
    run({name: group for name, group in GROUPS.items() if not only or name in only}, samples, FULL, ports)
    return samples


def check(ports: Ports) -> int:
    """Whether a ratio is far outside its budget twice: then there is something wrong, not just a busy machine."""
    samples = Samples()
    run(SHORT_GROUPS, samples, SHORT, ports)
    print(report.of(samples).tables["budgets"])
    suspects = far_outside(samples)
    if not suspects:
        return 0
    again = Samples()
    groups = {budget.group for budget in suspects}
    run({name: group for name, group in SHORT_GROUPS.items() if name in groups}, again, SHORT, ports)
    confirmed = [budget for budget in far_outside(again) if budget in suspects]
    for budget in confirmed:
        first, second = budget.value(samples), budget.value(again)
        print(f"far outside its budget, twice: {budget.name}: {first:.2f}, then {second:.2f}; {budget}")
    return 1 if confirmed else 0


if __name__ == "__main__":
    sys.exit(main())
