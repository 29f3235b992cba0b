"""Errors: what they carry, what they are caught as, and that they travel."""

import pickle

import pytest

from spotzee_logging import errors
from spotzee_logging.errors import did_you_mean

ABOUT = {
    "event_name": "order_placed",
    "external_id": "cust_001",
    "anonymous_id": "anon-2c8a3e",
    "request_id": "req_9",
    "reason": "validation_failed",
}

EVERY_KIND = [
    errors.SpotzeeError("what happened", **ABOUT),
    errors.InvalidEvent("what happened", field="user.timezone", **ABOUT),
    errors.InvalidSettings("what happened", setting="capacity"),
    errors.MissingExtra("The sandbox", "sandbox"),
    errors.MissingLibrary("spotzee_logging.contrib.django", "django"),
    errors.SpoolError("what happened", path="events.db"),
    errors.EventRejected("what happened", **ABOUT),
    errors.EventDropped("what happened", **ABOUT),
    errors.DeliveryPaused("what happened", **ABOUT),
]


def test_every_kind_is_among_these():
    """What the module offers, and no more, is held to what follows."""
    assert {type(error).__name__ for error in EVERY_KIND} == {*errors.__all__}


@pytest.mark.parametrize("error", EVERY_KIND, ids=lambda error: type(error).__name__)
def test_every_error_survives_a_trip_between_processes(error):
    """A worker's error arrives in the parent with its message and all that it carries."""
    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


@pytest.mark.parametrize("error", EVERY_KIND, ids=lambda error: type(error).__name__)
def test_one_except_catches_them_all(error):
    """`except SpotzeeError` is enough."""
    assert isinstance(error, errors.SpotzeeError)


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (errors.InvalidEvent, ValueError),
        (errors.InvalidSettings, ValueError),
        (errors.MissingExtra, ImportError),
        (errors.MissingLibrary, ImportError),
        (errors.SpoolError, OSError),
    ],
)
def test_an_error_is_also_what_a_caller_would_catch(kind, builtin):
    """Who knows Python's own exceptions catches ours by them."""
    assert issubclass(kind, builtin)


def test_an_error_says_which_event():
    """An error carries the event's name and ids, the request's id and the word it is counted under."""
    error = errors.EventRejected("what happened", **ABOUT)

    assert {field: getattr(error, field) for field in ABOUT} == ABOUT
    assert str(error) == "what happened"


def test_a_missing_extra_gives_the_command_that_installs_it():
    """The message can be pasted into a shell."""
    error = errors.MissingExtra("The sandbox", "sandbox")

    assert str(error) == 'The sandbox needs more than is installed: pip install "spotzee-logging[sandbox]"'


def test_every_error_is_listed():
    """`errors.__all__` names every error class, and nothing else."""
    kinds = {
        name for name, each in vars(errors).items() if isinstance(each, type) and issubclass(each, Exception)
    }

    assert set(errors.__all__) == kinds


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        ("externalId", " Did you mean external_id?"),
        ("ExternalID", " Did you mean external_id?"),
        ("external-id", " Did you mean external_id?"),
        ("extenal_id", " Did you mean external_id?"),
        ("anonymousId", " Did you mean anonymous_id?"),
        ("EXTERNAL_ID", " Did you mean external_id?"),
        ("colour", ""),
        ("", ""),
        (7, ""),
        (None, ""),
    ],
)
def test_a_misspelt_word_meets_the_one_that_was_meant(word, answer):
    """Other APIs' spellings and slips of the finger are recognised; a stranger is not forced into a match."""
    assert did_you_mean(word, {"external_id", "anonymous_id", "data"}) == answer
