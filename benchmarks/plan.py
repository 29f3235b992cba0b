"""What is run, in which order, and how long: each group fills in samples of its own name."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import NamedTuple

from benchmarks import exits, imports
from benchmarks.child import run_child
from benchmarks.deliver import BATCH_EVENTS, LOGGING_ALONE
from benchmarks.ours import HAS_SPOOL
from benchmarks.peers import LIBRARIES, PEERS
from benchmarks.samples import Samples
from benchmarks.workload import event_bytes

SHUTDOWN_SECONDS = 5.0
OWN_IMPORT = "from spotzee_logging import SpotzeeHandler"
STATEMENTS = {
    "logging": "import logging",
    "pythonjsonlogger.json": "import pythonjsonlogger.json",
    "requests": "import requests",
    "spotzee_logging": OWN_IMPORT,
    "spotzee_logging, and a handler": f"{OWN_IMPORT}; SpotzeeHandler('sk_bench')",
}


class Size(NamedTuple):
    """How much of everything.

    :param has_peers: whether peers, growth and what only the page shows are measured too.
    """

    rounds: int
    calls: int
    events: int
    has_peers: bool


FULL = Size(rounds=7, calls=5_000, events=10_000, has_peers=True)
SHORT = Size(rounds=5, calls=1_000, events=5_000, has_peers=False)

Ports = Mapping[int, int]
"""The port of the sink of each latency, in milliseconds."""


class Setting(NamedTuple):
    """A server's latency, the connections to it, and events enough for a second or two."""

    latency_ms: int
    connections: int
    events: int

    def __str__(self) -> str:
        return f"{self.latency_ms} ms, {self.connections} connection{'s' * (self.connections > 1)}"


LATE = (
    Setting(20, 1, 5_000),
    Setting(20, 4, 20_000),
    Setting(100, 1, 2_000),
    Setting(100, 4, 8_000),
    Setting(100, 16, 32_000),
)
LATENCIES_MS = (0, 20, 100, 200)


def caller(samples: Samples, size: Size, ports: Ports) -> None:
    servers = {"healthy": ports[0], "slow": ports[200]}
    common = {"rounds": size.rounds, "calls": size.calls}
    if not size.has_peers:
        del servers["slow"]
    samples.extend(run_child("caller", variant="memory", ports=servers, **common))
    samples.extend(run_child("caller", without=("orjson",), variant="without orjson", ports={}, **common))
    if size.has_peers:
        samples.extend(run_child("caller", variant="8 threads", ports=servers, threads=8, **common))
    if HAS_SPOOL:
        samples.extend(run_child("caller", variant="spool", ports={}, spool=True, **common))


def peers(samples: Samples, size: Size, _: Ports) -> None:
    for peer in PEERS:
        samples.extend(run_child("peer_caller", peer=peer, rounds=size.rounds, calls=2_000))


def busy(samples: Samples, size: Size, _: Ports) -> None:
    if HAS_SPOOL:
        samples.extend(run_child("busy", rounds=size.rounds, calls=500))


def deliver(samples: Samples, size: Size, ports: Ports) -> None:
    at_once = [Setting(0, 1, size.events)]
    if size.has_peers:
        at_once.append(Setting(0, 4, size.events))
    for _ in range(size.rounds):
        for setting in at_once:
            senders = ["ours", "requests", LOGGING_ALONE, "http.client"]
            if size.has_peers and setting.connections == 1:
                senders += PEERS
            deliver_once(samples, setting, senders, ports)
        for setting in LATE if size.has_peers else ():
            deliver_once(samples, setting, ["ours", "http.client"], ports)
    derive(samples)


def deliver_once(samples: Samples, setting: Setting, senders: list[str], ports: Ports) -> None:
    latency_ms, connections, events = setting
    for sender in senders:
        arguments = {"port": ports[latency_ms], "events": events, "connections": connections}
        figures = run_child("deliver", sender=sender, **arguments)
        samples.add({f"deliver/{setting}/{sender}/{name}": value for name, value in figures.items()})


