"""The threads that are delivering events just now: what urllib3 and requests log there is our own doing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_idents: Final[set[int | None]] = set()
"""Of any dispatcher."""


def is_sender(ident: int | None) -> bool:
    """Whether the thread of this ident is delivering events."""
    return ident in _idents


@contextmanager
def sending() -> Iterator[None]:
    """Around what delivers, on the thread that does."""
    ident = threading.get_ident()
    _idents.add(ident)
    try:
        yield
    finally:
        _idents.discard(ident)


def begin_anew() -> None:
    """In a forked child: the parent's threads are not here."""
    _idents.clear()
