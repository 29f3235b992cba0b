"""Numbers of cards and accounts are found as a slow and simple search finds them, and with less work."""

import re
import sys

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from spotzee_logging.account_numbers import _ACCOUNTS, _CARDS, without_accounts, without_cards

RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=500)

PUT = "[redacted]"
MOST_CHARACTERS = 34


def slowly_without_cards(text):
    """Each place where a number may begin is looked at by itself, a character at a time."""
    return slowly_replaced(text, r"(?<![0-9])(?=[2-68](?:[ -]?[0-9]){13})", card_lengths)


def slowly_without_accounts(text):
    """The same for IBANs."""
    start = r"(?<![A-Za-z0-9])(?=[A-Za-z]{2}[0-9]{2}(?:[ -]?[A-Za-z0-9]){11})"
    return slowly_replaced(text, start, account_lengths)


def slowly_replaced(text, start, lengths_of):
    parts, done = [], 0
    for begin in (match.start() for match in re.finditer(start, text)):
        if begin < done:
            continue
        ends = ends_of_characters(text, begin)
        for length in lengths_of("".join(text[end - 1] for end in ends)):
            # Where the next follows without a gap, a number does not end here.
            if length == len(ends) or ends[length] > ends[length - 1] + 1:
                parts += [text[done:begin], PUT]
                done = ends[length - 1]
                break
    return "".join([*parts, text[done:]])


def ends_of_characters(text, begin):
    ends = []
    match = re.compile("[ -]?([A-Za-z0-9])").match(text, begin)
    while match is not None and len(ends) <= MOST_CHARACTERS:
        ends.append(match.end())
        match = match.re.match(text, match.end())
    return ends


def card_lengths(characters):
    for prefix, lengths in _CARDS:
        if re.match(prefix, characters):
            for length in lengths:
                digits = characters[:length]
                if len(digits) == length and digits.isdecimal() and is_luhn(digits):
                    yield length


def is_luhn(digits):
    doubled = [str(int(digit) * (1 + at % 2)) for at, digit in enumerate(reversed(digits))]
    return sum(map(int, "".join(doubled))) % 10 == 0


def account_lengths(characters):
    length = _ACCOUNTS.get(characters[:2].upper(), 0)
    account = characters[:length]
    if account and len(account) == length:
        if int("".join(str(int(each, 36)) for each in account[4:] + account[:4])) % 97 == 1:
            yield length


@st.composite
def cards(draw):
    """A number with a brand's prefix and length that passes the check, or misses it by one digit."""
    prefix = draw(st.sampled_from("4 51 2221 2720 34 37 6011 62 35 3528 300 36 5018 6759 2200 60 81".split()))
    length = draw(st.integers(13, 20))
    digits = prefix + draw(
        st.text("0123456789", min_size=length - len(prefix), max_size=length - len(prefix))
    )
    if draw(st.booleans()):
        digits = next(made for made in (digits[:-1] + last for last in "0123456789") if is_luhn(made))
    return digits


@st.composite
def accounts(draw):
    """An IBAN of a country's length that passes the check, or most likely does not."""
    country, length = draw(st.sampled_from(sorted(_ACCOUNTS.items())))
    rest = draw(st.text("0123456789Az", min_size=length - 4, max_size=length - 4))
    number = int("".join(str(int(each, 36)) for each in rest + country + "00"))
    check = f"{98 - number % 97:02d}" if draw(st.booleans()) else "20"
    return country + check + rest


def in_groups(number, sizes, separators):
    """The number in groups of these sizes, parted by these separators, over and over."""
    parts, at = [], 0
    for index in range(len(number)):
        if at < len(number):
            size = sizes[index % len(sizes)]
            parts += [number[at : at + size], separators[index % len(separators)]]
            at += size
    return "".join(parts[:-1])


numbers = st.builds(
    in_groups,
    cards() | accounts(),
    st.lists(st.integers(1, 20), min_size=1, max_size=4),
    st.lists(st.sampled_from(["", " ", "-", " ", "  "]), min_size=1, max_size=3),
)
between = st.sampled_from(["", " ", "-", "  ", " -", ",", "x", "AT20 ", "4 ", "34-", "é", "٣", "\n", "no 7 "])
texts = st.lists(numbers | between | st.text("0123456789 -AZaz.é", max_size=40), max_size=8).map("".join)
digits_in_groups = st.lists(st.text("0123456789", min_size=1, max_size=5), max_size=60)


