"""Points in time as the API takes them."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spotzee_logging import timestamps

# A busy machine is no failure.
RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

EPOCH = datetime(1970, 1, 1)
SYDNEY = timezone(timedelta(hours=10))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1777353240.25, "2026-04-28T05:14:00.250Z"),
        (1777353240.001, "2026-04-28T05:14:00.001Z"),
        (1777353240.9994, "2026-04-28T05:14:00.999Z"),
        (1777353240.9999999, "2026-04-28T05:14:01.000Z"),
        (-0.5, "1969-12-31T23:59:59.500Z"),
        (4102444799.999, "2099-12-31T23:59:59.999Z"),
    ],
)
def test_a_records_created_is_said_in_utc_with_milliseconds(seconds, text):
    """A record's `created` becomes ISO 8601 in UTC, to the millisecond."""
    assert timestamps.from_epoch(seconds) == text


def test_a_time_just_before_the_last_one_is_in_its_own_second():
    """Half a millisecond before the second that was said last is still the second before."""
    timestamps.from_epoch(1777353240.5)

    assert timestamps.from_epoch(1777353239.9995) == "2026-04-28T05:13:59.999Z"


@RELAXED
@given(st.lists(st.integers(0, 2**32 * 1_000_000), min_size=1, max_size=20))
def test_any_order_of_times_is_said_right(moments):
    """Whichever time was said last, the next is right to the millisecond."""
    expected = [(EPOCH + timedelta(microseconds=each)).isoformat(timespec="milliseconds") for each in moments]

    assert [timestamps.from_epoch(each / 1_000_000) for each in moments] == [f"{text}Z" for text in expected]


@RELAXED
@given(st.integers(1_777_353_240_000, 1_777_353_243_000), st.integers(-2000, 2000))
def test_neighbouring_seconds_do_not_borrow_each_others_text(milliseconds, step):
    """Two records within two seconds of each other, in either order, each have their own time."""
    for each in (milliseconds, milliseconds + step):
        expected = (EPOCH + timedelta(milliseconds=each)).isoformat(timespec="milliseconds")
        assert timestamps.from_epoch(each / 1000) == f"{expected}Z"


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 4, 28, 5, 14), "2026-04-28T05:14:00.000Z"),
        (datetime(2026, 4, 28, 5, 14, 0, 250_000), "2026-04-28T05:14:00.250Z"),
        (datetime(2026, 4, 28, 5, 14, 0, 250_001), "2026-04-28T05:14:00.250001Z"),
        (datetime(2026, 4, 28, 15, 14, tzinfo=SYDNEY), "2026-04-28T05:14:00.000Z"),
        (datetime(2026, 1, 1, 5, tzinfo=SYDNEY), "2025-12-31T19:00:00.000Z"),
        (datetime.max, "9999-12-31T23:59:59.999999Z"),
        (datetime.min, "0001-01-01T00:00:00.000Z"),
    ],
)
def test_a_datetime_is_said_in_utc_and_a_naive_one_is_taken_for_utc(moment, text):
    """The instant is kept, in UTC; a datetime without a zone counts as UTC."""
    assert timestamps.from_datetime(moment) == text


@pytest.mark.parametrize(
    "moment",
    [
        datetime.min.replace(tzinfo=SYDNEY),
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-10))),
    ],
)
def test_an_instant_outside_of_all_calendars_is_refused(moment):
    """An instant that has no date in UTC raises instead of being bent."""
    with pytest.raises((ValueError, OverflowError)):
        timestamps.from_datetime(moment)


def test_pandas_nat_is_no_time():
    """A missing time of pandas, a datetime that does not equal itself, is not sent as the text NaT."""

    class Missing(datetime):
        __hash__ = None

        def __ne__(self, other):
            return True

        def __eq__(self, other):
            return False

    with pytest.raises(ValueError):
        timestamps.from_datetime(Missing(2026, 4, 28))


@pytest.mark.parametrize(
    "text",
    [
        "2026-04-28T05:14:00Z",
        "2026-04-28t05:14:00z",
        "2026-04-28T15:14:00+10:00",
        "2026-04-28T05:14:00-00:00",
        "2026-04-28T05:14:00.1Z",
        "2026-04-28T05:14:00.123456789-09:30",
        "2016-12-31T23:59:60Z",
        "2024-02-29T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59+00:00",
    ],
)
def test_a_text_of_rfc_3339_is_kept_to_the_letter(text):
    """What the API can read already, leap seconds among it, is not rewritten."""
    assert timestamps.from_text(text) == text


@pytest.mark.parametrize(
    ("given_text", "said"),
    [
        ("2026-04-28", "2026-04-28T00:00:00Z"),
        ("2026-04-28T05:14", "2026-04-28T05:14:00Z"),
        ("2026-04-28T05:14Z", "2026-04-28T05:14:00Z"),
        ("2026-04-28 05:14:00", "2026-04-28T05:14:00Z"),
        ("2026-04-28T05:14:00.5", "2026-04-28T05:14:00.5Z"),
        ("2026-04-28T05:14:00,5Z", "2026-04-28T05:14:00.5Z"),
        ("2026-04-28T05:14:00+10", "2026-04-28T05:14:00+10:00"),
        ("2026-04-28T05:14:00+1030", "2026-04-28T05:14:00+10:30"),
        ("2026-04-28 05:14:00+10:00", "2026-04-28T05:14:00+10:00"),
        ("2016-12-31 23:59:60", "2016-12-31T23:59:60Z"),
    ],
)
def test_what_people_write_besides_is_completed(given_text, said):
    """Other forms of ISO 8601 become one of RFC 3339; without an offset it counts as UTC."""
    assert timestamps.from_text(given_text) == said


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "28.04.2026",
        "20260428T051400Z",
        "2026-04-28T",
        "2026-04-28T05",
        "2026-4-28",
        "2026-02-30",
        "2025-02-29T00:00:00Z",
        "2026-13-01",
        "0000-01-01",
        "2026-04-28T24:00:00Z",
        "2026-04-28T25:00:00Z",
        "2026-04-28T05:60:00Z",
        "2026-04-28T05:14:61Z",
        "2026-04-28T05:14.5Z",
        "2026-04-28T05:14:00.Z",
        "2026-04-28T05:14:00+24:00",
        "2026-04-28T05:14:00+10:75",
        "2026-04-28T05:14:00 Z",
        " 2026-04-28",
        "2026-04-28T05:14:00Z\n",
        "2026-W18-2",
        "1777353240",
        "٢٠٢٦-04-28",
    ],
)
def test_no_time_of_iso_8601_is_refused(text):
    """A text that names no existing time raises, on every Python alike."""
    with pytest.raises(ValueError):
        timestamps.from_text(text)


@RELAXED
@given(st.datetimes(timezones=st.sampled_from([None, timezone.utc, SYDNEY]), min_value=datetime(2, 1, 1)))
def test_what_is_said_of_a_datetime_is_kept_as_a_text(moment):
    """A datetime's text is one that would be kept to the letter, and names the same instant."""
    said = timestamps.from_datetime(moment)

    assert timestamps.from_text(said) == said
    aware = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    assert datetime.fromisoformat(said.replace("Z", "+00:00")) == aware
