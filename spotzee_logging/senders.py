"""The threads that are delivering events just now: what urllib3 and requests log there is our own doing."""

from __future__ import annotations

from typing import Final

idents: Final[set[int | None]] = set()
"""Of any dispatcher."""


def is_sender(ident: int | None) -> bool:
    """Whether the thread of this ident is delivering events."""
    return ident in idents
