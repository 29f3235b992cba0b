"""The events of a body as the texts that they are, digit for digit."""

from __future__ import annotations

import json
import re
from typing import Final

_GAP: Final = re.compile(r"[\s,]*")
_decode: Final = json.JSONDecoder().raw_decode


def item_texts(array: str) -> list[str]:
    """Cut a JSON array into the texts of its items.

    What is shown is then what was sent: no number is rounded, no escape rewritten.

    :param array: a text that was found to be a JSON array.
    """
    texts = []
    position = _after_gap(array, array.index("[") + 1)
    while array[position] != "]":
        _, end = _decode(array, position)
        texts.append(array[position:end])
        position = _after_gap(array, end)
    return texts


def _after_gap(text: str, position: int) -> int:
    match = _GAP.match(text, position)
    return match.end() if match else position
