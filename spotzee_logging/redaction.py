"""What must not leave the program is replaced in an event's data, before anybody sees the event.

Most events hold nothing of the kind, and that is told in the caller's thread, of every event: keys that were looked
at before are known, and a value is only looked at where its kind and size could hold a number. Where something may be
found, the whole is made plain and looked through.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from spotzee_logging.account_numbers import SHORTEST, may_hold_number, without_accounts, without_cards
from spotzee_logging.encoding import MAX_SHALLOW, encode_counted, encode_event, encode_shallow
from spotzee_logging.event import MOST_BYTES
from spotzee_logging.plain_values import LEAST_OF_MEMBER, plain

REDACTED: Final = "[redacted]"

CARDS: Final = "card_number"
ACCOUNTS: Final = "iban"
"""Two names that stand for values too, whatever their keys: those that hold such a number."""

_SHORTEST_NUMBER: Final = 10 ** (SHORTEST - 1)
_LARGEST_NEGATIVE: Final = -_SHORTEST_NUMBER
_HOLD_NO_NUMBER: Final = frozenset({float, bool, type(None), datetime, date, time, timedelta})
# The same by module and name: a program that does not use them is spared their import.
_HOLD_NONE_EITHER: Final = {"decimal": "Decimal", "uuid": "UUID"}
_MOST_CONTAINERS: Final = 1_000
_MOST_KNOWN_KEYS: Final = 10_000
_LONGEST_KNOWN_KEY: Final = 100
_LISTS: Final = frozenset({list, tuple})


class Redaction:
    """Replaces the values of the named keys, at any depth, and numbers of cards and accounts in all values.

    :param names: the keys; case, hyphens, underscores and spaces in them make no difference. `card_number` and
        `iban` are keys as others, and stand for the numbers too.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(map(_bare, names))
        self._has_cards, self._has_accounts = _bare(CARDS) in self._names, _bare(ACCOUNTS) in self._names
        self._looks_for_numbers = self._has_cards or self._has_accounts
        self._known_keys: set[str] = set()
        self._knows = self._known_keys.issuperset  # looked up once, and not for every event

    def encode(self, fields: dict[str, Any], most_bytes: int = MOST_BYTES) -> tuple[dict[str, Any], bytes]:
        """An event's fields and their bytes, with all replaced in `data` and `user.data` that is to be.

        The fields are those that were given where that is nothing; the caller's own are never changed.
        Raises `InvalidEvent` as `encode_event` does; what is to be replaced counts for that too.
        """
        data, user = fields.get("data"), fields.get("user")
        own = user.get("data") if user else None
        containers = [data, own] if data and own else [data or own] if data or own else []
        try:
            is_clean = self._has_nothing(containers, most_bytes)
        except RuntimeError:  # another thread changes what is looked at
            is_clean = False
        if is_clean and len(containers) <= MAX_SHALLOW:
            # So few cannot lie deep in each other: what was looked at here is not looked at again.
            return fields, encode_shallow(fields)
        if not is_clean:
            if not self._names:
                return fields, encode_event(fields, most_bytes)
            fields = self._redacted_fields(fields)
        return fields, encode_counted(fields, most_bytes)

    def _redacted_fields(self, fields: dict[str, Any]) -> dict[str, Any]:
        redacted = dict(fields)
        if redacted.get("data"):
            redacted["data"] = self._redacted(plain(redacted["data"]))
        if redacted.get("user") and redacted["user"].get("data"):
            redacted["user"] = {**redacted["user"], "data": self._redacted(plain(redacted["user"]["data"]))}
        return redacted

    def _has_nothing(self, containers: list[Any], room: int) -> bool:  # noqa: C901, PLR0911, PLR0912  no calls within
        """Whether there is surely nothing to replace in these, or within, and no more than `room` bytes to look at.

        That takes 0.3 µs for a common event. Keys that are known are few and short, so a dict of them is small.
        """
        texts, knows = [], self._knows
        for container in containers:  # which grows meanwhile by those that lie within
            if type(container) is dict:
                if not knows(container) and not self._get_to_know(container):
                    return False
                members = container.values()
            elif type(container) in _LISTS:
                members = container
            else:
                return False
            for member in members:
                kind = type(member)
                if kind is str:
                    size = len(member)
                    if size >= SHORTEST:
                        texts.append(member)
                        room -= size
                elif kind is int:
                    if not _LARGEST_NEGATIVE < member < _SHORTEST_NUMBER:
                        return False
                elif kind not in _HOLD_NO_NUMBER:
                    if kind is dict or kind in _LISTS:
                        containers.append(member)
                        room -= LEAST_OF_MEMBER * len(member)
                        if room < 0 or len(containers) > _MOST_CONTAINERS:
                            return False
                    elif not _holds_none_either(kind):
                        return False
        if not texts:
            return True
        return room >= 0 and not (self._looks_for_numbers and may_hold_number("\n".join(texts)))

    def _get_to_know(self, keys: dict[Any, Any]) -> bool:
        """Whether no key is one of the names; then they are known from now on, some thousands of them at most."""
        if len(keys) > _MOST_KNOWN_KEYS:
            return False
        looked_at = list(keys)  # another thread may put one in meanwhile, which nobody has looked at
        if not all(
            type(key) is str and len(key) <= _LONGEST_KNOWN_KEY and _bare(key) not in self._names
            for key in looked_at
        ):
            return False
        if len(self._known_keys) >= _MOST_KNOWN_KEYS:
            self._known_keys.clear()
        self._known_keys.update(looked_at)
        return True

    def _redacted(self, value: Any) -> Any:
        if type(value) is dict:
            return {
                key: REDACTED if _bare(key) in self._names else self._redacted(member)
                for key, member in value.items()
            }
        if isinstance(value, list):
            return [self._redacted(member) for member in value]
        if isinstance(value, str):
            return self._without_numbers(value)
        if type(value) is int and not _LARGEST_NEGATIVE < value < _SHORTEST_NUMBER:
            digits = str(value)
            return value if self._without_numbers(digits) == digits else REDACTED
        return value

    def _without_numbers(self, text: str) -> str:
        if self._has_cards:
            text = without_cards(text, REDACTED)
        return without_accounts(text, REDACTED) if self._has_accounts else text


def _holds_none_either(kind: type) -> bool:
    name = _HOLD_NONE_EITHER.get(kind.__module__)
    return name is not None and getattr(sys.modules.get(kind.__module__), name, None) is kind


def _bare(key: str) -> str:
    """`apiKey`, `API-Key` and `api_key` are one."""
    return re.sub(r"[-_ ]", "", key).lower()
