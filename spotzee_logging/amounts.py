"""A number with the word that goes with it."""


def amount(count: int, one: str, more: str) -> str:
    """`1 event waits`, `2 events wait`: the number, and the words for one, or for none and for more."""
    return f"{count} {one if count == 1 else more}"
