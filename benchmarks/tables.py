"""The samples of a run as Markdown tables; each is left out where its group was not run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.budgets import Budget, measured
from benchmarks.charts import number
from benchmarks.plan import LATE, Setting
from benchmarks.samples import Samples

RATE = "events_per_second"
CPU = "cpu_seconds_per_million"
WAYS = (
    "untagged",
    "mapping",
    "short tag in a contact",
    "@track",
    "@track async",
    "@track beside another handler",
)
LOGGING = (
    "NullHandler", "MemoryHandler", "QueueHandler", "JSON to a file", "prototype: JSON to a deque",
    "bare wrapt decorator", "bare wrapt decorator, async",
)  # fmt: skip
AT_ONCE = f"deliver/{Setting(0, 1, 0)}"

Rows = Sequence[Sequence[str]]


def table(head: Sequence[str], rows: Rows) -> str:
    """A Markdown table; its first column is words, the others numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def budgets(samples: Samples) -> str:
    def row(budget: Budget) -> list[str]:
        held = "holds" if budget.is_held(samples) else "**missed**"
        return [budget.name, number(budget.value(samples)), str(budget), held]

    return table(("what, as a ratio", "measured", "budget", ""), [row(each) for each in measured(samples)])


def caller(samples: Samples) -> str:
    names = [(name, f"memory/{name}") for name in LOGGING]
    names += [(f"**{way}**", f"memory/{way}/hung") for way in WAYS]
    names += [(f"**{way}**, without orjson", f"without orjson/{way}/hung") for way in WAYS[1:]]
    head = ("one call, the server hung", "µs", "× NullHandler", "× MemoryHandler", "p99 µs", "p99.9 µs")
    return table(head, [_call_row(samples, label, name) for label, name in names if _has(samples, name)])


def _has(samples: Samples, name: str) -> bool:
    return f"caller/{name}/median" in samples


def _call_row(samples: Samples, label: str, name: str) -> list[str]:
    path, variant = f"caller/{name}", name.split("/", maxsplit=1)[0]
    ratios = [
        number(samples.ratio(f"{path}/median", f"caller/{variant}/{base}/median"))
        for base in ("NullHandler", "MemoryHandler")
    ]
    median, *tail = (number(samples.median(f"{path}/{each}")) for each in ("median", "p99", "p99.9"))
    return [label, median, *ratios, *tail]


def servers(samples: Samples) -> str:
    """The same calls while the server answers at once, late, or never; on one thread and on eight."""
    rows = []
    for variant, words in (("memory", "1 thread"), ("8 threads", "8 threads")):
        for way in WAYS[1:]:
            for server in ("healthy", "slow", "hung"):
                path = f"caller/{variant}/{way}/{server}"
                if f"{path}/mean" in samples:
                    figures = [
                        number(samples.median(f"{path}/{each}"))
                        for each in ("median", "mean", "p99", "p99.9")
                    ]
                    rows.append([f"{way}, {words}, server {server}", *figures])
    return table(("one call", "median µs", "mean µs", "p99 µs", "p99.9 µs"), rows)


def spool(samples: Samples) -> str:
    rows = [
        _call_row(samples, label, f"spool/{name}")
        for label, name in (
            ("mapping, in memory", "mapping in memory/hung"),
            ("mapping, into a spool", "mapping/hung"),
        )
        if _has(samples, f"spool/{name}")
    ]
    return table(("one call", "µs", "× NullHandler", "× MemoryHandler", "p99 µs", "p99.9 µs"), rows)


def peers(samples: Samples) -> str:
    head = ("one call, the server hung", "µs", "× NullHandler", "× MemoryHandler", "p99 µs", "p99.9 µs")
    rows = []
    for peer in samples.names("peers"):
        path = f"peers/{peer}"
        ratios = [
            number(samples.ratio(f"{path}/call/median", f"{path}/{base}/median"))
            for base in ("NullHandler", "MemoryHandler")
        ]
        median, *tail = (number(samples.median(f"{path}/call/{each}")) for each in ("median", "p99", "p99.9"))
        rows.append([peer, median, *ratios, *tail])
    return table(head, rows)


