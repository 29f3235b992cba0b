"""What happens around each call of one tracked function: it begins, it ends, and its event is logged."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

from spotzee_logging.contact import get_contact
from spotzee_logging.foreign import attempt
from spotzee_logging.track_arguments import Layout
from spotzee_logging.track_call import Call
from spotzee_logging.track_diagnostics import say_failure
from spotzee_logging.track_road import Road
from spotzee_logging.track_template import Template

When = Callable[[Call], Any]


class Ends:
    """Which ends of a call make an event: `on`, and the predicate `when`."""

    def __init__(self, on: str, when: When | None) -> None:
        self.on_return = on in {"return", "both"}
        self.on_raise = on in {"raise", "both"}
        self._when = when
        self.asks_for_call = when is not None

    def lets_pass(self, call: Call) -> bool:
        """Whether `when` wants this call. Never raises: where `when` does, it does not want it."""
        if self._when is None:
            return True
        wanted, failure = attempt(_truth, self._when, call)
        if failure is not None:
            say_failure("the predicate when=", failure, "the call makes no event")
        return bool(wanted)


class Plan:
    """Everything about one tracked function that is worked out before its calls."""

    def __init__(self, template: Template, layout: Layout, ends: Ends, road: Road) -> None:
        self._template = template
        self._ends = ends
        self._road = road
        self._layout = layout if template.asks_for_call or ends.asks_for_call else None
        self._reads = template.reads

    def begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        """Take what the event needs of a call before its body runs. Never raises."""
        call = Call(get_contact())
        if self._reads:
            call.read_before = [read(args, kwargs) for read in self._reads]
        if self._layout is not None:
            call.keep_arguments(self._layout, args, kwargs)
        return call

    def returned(self, call: Call, outcome: Any) -> None:
        """The call has ended well. Raises only `InvalidEvent`, and only where a handler is strict."""
        if self._ends.on_return:
            call.outcome = outcome
            self._log(call)

    def raised(self, call: Call, error: BaseException) -> None:
        """The call was left by an exception. Raises as `returned` does."""
        if self._ends.on_raise:
            call.error = error
            self._log(call)

    def _log(self, call: Call) -> None:
        call.elapsed = perf_counter() - call.started
        if self._ends.lets_pass(call):
            self._road.send(self._template.fill(call), call.contact)


def _truth(when: When, call: Call) -> bool:
    return bool(when(call))
