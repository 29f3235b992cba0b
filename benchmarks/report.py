"""A run's results: `benchmarks.json`, `tables.md`, a chart a group, and a page whose tables are the run's."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

from benchmarks import charts
from benchmarks.charts import Bar, Line
from benchmarks.peers import PEERS
from benchmarks.samples import Samples
from benchmarks.tables import AT_ONCE, CPU, RATE, SENDERS, WAYS, table, tables

DISTRIBUTIONS = (
    "spotzee-logging", "orjson", "python-json-logger", "requests", "wrapt", "posthog",
    "segment-analytics-python", "snowplow-tracker", "sentry-sdk", "opentelemetry-sdk",
)  # fmt: skip


class Report(NamedTuple):
    """A run's samples and what they are shown as, by name."""

    about: dict[str, str]
    samples: Samples
    tables: dict[str, str]
    charts: dict[str, str]


def of(samples: Samples, about: dict[str, str] | None = None) -> Report:
    about = about or machine()
    made = {"about": table(("this run", ""), [[*each] for each in about.items()]), **tables(samples)}
    drawn = {
        name: draw(samples) for name, (group, draw) in CHARTS.items() if samples.names(*group.split("/"))
    }
    return Report(about, samples, made, drawn)


def machine() -> dict[str, str]:
    versions = [f"{name} {version}" for name in DISTRIBUTIONS if (version := _version(name))]
    return {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "machine": f"{platform.system()}, {platform.machine()}, {os.cpu_count()} CPUs",
        "installed": ", ".join(versions),
    }


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def write(report: Report, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "benchmarks.json").write_text(_as_json(report))
    parts = [f"## {name}\n\n{text}\n" for name, text in report.tables.items()]
    (folder / "tables.md").write_text("\n".join(parts))
    for name, chart in report.charts.items():
        (folder / f"{name}.svg").write_text(chart)


def _as_json(report: Report) -> str:
    """A line for each name, so that two runs can be compared line by line."""
    rounded = {
        name: [float(f"{value:.5g}") for value in each] for name, each in report.samples.values.items()
    }
    lines = [f"{json.dumps(name)}: {json.dumps(values)}" for name, values in rounded.items()]
    about = json.dumps(report.about, ensure_ascii=False)
    return f'{{"about": {about},\n"samples": {{\n' + ",\n".join(lines) + "\n}}\n"


def read(folder: Path) -> Report:
    content = json.loads((folder / "benchmarks.json").read_text())
    return of(Samples(content["samples"]), content["about"])


def fill_in(report: Report, page: Path) -> None:
    """Put the run's tables between the page's marks, `<!-- table: NAME -->` and `<!-- end -->`."""
    page.write_text(filled_in(report, page.read_text()))


def filled_in(report: Report, text: str) -> str:
    def replaced(found: re.Match[str]) -> str:
        made = report.tables.get(found["name"])
        return found[0] if made is None else f"<!-- table: {found['name']} -->\n\n{made}\n\n<!-- end -->"

    return re.sub(r"<!-- table: (?P<name>\w+) -->.*?<!-- end -->", replaced, text, flags=re.DOTALL)


def _caller(samples: Samples) -> str:
    base = "caller/memory/MemoryHandler/median"
    baselines = (
        "NullHandler",
        "MemoryHandler",
        "QueueHandler",
        "JSON to a file",
        "prototype: JSON to a deque",
    )
    rows = [Bar(name, samples.ratio(f"caller/memory/{name}/median", base), "base") for name in baselines]
    rows += [Bar(way, samples.ratio(f"caller/memory/{way}/hung/median", base), "ours") for way in WAYS]
    for peer in samples.names("peers"):
        against = f"peers/{peer}/MemoryHandler/median"
        rows.append(Bar(peer, samples.ratio(f"peers/{peer}/call/median", against), "peer"))
    return charts.bars(
        "What a call costs", "× logging's MemoryHandler in the same process; the server hangs", rows
    )