def deliver(samples: Samples) -> str:
    limit = f"{AT_ONCE}/limit/{RATE}"
    rows = []
    for sender in samples.names(*AT_ONCE.split("/")):
        path = f"{AT_ONCE}/{sender}"
        share = number(samples.ratio(f"{path}/{RATE}", limit))
        details = [
            number(samples.median(f"{path}/{what}")) if f"{path}/{what}" in samples else "–"
            for what in (CPU, "requests", "lost")
        ]
        rows.append([SENDERS.get(sender, sender), number(samples.median(f"{path}/{RATE}")), share, *details])
    return table(("", "events/s", "× limit", "CPU s per million", "requests", "lost"), rows)


SENDERS = {
    "ours": "**SpotzeeHandler**",
    "limit": "**the limit**: logging, then requests",
    "logging alone": "logging alone, nothing sent",
    "requests": "requests alone, ready bodies",
    "http.client": "http.client, ready bodies",
}


def late(samples: Samples) -> str:
    rows = []
    for setting in (Setting(0, 1, 0), Setting(0, 4, 0), *LATE):
        path = f"deliver/{setting}"
        if f"{path}/ours/{RATE}" not in samples:
            continue
        figures = [
            number(samples.median(f"{path}/{sender}/{RATE}")) for sender in ("ours", "http.client", "limit")
        ]
        rows.append(
            [str(setting), *figures, number(samples.ratio(f"{path}/ours/{RATE}", f"{path}/limit/{RATE}"))]
        )
    return table(("a request takes, over", "events/s", "http.client", "limit", "× limit"), rows)


def memory(samples: Samples) -> str:
    names = [name for name in samples.names("memory") if name != "JSON"]
    rows = [
        [
            SENDERS.get(name, name),
            number(samples.median(f"memory/{name}")),
            number(samples.ratio(f"memory/{name}", "memory/JSON")),
        ]
        for name in sorted(names, key=lambda name: samples.median(f"memory/{name}"))
    ]
    return table(("", "bytes of a pending event", "× its JSON"), rows)


def imported(samples: Samples) -> str:
    base = "import/pythonjsonlogger.json/ms"
    rows = [
        [
            f"**{name}**" if name == "spotzee_logging" else name,
            number(samples.median(f"import/{name}/ms")),
            number(samples.ratio(f"import/{name}/ms", base)),
            number(samples.median(f"import/{name}/modules")),
        ]
        for name in sorted(samples.names("import"), key=lambda name: samples.median(f"import/{name}/ms"))
    ]
    return table(("", "ms", "× pythonjsonlogger.json", "modules"), rows)


def exited(samples: Samples) -> str:
    rows = []
    for name in samples.names("exit"):
        lost = f"exit/{name}/lost"
        if lost in samples or "bare" in name:
            left = number(samples.median(lost)) if lost in samples else "–"
            rows.append([name, number(samples.median(f"exit/{name}/seconds")), left])
    return table(("the program ends with", "seconds", "undelivered"), rows)


def growth(samples: Samples) -> str:
    units = {
        "bytes": "bytes of JSON, about",
        "pending": "events pending",
        "handlers": "handlers on the logger",
        "threads": "threads",
    }
    parts = []
    for by, words in units.items():
        names = samples.names("growth", by)
        sizes = samples.names("growth", by, names[0]) if names else []
        statistic = "mean" if by == "threads" else "median"
        rows = [
            [
                f"{int(size):,}",
                *(number(samples.median(f"growth/{by}/{name}/{size}/{statistic}")) for name in names),
            ]
            for size in sizes
        ]
        parts.append(table((words, *(f"{name}, µs" for name in names)), rows) if rows else "")
    rate = "growth/backlog/SpotzeeHandler"
    sizes = samples.names(*rate.split("/"))
    rows = [[f"{int(size):,}", number(samples.median(f"{rate}/{size}/{RATE}"))] for size in sizes]
    return "\n\n".join([*parts, table(("events that wait, none is added", "events/s"), rows)])


TABLES: dict[str, tuple[str, Callable[[Samples], str]]] = {
    "caller": ("caller", caller),
    "servers": ("caller", servers),
    "spool": ("caller/spool", spool),
    "peers": ("peers", peers),
    "deliver": ("deliver", deliver),
    "late": ("deliver", late),
    "memory": ("memory", memory),
    "import": ("import", imported),
    "exit": ("exit", exited),
    "growth": ("growth", growth),
}
"""Each table's name, the path that must have been measured for it, and its maker."""


def tables(samples: Samples) -> dict[str, str]:
    made = {name: make(samples) for name, (path, make) in TABLES.items() if samples.names(*path.split("/"))}
    return {"budgets": budgets(samples), **made}
