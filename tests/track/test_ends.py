"""`on=` and `when=`: which calls make an event."""

import re

import pytest

from spotzee_logging.tracking import arg, elapsed, error, result, track


def fail_or(outcome):
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


def run(outcome, **how):
    tracked = track("x", external_id="c", data={"error": error, "result": result}, **how)(fail_or)
    if isinstance(outcome, BaseException):
        with pytest.raises(type(outcome)) as caught:
            tracked(outcome)
        assert outcome is caught.value
    else:
        assert outcome == tracked(outcome)


RETURNED = {"error": None, "result": 1}
RAISED = {"error": "ValueError: no"}


@pytest.mark.parametrize(
    ("on", "expected"), [("return", [RETURNED]), ("raise", [RAISED]), ("both", [RETURNED, RAISED])]
)
def test_on_says_which_ends_are_events(catcher, on, expected):
    """`error` is None where the call returned, and `result` is left out where it raised."""
    run(1, on=on)
    run(ValueError("no"), on=on)

    assert expected == [event.data for event in catcher.events]


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), SystemExit(3), GeneratorExit(), StopIteration(1)])
def test_every_exception_that_leaves_the_body_is_a_raise(catcher, failure):
    """Those that are meant for the program too, and they go on to it."""
    run(failure, on="raise")
    run(failure, on="return")

    assert 1 == len(catcher.events)


def test_paths_into_the_error(catcher):
    """`error.args[0]` as the design writes it."""
    tracked = track("x", external_id="c", on="raise", data={"reason": error.args[0]})(fail_or)
    with pytest.raises(ValueError):
        tracked(ValueError("empty"))

    assert {"reason": "empty"} == catcher.one.data


def test_when_decides_over_the_call(catcher):
    """A predicate over arguments, result, error and time."""
    tracked = track(
        "x",
        external_id="c",
        data={"n": arg.n},
        on="both",
        when=lambda call: call.arguments["n"] > 1 and (call.error or call.result > 2) and call.elapsed >= 0,
    )(lambda n: 1 / (n - 3))
    for n in (1, 2, 3.25):
        tracked(n)
    with pytest.raises(ZeroDivisionError):
        tracked(3)

    assert [3.25, 3] == [event.data["n"] for event in catcher.events]


def test_a_predicate_that_answers_is_spoken_of_nowhere(catcher, caplog):
    """Whether it wants a call or not."""
    for number in range(2):
        track("x", external_id="c", when=lambda call, number=number: number)(lambda: 3)()

    assert "x" == catcher.one.name
    assert [] == [record for record in caplog.records if record.name == "spotzee_logging"]


def test_a_predicate_that_raises_makes_no_event(catcher, caplog):
    """No event, one line that says so, and the program goes on."""
    tracked = track("x", external_id="c", when=lambda call: call.result.missing)(lambda: 3)

    assert [3, 3] == [tracked(), tracked()]
    assert [] == catcher.events
    (said,) = [record.getMessage() for record in caplog.records if record.name == "spotzee_logging"]
    assert re.fullmatch(
        r"track: the predicate when= raised AttributeError \(.*test_ends\.py, line \d+\); the call makes no event\.",
        said,
    )


def test_a_predicate_whose_answer_has_no_truth(catcher):
    """An answer that cannot be tested is no yes."""

    class Odd:
        def __bool__(self):
            raise ValueError

    assert 3 == track("x", external_id="c", when=lambda call: Odd())(lambda: 3)()
    assert [] == catcher.events


def test_elapsed_of_a_call_that_raised(catcher):
    """It has a time too."""
    tracked = track("x", external_id="c", on="raise", data={"seconds": elapsed})(fail_or)
    with pytest.raises(ValueError):
        tracked(ValueError())

    assert 0 <= catcher.one.data["seconds"] < 60
