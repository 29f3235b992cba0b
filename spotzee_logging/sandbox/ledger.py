"""Lists with two bounds, items and bytes; what is over them is forgotten, the oldest first."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from typing import Generic, NamedTuple, TypeVar

_Item = TypeVar("_Item")


class Mark(NamedTuple):
    """How far a reader of changes has come; `epoch` is another one after each `clear`."""

    epoch: str = ""
    revision: int = 0


class Ledger(Generic[_Item]):
    """Items under numbers that never come back, also readable by what changed since a mark."""

    def __init__(self, max_kept: int, max_kept_bytes: int) -> None:
        self._max_kept = max_kept
        self._max_kept_bytes = max_kept_bytes
        self._items: OrderedDict[int, tuple[_Item, int]] = OrderedDict()
        self._revisions: OrderedDict[int, int] = OrderedDict()  # by number, the latest change last
        self._next_number = 1
        self._revision = 0
        self._epoch = secrets.token_hex(4)
        self._bytes = 0
        self.total = 0

    @property
    def forgotten(self) -> int:
        return self.total - len(self._items)

    @property
    def next_number(self) -> int:
        """The number that the next item will have."""
        return self._next_number

    def append(self, item: _Item, size_bytes: int) -> None:
        number, self._next_number = self._next_number, self._next_number + 1
        self._items[number] = (item, size_bytes)
        self._bytes += size_bytes
        self.total += 1
        self.touch(number)
        while self._items and (len(self._items) > self._max_kept or self._bytes > self._max_kept_bytes):
            oldest, (_, its_bytes) = self._items.popitem(last=False)
            self._bytes -= its_bytes
            del self._revisions[oldest]

    def touch(self, number: int) -> None:
        """Note that an item has changed; one that is forgotten meanwhile stays so."""
        if number in self._items:
            self._revision += 1
            self._revisions[number] = self._revision
            self._revisions.move_to_end(number)

    def get(self, number: int) -> _Item | None:
        entry = self._items.get(number)
        return None if entry is None else entry[0]

    def items(self) -> list[_Item]:
        return [item for item, _ in self._items.values()]

    def changed_since(self, mark: Mark) -> tuple[Mark, list[int]]:
        """Give a new mark, and the numbers of what changed between the two, in ascending order.

        After a `clear` that is all there is: the new mark is of another epoch.
        """
        known = mark.revision if mark.epoch == self._epoch else 0
        numbers = []
        for number, revision in reversed(self._revisions.items()):
            if revision <= known:
                break
            numbers.append(number)
        return Mark(self._epoch, self._revision), sorted(numbers)

    def clear(self) -> None:
        self._items.clear()
        self._revisions.clear()
        self._epoch = secrets.token_hex(4)
        self._bytes = self.total = 0
