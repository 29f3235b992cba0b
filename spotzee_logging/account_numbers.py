"""Card and account numbers in a text: found by their prefixes, lengths and check digits.

A number may be written in groups, parted by a space or a hyphen. What only looks like one is told by its check: one
in ten of random digits passes a card's, one in a hundred an account's, hence the tables of prefixes and lengths.

A text is looked through in the caller's thread, and may be all digits in groups of one, each of which may begin a
number. So nothing is read twice: a start is looked up, and a card's check is the difference of two sums.
"""

from __future__ import annotations

import functools
import itertools
import operator
import re
import string
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any, Final

SHORTEST: Final = 14
"""The characters of the shortest number that is found."""

_CARDS: Final[Sequence[tuple[str, Sequence[int]]]] = (
    (r"4", (16, 19)),  # Visa
    (r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720", (16,)),  # Mastercard
    (r"3[47]", (15,)),  # American Express
    (r"6011|64[4-9]|65", (16, 19)),  # Discover
    (r"62", (16, 17, 18, 19)),  # UnionPay
    (r"352[89]|35[3-8]", (16, 17, 18, 19)),  # JCB
    (r"30[0-59]|3[689]", (14, 16, 19)),  # Diners Club
    (r"50(?:18|20|38)|5893|6304|67(?:59|6[1-3])", (16, 18, 19)),  # Maestro
    (r"220[0-4]", (16, 17, 18, 19)),  # Mir
    (r"508|60|8[12]", (16,)),  # RuPay
)
"""The first digits of a card's number, four at most, and how many it has; the first row that fits holds."""

_ACCOUNTS: Final[Mapping[str, int]] = {
    entry[:2]: int(entry[2:])
    for entry in (  # noqa: SIM905  as the registry has it
        "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 "
        "EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 "
        "KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 "
        "PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 "
        "UA29 VA22 VG24 XK20 YE30"
    ).split()
}
"""The characters of an IBAN, by its country (SWIFT's registry of IBANs)."""

# What may hold a card's number. No group that repeats, which would take ten times as long.
_DIGITS: Final = r"[0-9][0-9 -]{13,}"
_PREFIXES: Final = "|".join(f"({prefix})" for prefix, _ in _CARDS)
_LONGEST_PREFIX: Final = 4
_LETTERS_AND_DIGITS: Final = r"[A-Za-z0-9][A-Za-z0-9 -]{14,}"
_ACCOUNT_START: Final = r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}"
_LETTER: Final = r"[A-Za-z]"

_ALPHABET: Final = string.digits + string.ascii_letters

# Of the digits that follow each other in an IBAN there are ten at least, in every country's.
_FEWEST_DIGITS: Final = b"0" * 10
_DIGITS_ALONE: Final = bytes(ord("0") if code in b"0123456789" else ord(".") for code in range(256))

# ISO/IEC 7812: every second digit from the right is doubled, and the digits of that added up.
_VALUES: Final = bytes((code - ord("0")) % 10 for code in range(256))
_VALUES_DOUBLED: Final = bytes(sum(divmod(2 * value, 10)) for value in _VALUES)
_ACCOUNT_VALUES: Final = bytes(int(chr(code), 36) if chr(code) in _ALPHABET else 0 for code in range(256))


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """With the first text that may hold a number: few programs have one, and the patterns take 0.6 ms."""
    return re.compile(pattern)


def may_hold_number(text: str) -> bool:
    """Whether a text is worth a closer look: told in 0.2 µs for one that has too few digits in a row."""
    return _FEWEST_DIGITS in text.encode("utf-8", "replace").translate(_DIGITS_ALONE, b" -")


def without_cards(text: str, put: str) -> str:
    """The text with `put` in the place of each card's number."""
    return _replaced(text, put, _cards(text))


def without_accounts(text: str, put: str) -> str:
    """The text with `put` in the place of each IBAN."""
    return _replaced(text, put, _accounts(text))


def _replaced(text: str, put: str, numbers: Iterator[tuple[int, int]]) -> str:
    parts, done = [], 0
    for begin, end in numbers:
        parts += [text[done:begin], put]
        done = end
    return "".join([*parts, text[done:]]) if parts else text