def _tails(samples: Samples) -> str:
    rows = [
        Bar(f"{way}, {server}", samples.median(path), "ours" if server == "hung" else "base")
        for way in WAYS[1:]
        for server in ("healthy", "slow", "hung")
        if (path := f"caller/memory/{way}/{server}/p99.9") in samples
    ]
    return charts.bars("The slowest call of a thousand", "p99.9, µs, by what the server does", rows)


def _kind(name: str) -> str:
    return "peer" if name in PEERS else "ours" if name.startswith(("ours", "spotzee_logging")) else "base"


def _deliver(samples: Samples) -> str:
    senders = ("limit", "ours", *PEERS)
    rows = [
        Bar(SENDERS.get(sender, sender).replace("*", ""), samples.median(path), _kind(sender))
        for sender in senders
        if (path := f"{AT_ONCE}/{sender}/{RATE}") in samples
    ]
    budget = 0.65 * samples.median(f"{AT_ONCE}/limit/{RATE}")
    return charts.bars(
        "Events a second, to a server that answers at once", "dashed: the budget", rows, budget=budget
    )


def _late(samples: Samples) -> str:
    rows = []
    for setting in samples.names("deliver"):
        if f"deliver/{setting}/limit/{RATE}" in samples:
            share = samples.ratio(f"deliver/{setting}/ours/{RATE}", f"deliver/{setting}/limit/{RATE}")
            rows.append(Bar(setting, share, "ours"))
    return charts.bars(
        "Events a second where a request takes its time", "as a part of the limit of each", rows
    )


def _cpu(samples: Samples) -> str:
    senders = ("logging alone", "ours", *PEERS)
    rows = [
        Bar(SENDERS.get(sender, sender).replace("*", ""), samples.median(path), _kind(sender))
        for sender in senders
        if (path := f"{AT_ONCE}/{sender}/{CPU}") in samples
    ]
    return charts.bars("CPU seconds for a million events", "logged and delivered", rows)


def _memory(samples: Samples) -> str:
    names = sorted(samples.names("memory"), key=lambda name: samples.median(f"memory/{name}"))
    labels = {"JSON": "its JSON", "ours": "SpotzeeHandler"}
    rows = [Bar(labels.get(name, name), samples.median(f"memory/{name}"), _kind(name)) for name in names]
    budget = 1.25 * samples.median("memory/JSON")
    return charts.bars("Bytes of a pending event", "dashed: the budget", rows, budget=budget)


def _import(samples: Samples) -> str:
    names = sorted(samples.names("import"), key=lambda name: samples.median(f"import/{name}/ms"))
    rows = [Bar(name, samples.median(f"import/{name}/ms"), _kind(name)) for name in names]
    budget = 1.3 * samples.median("import/pythonjsonlogger.json/ms")
    return charts.bars("Import, ms beyond a bare Python", "dashed: the budget", rows, budget=budget)


GROWTHS = {
    "bytes": "How a call grows with its event: µs by bytes of JSON",
    "pending": "How a call grows with what is pending: µs by events",
    "handlers": "How a call grows with the handlers on its logger: µs",
    "threads": "How a call grows with the threads that log: µs",
}


def _lines(samples: Samples, by: str) -> str:
    statistic = "mean" if by == "threads" else "median"
    rows = []
    for name in samples.names("growth", by):
        path = f"growth/{by}/{name}"
        points = [
            (float(x), samples.median(f"{path}/{x}/{statistic}")) for x in samples.names(*path.split("/"))
        ]
        rows.append(Line(name, points, "ours" if name == "SpotzeeHandler" else "base"))
    return charts.lines(GROWTHS[by], "both scales are logarithmic; the server hangs", rows)


CHARTS = {
    "caller": ("caller", _caller),
    "tails": ("caller", _tails),
    "deliver": ("deliver", _deliver),
    "late": ("deliver", _late),
    "cpu": ("deliver", _cpu),
    "memory": ("memory", _memory),
    "import": ("import", _import),
    **{f"growth-{by}": (f"growth/{by}", lambda samples, by=by: _lines(samples, by)) for by in GROWTHS},
}
"""Each chart's name, the path that must have been measured for it, and its maker."""