@RELAXED
@given(texts)
@example("4111111111111111")
@example("4111 1111 1111 1111x, 4111111111111111 x")
@example("4111111111111111é4111111111111111")
@example("DE89 3704 0044 0532 0130 00 GB29NWBK60161331926819")
@example("4111 1111 1111 1111 ")
@example("4 " * 100)
@example("AT20 " * 30 + "4444 " * 30)
def test_the_quick_search_finds_what_the_slow_one_finds(text):
    """What is redacted does not depend on how it is found: in any mixture of letters, digits and separators."""
    assert without_cards(text, PUT) == slowly_without_cards(text)
    assert without_accounts(text, PUT) == slowly_without_accounts(text)


@RELAXED
@given(groups=digits_in_groups, separator=st.sampled_from([" ", "-"]))
def test_the_same_in_long_runs_of_groups(groups, separator):
    """Where each group may begin a number, and each number may be one of several lengths."""
    text = separator.join(groups)

    assert without_cards(text, PUT) == slowly_without_cards(text)
    assert without_accounts("GB82 WEST " + text, PUT) == slowly_without_accounts("GB82 WEST " + text)


@RELAXED
@given(st.text("0123456789", min_size=18, max_size=18))
def test_a_card_is_found_also_where_it_begins_with_a_shorter_number(rest):
    """One in ten numbers of 19 digits passes the check at 16 too, and is redacted all the same."""
    number = next(made for made in ("4" + rest[:17] + last for last in "0123456789") if is_luhn(made))

    assert without_cards(number, PUT) == PUT


SIZE = 50_000
MOST_LINES_A_CHARACTER = 10
WORST = [
    "4 ",
    "4-",
    "35 ",
    "3 5 ",
    "62 ",
    "2 2 0 ",
    "4",
    "34 ",
    "2026-11-25 ",
    "4444 4444,",
    "1234567890123,",
    "1  ",
]
WORST += [
    "AT20 ",
    "AT20-",
    "AT20,",
    "AT20  ",
    "FR27 A ",
    "NO15 ",
    "A4 ",
    "GB20 4444 ",
    "A",
    "A ",
    "AT2",
    "é4 ",
]


ISSUERS = {
    "Visa": ("4", (16, 19)),
    "Mastercard": ("51 55 2221 2229 223 229 23 26 270 271 2720", (16,)),
    "American Express": ("34 37", (15,)),
    "Discover": ("6011 644 649 65", (16, 19)),
    "UnionPay": ("62", (16, 17, 18, 19)),
    "JCB": ("3528 3529 353 358", (16, 17, 18, 19)),
    "Diners Club": ("300 305 309 36 38 39", (14, 16, 19)),
    "Maestro": ("5018 5020 5038 5893 6304 6759 6761 6763", (16, 18, 19)),
    "Mir": ("2200 2204", (16, 17, 18, 19)),
    "RuPay": ("508 60 81 82", (16,)),
    "nobody": ("1 2205 2220 2721 28 306 31 33 3527 359 50 5017 56 59 6303 66 7 80 83 9", ()),
}


@pytest.mark.parametrize("issuer", ISSUERS)
def test_each_issuers_numbers_have_its_lengths(issuer):
    """A number is one by its first digits, its length and its check together, and none by two of them."""
    prefixes, lengths = ISSUERS[issuer]

    for prefix in prefixes.split():
        for length in range(12, 21):
            made = [prefix.ljust(length - 1, "7") + last for last in "0123456789"]
            found = [number for number in made if without_cards(number, PUT) == PUT]
            assert found == [number for number in made if length in lengths and is_luhn(number)]


@pytest.mark.parametrize("piece", WORST)
def test_the_work_grows_with_the_text_alone(piece):
    """Whatever a text of digits and letters looks like, no part of it is read again and again.

    Counted are the lines of code that run: a look at each start by itself would take twenty to fifty a character.
    """
    text = piece * (SIZE // len(piece)) + "0" * 14
    without_cards(text[:100], PUT)
    lines = 0

    def count(frame, event, _):
        nonlocal lines
        lines += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        without_cards(text, PUT)
        without_accounts(text, PUT)
    finally:
        sys.settrace(before)

    assert lines < MOST_LINES_A_CHARACTER * SIZE