def _cards(text: str) -> Iterator[tuple[int, int]]:
    """Where each card's number begins and ends, in their order, none within another."""
    for groups, place, is_cut in _runs(_DIGITS, text):
        digits = "".join(groups)
        if len(digits) < SHORTEST:
            continue
        starts = _starts(groups)
        separators = _separators_before(starts[1 : -1 if is_cut else None])
        luhn, done = _Luhn(digits), 0
        for index, start in enumerate(starts):
            end = _end_of_card(luhn, start, separators) if start >= done else None
            if end is not None:
                yield place + start + index, place + end + separators[end]
                done = end


def _end_of_card(luhn: _Luhn, start: int, separators: Container[int]) -> int | None:
    """Where the card's number ends that begins there, if one does: before a separator, and passing the check."""
    for length in _card_lengths(luhn.digits[start : start + _LONGEST_PREFIX]):
        if start + length in separators and luhn.passes(start, start + length):
            return start + length
    return None


def _accounts(text: str) -> Iterator[tuple[int, int]]:
    """As `_cards`, of IBANs."""
    if _compiled(_ACCOUNT_START).search(text) is None:
        return
    for groups, place, _ in _runs(_LETTERS_AND_DIGITS, text):
        characters = "".join(groups)
        starts = _starts(groups)
        separators = _separators_before(starts[1:])
        done = 0
        for index, (start, group) in enumerate(zip(starts, groups, strict=False)):
            length = _ACCOUNTS.get(group[:2].upper())
            if length is None or start < done or len(group) < 4 or not group[2:4].isdecimal():
                continue
            end = start + length
            if end in separators and _is_account(characters[start:end]):
                yield place + start + index, place + end + separators[end]
                done = end


def _runs(characters: str, text: str) -> Iterator[tuple[list[str], int, bool]]:
    """Groups that are parted by one separator each, where the first begins, and whether a letter follows the last."""
    for found in _compiled(characters).finditer(text):
        place = found.start()
        for run in found.group().replace("-", " ").split("  "):
            end = place + len(run)
            if len(run) >= SHORTEST:
                is_cut = not run.endswith(" ") and _compiled(_LETTER).match(text, end) is not None
                yield run.strip().split(" "), place + run.startswith(" "), is_cut
            place = end + 2


def _starts(groups: list[str]) -> list[int]:
    """How many characters there are before each group, and in all."""
    return [0, *itertools.accumulate(map(len, groups))]


def _separators_before(ends: list[int]) -> dict[int, int]:
    """How many separators there are before the end of each group, by the characters before that end."""
    return dict(zip(ends, itertools.count(), strict=False))


@functools.cache  # of the ten thousand that there are
def _card_lengths(prefix: str) -> Sequence[int]:
    """How many digits a card's number may have that begins with these four."""
    found = _compiled(_PREFIXES).match(prefix)
    return () if found is None or found.lastindex is None else _CARDS[found.lastindex - 1][1]


class _Luhn:
    """The check of cards' numbers, for any within some digits: each digit is added up once, and not for each number."""

    def __init__(self, digits: str) -> None:
        self.digits = digits
        self._sums: tuple[list[int], list[int]] | None = None

    def passes(self, start: int, end: int) -> bool:
        """Whether the digits there pass: the sums at both ends differ by a multiple of 10."""
        if self._sums is None:  # seldom asked
            self._sums = self._added_up()
        so_far = self._sums[end % 2]
        return (so_far[end] - so_far[start]) % 10 == 0

    def _added_up(self) -> tuple[list[int], list[int]]:
        """Of the first digits, how many ever: for numbers that end after an even count of them, and an odd one."""
        values = self.digits.encode()
        single, doubled = values.translate(_VALUES), values.translate(_VALUES_DOUBLED)
        even, odd = bytearray(single), bytearray(single)
        even[::2], odd[1::2] = doubled[::2], doubled[1::2]
        return [0, *itertools.accumulate(even)], [0, *itertools.accumulate(odd)]


def _is_account(account: str) -> bool:
    """ISO 7064: the first four go to the end, letters count from 10, and the whole leaves 1 when divided by 97."""
    remainders = _remainders()
    characters = (account[4:] + account[:4]).encode().translate(_ACCOUNT_VALUES)
    return functools.reduce(operator.getitem, characters, remainders[0]) is remainders[1]


@functools.cache
def _remainders() -> list[list[Any]]:
    """What a number leaves when divided by 97: each the list of those that it becomes with one more digit or letter."""
    remainders: list[list[Any]] = [[] for _ in range(97)]
    for before, after in enumerate(remainders):
        after += [
            remainders[(before * (10 if value < 10 else 100) + value) % 97]  # a letter is two digits
            for value in range(36)
        ]
    return remainders
