"""What was measured: under each name the values of all rounds, and what becomes of them."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence


class Samples:
    """Values by name, a list of one a round; a name is a path such as `caller/memory/mapping/hung/mean`.

    >>> samples = Samples()
    >>> for ours, theirs in [(3.0, 2.0), (3.3, 2.2), (9.0, 2.0)]:
    ...     samples.add({"ours": ours, "theirs": theirs})
    >>> samples.median("ours"), samples.ratio("ours", "theirs")
    (3.3, 1.5)
    """

    def __init__(self, values: Mapping[str, Sequence[float]] | None = None) -> None:
        self.values: dict[str, list[float]] = {name: list(each) for name, each in (values or {}).items()}

    def add(self, one_round: Mapping[str, float]) -> None:
        for name, value in one_round.items():
            self.values.setdefault(name, []).append(value)

    def extend(self, rounds: Mapping[str, Sequence[float]]) -> None:
        for name, values in rounds.items():
            self.values.setdefault(name, []).extend(values)

    def median(self, name: str) -> float:
        return statistics.median(self.values[name])

    def ratio(self, name: str, against: str) -> float:
        """The median over the rounds of one value by the other, both of the same round."""
        pairs = zip(self.values[name], self.values[against], strict=True)
        return statistics.median(value / base for value, base in pairs)

    def quietest_ratio(self, name: str, against: str) -> float:
        """The least of one value by the median of the other: other programs can only add to a tail.

        What waits for a server waits in every round, the quietest too.
        """
        return min(self.values[name]) / self.median(against)

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def names(self, *parts: str) -> list[str]:
        """Which parts come next below a path, in the order they were measured."""
        depth = len(parts)
        paths = [name.split("/") for name in self.values]
        return list(dict.fromkeys(path[depth] for path in paths if tuple(path[:depth]) == parts))


def quantile(ordered: Sequence[float], part: float) -> float:
    """The value below which this part of the sorted values lies."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
