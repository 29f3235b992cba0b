"""The contract of every buffer: what is put is taken in sealed batches, each with its key for life."""

from __future__ import annotations

import os
import time
from collections.abc import Hashable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol, TypeAlias

from spotzee_logging.encoding import join_events

Body: TypeAlias = bytes
"""An event's JSON. The buffers' own `bytes` would hide the type in their signatures."""


class Batch:
    """1 to 100 events, sealed: neither its key nor its bytes ever change.

    :param events: the JSON of each event, in the order they were put.
    :param contacts: whose each event is, in a form that the buffer chose: equal for equal contacts.
    :param key: its `Idempotency-Key`.
    :param position: of its first event among all that were put.
    :param body: the JSON array of the events.
    :param sealed_at: when, in seconds since 1970: a server remembers a key for a time, restarts or not.
    """

    __slots__ = ("body", "contacts", "events", "key", "position", "sealed_at")

    def __init__(  # noqa: PLR0913, PLR0917  all that is sealed
        self,
        events: tuple[bytes, ...],
        contacts: tuple[Hashable, ...],
        key: str,
        position: int,
        body: bytes,
        sealed_at: float,
    ) -> None:
        self.events: Final = events
        self.contacts: Final = contacts
        self.key: Final = key
        self.position: Final = position
        self.body: Final = body
        self.sealed_at: Final = sealed_at


class Verdict(NamedTuple):
    """Why events are refused for good.

    :param reason: the word that they are counted under.
    :param why: the answer, with the server's words.
    :param request_id: the server's name for the request.
    :param of_events: the verdict on single events of the batch, by index, in the place of this one.
    """

    reason: str
    why: str = ""
    request_id: str | None = None
    of_events: Mapping[int, Verdict] = MappingProxyType({})

    def of(self, index: int) -> Verdict:
        """The verdict on one event."""
        return self.of_events.get(index) or Verdict(self.reason, self.why, self.request_id)


NO_VERDICT: Final = Verdict("")


def verdict_of(reason: Verdict | str) -> Verdict:
    """A verdict, of which perhaps the reason alone was given."""
    return Verdict(reason) if isinstance(reason, str) else reason


class Tidings(NamedTuple):
    """What a buffer has found while it tended itself; counts are of events, since it was last asked.

    :param recovered: taken over from processes that are gone; they are held now.
    :param unspooled: put into memory alone, because the disk did not take them.
    :param lost: held before, and gone now with a file that somebody else deleted or cut.
    :param trouble: what the disk's trouble is; "" where there is none.
    """

    recovered: int = 0
    unspooled: int = 0
    lost: int = 0
    trouble: str = ""


def seal(events: Iterable[bytes], position: int, contacts: Iterable[Hashable] = ()) -> Batch:
    """A batch of these events under a new key."""
    sealed = tuple(events)
    return Batch(sealed, tuple(contacts), new_key(), position, join_events(sealed), time.time())


def new_key() -> str:
    """32 hexadecimal digits, random, safe across forks."""
    return os.urandom(16).hex()


def part_of(batch: Batch, indexes: Sequence[int]) -> Batch:
    """A new batch, under a new key, of the batch's events at these indexes."""
    return seal(
        [batch.events[index] for index in indexes],
        batch.position,
        [batch.contacts[index] for index in indexes],
    )


def check_groups(batch: Batch, groups: Sequence[Sequence[int]]) -> None:
    """Raises ValueError where these groups are no split of the batch: an index lost, doubled or foreign."""
    if sorted(index for group in groups for index in group) != list(range(len(batch.events))):
        raise ValueError("the groups of a split must hold every index of the batch, once")


def check_indexes(batch: Batch, indexes: Iterable[int]) -> frozenset[int]:
    """The indexes as a set. Raises ValueError where the batch has not all of them."""
    leaving = frozenset(indexes)
    if not leaving.issubset(range(len(batch.events))):
        raise ValueError("a batch can only reject events that it has")
    return leaving


