"""The budgets: what each figure may be at most, or must be at least, as a ratio to another of the same run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.plan import LATE, Setting
from benchmarks.samples import Samples

HUNG = "caller/memory/{}/hung/median"
MEMORY = "caller/memory/MemoryHandler/median"
FAR_OUTSIDE = 2.0
"""The short form fails where a ratio is so many times its budget, twice in a row: machines in CI do other work too."""


class Budget(NamedTuple):
    """One promise.

    :param name: what is measured, and against what, in words.
    :param measured: the figure's name among the samples.
    :param against: that of what it is divided by; None: it is a count, and stands for itself.
    :param bound: the ratio.
    :param is_least: whether the ratio must be at least `bound`; else it may be at most that.
    :param extra: what `measured` may take beyond `bound`, in its own unit.
    :param is_tail: whether `measured` is taken from its quietest round, and not round by round.
    :param source: why this much.
    """

    name: str
    measured: str
    against: str | None
    bound: float
    is_least: bool = False
    extra: float = 0.0
    is_tail: bool = False
    source: str = ""

    @property
    def group(self) -> str:
        return self.measured.split("/")[0].split("_")[0]

    def is_in(self, samples: Samples) -> bool:
        return self.measured in samples and (self.against is None or self.against in samples)

    def value(self, samples: Samples) -> float:
        if self.against is None:
            return samples.median(self.measured)
        if self.is_tail:
            return samples.quietest_ratio(self.measured, self.against)
        ratio = samples.ratio(self.measured, self.against)
        return ratio - self.extra / samples.median(self.against)

    def is_held(self, samples: Samples, slack: float = 1.0) -> bool:
        value = round(self.value(samples), 2)  # as it is shown: beyond that it is noise
        return value * slack >= self.bound if self.is_least else value <= self.bound * slack

    def __str__(self) -> str:
        return f"{'≥' if self.is_least else '≤'} {self.bound:g}"


def _calls() -> list[Budget]:
    null = "caller/memory/NullHandler, untagged/median"
    without = "caller/without orjson/"
    return [
        Budget("untagged record, − 0.1 µs / NullHandler", HUNG.format("untagged"), null, 1.05, extra=0.1),
        Budget("tagged record / MemoryHandler", HUNG.format("mapping"), MEMORY, 1.5),
        Budget(
            "tagged record without orjson / MemoryHandler",
            f"{without}mapping/hung/median",
            f"{without}MemoryHandler/median",
            2.5,
        ),
        Budget("short tag in a contact / MemoryHandler", HUNG.format("short tag in a contact"), MEMORY, 1.8),
        Budget("@track, three markers / MemoryHandler", HUNG.format("@track"), MEMORY, 1.5),
        Budget("@track async / MemoryHandler", HUNG.format("@track async"), MEMORY, 1.5),
    ]


def _tails() -> list[Budget]:
    ways = ("mapping", "short tag in a contact", "@track", "@track async")
    return [
        Budget(
            f"p99.9 of {way}, server hung / healthy",
            f"caller/memory/{way}/hung/p99.9",
            f"caller/memory/{way}/healthy/p99.9",
            2.0,
            is_tail=True,
        )
        for way in ways
    ]


def _spool() -> list[Budget]:
    spooled, in_memory = "caller/spool/mapping/hung/median", "caller/spool/mapping in memory/hung/median"
    return [
        Budget("tagged record into a spool / in memory", spooled, in_memory, 2.0),
        Budget(
            "p99 of a spooled record / FileHandler, beside a busy thread",
            "busy/spool/p99",
            "busy/FileHandler/p99",
            1.0,
        ),
    ]


def _delivery() -> list[Budget]:
    at_once, late = f"deliver/{Setting(0, 1, 0)}/", f"deliver/{LATE[-1]}/"
    rate = "events_per_second"
    return [
        Budget(
            "events/s / logging and requests in turn",
            f"{at_once}ours/{rate}",
            f"{at_once}limit/{rate}",
            0.65,
            True,
        ),
        Budget("events/s / PostHog", f"{at_once}ours/{rate}", f"{at_once}PostHog/{rate}", 4, True),
        Budget("events/s / Snowplow", f"{at_once}ours/{rate}", f"{at_once}Snowplow/{rate}", 2, True),
        Budget(
            "events/s at 100 ms, 16 connections / what these can carry",
            f"{late}ours/{rate}",
            f"{late}limit/{rate}",
            0.83,
            True,
            source="the API's own limit, 13,333 events/s, of 16,000",
        ),
        Budget("events lost", "deliver_all/lost", None, 0),
        Budget("events before an older one of their contact", "deliver_all/disorders", None, 0),
    ]


def _process() -> list[Budget]:
    imported, own = "import/pythonjsonlogger.json/ms", "import/spotzee_logging/ms"
    exit_hung = "exit/5,000 pending, server hung/seconds"
    return [
        Budget("bytes of a pending event / its JSON's", "memory/ours", "memory/JSON", 1.25),
        Budget("import / pythonjsonlogger.json's", own, imported, 1.3),
        Budget(
            "exit while the server hangs / shutdown_timeout_seconds",
            exit_hung,
            "exit/shutdown_timeout_seconds/seconds",
            1.1,
        ),
        Budget("events lost at an exit while the server answers", "exit/5,000 pending/lost", None, 0),
    ]


BUDGETS: Sequence[Budget] = (*_calls(), *_tails(), *_spool(), *_delivery(), *_process())


def measured(samples: Samples) -> list[Budget]:
    """Those that this run can judge."""
    return [budget for budget in BUDGETS if budget.is_in(samples)]


def far_outside(samples: Samples) -> list[Budget]:
    return [budget for budget in measured(samples) if not budget.is_held(samples, FAR_OUTSIDE)]
