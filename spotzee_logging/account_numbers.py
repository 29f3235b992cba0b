"""Card and account numbers in a text: found by their prefixes, lengths and check digits.

A number may be written in groups, parted by a space or a hyphen. What only looks like one is told by its check: one
in ten of random digits passes a card's, one in a hundred an account's, hence the tables of prefixes and lengths.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

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
"""The first digits of a card's number, and how many it has."""

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

# Where one may begin: a lookahead, so that a false start hides no number that begins within it.
_CARD_START: Final = r"(?<![0-9])(?=[2-68](?:[ -]?[0-9]){13})"
_ACCOUNT_START: Final = r"(?<![A-Za-z0-9])(?=[A-Za-z]{2}[0-9]{2}(?:[ -]?[A-Za-z0-9]){11})"
_CHARACTERS: Final = r"[ -]?([A-Za-z0-9])"
_MOST_CHARACTERS: Final = 34

# Of the digits that follow each other in an IBAN there are ten at least, in every country's.
_FEWEST_DIGITS: Final = b"0" * 10
_DIGITS_ALONE: Final = bytes(ord("0") if code in b"0123456789" else ord(".") for code in range(256))


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """With the first text that may hold a number: few programs have one, and the patterns take 0.6 ms."""
    return re.compile(pattern)


def may_hold_number(text: str) -> bool:
    """Whether a text is worth a closer look: told in 0.2 µs for one that has too few digits in a row."""
    return _FEWEST_DIGITS in text.encode("utf-8", "replace").translate(_DIGITS_ALONE, b" -")


def without_cards(text: str, put: str) -> str:
    """The text with `put` in the place of each card's number."""
    return _replaced(text, put, _CARD_START, _card_length)


def without_accounts(text: str, put: str) -> str:
    """The text with `put` in the place of each IBAN."""
    return _replaced(text, put, _ACCOUNT_START, _account_length)


def _replaced(text: str, put: str, start: str, length_of: Callable[[str], int]) -> str:
    parts, done = [], 0
    for begin in (match.start() for match in _compiled(start).finditer(text)):
        if begin < done:
            continue
        ends = _ends_of_characters(text, begin)
        # Where the next follows without a gap, a number does not end here.
        length = length_of("".join(text[end - 1] for end in ends))
        if length and (length == len(ends) or ends[length] > ends[length - 1] + 1):
            parts += [text[done:begin], put]
            done = ends[length - 1]
    return "".join([*parts, text[done:]])


def _ends_of_characters(text: str, begin: int) -> list[int]:
    """Where each letter and digit ends that follow each other, alone or in groups; as many as a number may have."""
    ends: list[int] = []
    one = _compiled(_CHARACTERS)
    match = one.match(text, begin)
    while match is not None and len(ends) <= _MOST_CHARACTERS:
        ends.append(match.end())
        match = one.match(text, match.end())
    return ends


def _card_length(characters: str) -> int:
    """How many of these characters are a card's number; 0: none are."""
    for prefix, lengths in _CARDS:
        if _compiled(prefix).match(characters):
            for length in lengths:
                digits = characters[:length]
                if len(digits) == length and digits.isdecimal() and _is_luhn(digits):
                    return length
    return 0


def _account_length(characters: str) -> int:
    """How many of these characters are an IBAN; 0: none are."""
    account = characters[: _ACCOUNTS.get(characters[:2].upper(), 0)]
    if not account or len(account) < _ACCOUNTS[account[:2].upper()]:
        return 0
    # ISO 7064: the first four go to the end, letters count from 10.
    number = int("".join(str(int(each, 36)) for each in account[4:] + account[:4]))
    return len(account) if number % 97 == 1 else 0


def _is_luhn(digits: str) -> bool:
    """ISO/IEC 7812: every second digit from the right is doubled, and the sum of all digits ends in 0."""
    doubled = [str(int(digit) * (1 + at % 2)) for at, digit in enumerate(reversed(digits))]
    return sum(map(int, "".join(doubled))) % 10 == 0