class Buffer(Protocol):
    """Holds events until they are delivered, rejected or dropped. Every method may be called by any thread.

    Positions count the events that were ever held: the first has 0.
    """

    def __len__(self) -> int:
        """Events held, those of taken batches among them."""
        ...

    @property
    def bytes(self) -> int:
        """What the events held take, as JSON."""
        ...

    @property
    def unsealed(self) -> int:
        """Events held that are in no batch yet."""
        ...

    @property
    def has_sealed(self) -> bool:
        """Whether a batch that was released, or made by a split, waits to be taken."""
        ...

    @property
    def position(self) -> int:
        """How many events were ever held, as the account has it: the position of the next."""
        ...

    @property
    def oldest(self) -> int:
        """The position of the oldest event held, or a little before it; `position` where none is held."""
        ...

    @property
    def oldest_put_at(self) -> float | None:
        """When the oldest unsealed event was put, or a little before, in monotonic seconds; or None."""
        ...

    def put(self, body: Body, key: str, *, wait_seconds: float = 0.0) -> Sequence[Body]:
        """Hold one more event; returns the events that were dropped for want of room, the oldest first.

        Where there is no room for it, the new event itself is the last of these, and was never held. Older events
        are dropped only where that makes room for it.

        :param body: its JSON, in one line.
        :param key: its contact's id; events of one key are taken in the order they were put.
        :param wait_seconds: how long to wait for room.
        """
        ...

    def take(self, max_events: int, max_bytes: int) -> Batch | None:
        """The next batch, of at most so many events and bytes (one event may be larger); or None.

        Several may be taken at a time, and none of two such have events of one contact: those wait, in their
        order, until the batch before them has left. So None says that nothing can be taken now, though
        something may be held.
        """
        ...

    def ack(self, batch: Batch, refused: Sequence[int] = (), verdict: Verdict = NO_VERDICT) -> bool:
        """The batch was delivered, its events leave; False where it is held no more.

        :param refused: the indexes of those that the server took over only to refuse, by the `verdict`.
        """
        ...

    def release(self, batch: Batch) -> bool:
        """The batch is to be taken again, first and unchanged; False where it is held no more."""
        ...

    def split(self, batch: Batch, groups: Sequence[Sequence[int]]) -> Sequence[Batch]:
        """Make of the batch one for each group of indexes, under new keys, to be taken first and in order.

        Every index must stand in one group; raises ValueError where it does not.
        """
        ...

    def reject(self, batch: Batch, indexes: Iterable[int], reason: Verdict | str) -> Sequence[Body]:
        """The events at these indexes leave; the rest, if any, is a new batch, to be taken first.

        Gives the events that left, in their order: none where the batch is held no more. Where none is to
        leave, the batch is released as it is. Raises ValueError for an index that the batch has not.
        """
        ...

    @property
    def place(self) -> str:
        """Where the events are kept when the process is gone, a file's path; "" where they are not."""
        ...

    @property
    def has_company(self) -> bool:
        """Whether other processes have, or have left, events at the same place."""
        ...

    def tend(self, *, is_idle: bool = False) -> Tidings:
        """Look after what is not the events' coming and going: to be called every few seconds.

        :param is_idle: nothing has come for long, and nobody may call again before something does.
        """
        ...

    def keep(self) -> int:
        """Let go of every event that is kept for another process to deliver; how many those are."""
        ...

    def before_fork(self) -> None:
        """Nothing that must not cross a fork is open from here on, until `after_fork` or `begin_anew`."""
        ...

    def after_fork(self) -> None:
        """In the parent: go on."""
        ...

    def abandon(self) -> Sequence[Body]:
        """Let go of every event, of taken batches too; those that were held."""
        ...

    def begin_anew(self) -> None:
        """In a forked child: hold nothing, what there is stays the parent's."""
        ...

    def close(self) -> None:
        """Free what the buffer uses beside memory."""
        ...


class KeptNowhere:
    """The contract's word on a place on disk, for buffers that have none: their events end with the process."""

    @property
    def place(self) -> str:
        return ""

    @property
    def has_company(self) -> bool:
        return False

    def tend(self, *, is_idle: bool = False) -> Tidings:  # noqa: ARG002
        """Nothing needs it."""
        return Tidings()

    def keep(self) -> int:
        """No other process can deliver them."""
        return 0

    def before_fork(self) -> None:
        """Nothing is open."""

    def after_fork(self) -> None:
        """Nothing was closed."""

    def close(self) -> None:
        """Nothing to free: the events are the process's own memory."""