def derive(samples: Samples) -> None:
    """The limits, from the baselines of each round; and what was lost, or out of order, anywhere."""
    per_second = "events_per_second"
    for setting in samples.names("deliver"):
        own = {
            name: samples.values[name] for name in samples.values if name.startswith(f"deliver/{setting}/")
        }
        logged = own.get(f"deliver/{setting}/{LOGGING_ALONE}/{per_second}")
        sent = own.get(f"deliver/{setting}/requests/{per_second}")
        if logged and sent:
            limits = [1 / (1 / one + 1 / other) for one, other in zip(logged, sent, strict=True)]
            samples.values[f"deliver/{setting}/limit/{per_second}"] = limits
    for setting in map(str, LATE):
        rounds = len(samples.values.get(f"deliver/{setting}/ours/{per_second}", ()))
        latency_ms, connections = next(each[:2] for each in LATE if str(each) == setting)
        limit = connections * BATCH_EVENTS * 1000 / latency_ms
        if rounds:
            samples.values[f"deliver/{setting}/limit/{per_second}"] = [limit] * rounds
    for what in ("lost", "disorders"):
        counts = [values for name, values in samples.values.items() if name.endswith(f"/ours/{what}")]
        samples.values[f"deliver_all/{what}"] = [float(sum(map(sum, counts)))]


def memory(samples: Samples, size: Size, _: Ports) -> None:
    holders = ["ours", "MemoryHandler", *(PEERS if size.has_peers else ())]
    for _ in range(size.rounds if size.has_peers else 3):
        for holder in holders:
            samples.add({f"memory/{holder}": run_child("memory", holder=holder, events=50_000)})
        samples.add({"memory/JSON": len(event_bytes())})


def imported(samples: Samples, size: Size, _: Ports) -> None:
    theirs = {peer: f"import {library}" for peer, library in LIBRARIES.items()} if size.has_peers else {}
    for number in range(size.rounds + 1):
        for name, statement in {**STATEMENTS, **theirs}.items():
            figures = imports.measure(statement)
            if number:  # the first compiles what was never imported
                samples.add({f"import/{name}/{what}": value for what, value in figures.items()})


def exited(samples: Samples, size: Size, ports: Ports) -> None:
    cases: dict[str, tuple[int | None, int]] = {
        "nothing pending": (ports[0], 0),
        "5,000 pending": (ports[0], 5_000),
        "5,000 pending, 20 ms a request": (ports[20], 5_000),
        "5,000 pending, server hung": (None, 5_000),
    }
    for _ in range(size.rounds):
        for name, (port, events) in cases.items():
            figures = exits.measure(port, events)
            samples.add({f"exit/{name}/{what}": value for what, value in figures.items()})
        samples.add(
            {
                "exit/bare Python with logging/seconds": exits.seconds_to_end(exits.BARE),
                "exit/shutdown_timeout_seconds/seconds": SHUTDOWN_SECONDS,
            }
        )


def growth(samples: Samples, size: Size, ports: Ports) -> None:
    for by in ("bytes", "pending", "handlers", "threads"):
        samples.extend(run_child("growth", by=by, rounds=size.rounds, calls=1_000))
    for _ in range(size.rounds):
        for events in (1_000, 10_000, 100_000):
            rate = run_child("backlog", port=ports[0], events=events)
            samples.add({f"growth/backlog/SpotzeeHandler/{events}/events_per_second": rate})


Group = Callable[[Samples, Size, Ports], None]
SHORT_GROUPS: dict[str, Group] = {
    "caller": caller,
    "deliver": deliver,
    "memory": memory,
    "import": imported,
}
GROUPS: dict[str, Group] = {
    **SHORT_GROUPS,
    "peers": peers,
    "busy": busy,
    "exit": exited,
    "growth": growth,
}


def run(names: Mapping[str, Group], samples: Samples, size: Size, ports: Ports) -> None:
    for name, group in names.items():
        print(f"{name} ...", file=sys.stderr, flush=True)
        group(samples, size, ports)
