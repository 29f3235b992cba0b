"""`with track(...)`: the call is a block, and its event a draft that the block fills in."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from time import perf_counter
from types import FrameType
from typing import Any, Final

from spotzee_logging.contact import get_contact
from spotzee_logging.event import TooLarge, Unresolved
from spotzee_logging.track_call import Call
from spotzee_logging.track_plan import Ends
from spotzee_logging.track_road import Road
from spotzee_logging.track_template import Template, unchangeable


class Draft:
    """The event of a block, to be filled in until the block ends.

    :param name: the event's name.
    :param data: its payload; what is put in wins over what `track` was given.
    :param user: profile fields, likewise.

    `external_id` and `anonymous_id` may be set; setting one to None says that the contact is not known
    after all, and makes the event invalid, rather than one of whoever the context names. Never raises.
    """

    __slots__ = ("_ids", "data", "name", "user")

    def __init__(self, name: str, data: dict[str, Any], user: dict[str, Any], ids: dict[str, Any]) -> None:
        self.name = name
        self.data = data
        self.user = user
        self._ids = ids

    @property
    def external_id(self) -> str | None:
        """The contact's id in your system; None where none was given."""
        return self._ids.get("external_id")

    @external_id.setter
    def external_id(self, value: str | None) -> None:
        self._ids["external_id"] = value

    @property
    def anonymous_id(self) -> str | None:
        """The contact's id from before it was known; None where none was given."""
        return self._ids.get("anonymous_id")

    @anonymous_id.setter
    def anonymous_id(self, value: str | None) -> None:
        self._ids["anonymous_id"] = value

    def __repr__(self) -> str:
        return f"<Draft of {self.name!r}>"  # not its data: a repr may end in a log


class BlockTemplate:
    """What `track` was told of a block's event: what is known before, and what only at its end.

    Raises TypeError for a marker that a block has no value for.
    """

    def __init__(self, event_name: str, fields: Mapping[str, Any]) -> None:
        now: dict[str, Any] = {}
        later: dict[str, Any] = {}
        for field, value in fields.items():
            if isinstance(value, Mapping):
                now[field] = {key: item for key, item in value.items() if not _comes_later(item)}
                later[field] = {key: item for key, item in value.items() if _comes_later(item)}
            else:
                (later if _comes_later(value) else now)[field] = value
        self.event_name = event_name
        self._now = Template(event_name, now, None, event_name)
        self._later = Template(event_name, later, None, event_name)

    def draft(self, call: Call) -> Draft:
        """A new draft, which shares no dict or list with what `track` was given."""
        known = self._now.fill(call)
        ids: dict[str, Any] = {field: known[field] for field in _IDS if field in known}
        return Draft(self.event_name, known.get("data", {}), known.get("user", {}), ids)

    def fill(self, call: Call, draft: Draft) -> dict[str, Any]:
        """The event of a block that has ended. Never raises."""
        tag = self._later.fill(call)
        tag["name"] = draft.name
        for field, value in draft._ids.items():  # noqa: SLF001  of this module's own class
            tag[field] = Unresolved("was set to None in the draft") if value is None else value
        for field, given in (("data", draft.data), ("user", draft.user)):
            late = tag.get(field)
            if type(late) is TooLarge:
                continue  # it makes the event too large
            both = {**late, **given} if isinstance(late, Mapping) and isinstance(given, Mapping) else given
            if both or not isinstance(both, Mapping):
                tag[field] = unchangeable(both)
        return tag


class Block:
    """One run of a `with track(...)` block.

    :param frame: where it was entered.
    """

    def __init__(self, template: BlockTemplate, ends: Ends, road: Road, frame: FrameType) -> None:
        self.frame: FrameType | None = frame
        self._template = template
        self._ends = ends
        self._road = road
        self._call = Call(get_contact())
        self.draft = template.draft(self._call)

    def end(self, error: BaseException | None) -> None:
        """The block has ended. Raises only `InvalidEvent`, and only where a handler is strict."""
        # Thrown into a generator that is closed early, which is its end like any other.
        raised = None if isinstance(error, GeneratorExit) else error
        if not (self._ends.on_return if raised is None else self._ends.on_raise):
            return
        call = self._call
        call.elapsed = perf_counter() - call.started
        call.error = raised
        if self._ends.lets_pass(call):
            self._road.send(self._template.fill(call, self.draft), call.contact)
        call.error = None


_open_here: Final[ContextVar[tuple[Block, ...]]] = ContextVar("spotzee_open_blocks", default=())


class OpenBlocks:
    """The blocks of one `track(...)` that have begun and not ended.

    The same one may be entered again inside itself, and by many tasks and threads at once; and it may be
    left in another context than it was entered in, as a framework's generator dependencies are.
    """

    def __init__(self) -> None:
        self._blocks: list[Block] = []

    def push(self, block: Block) -> None:
        self._blocks.append(block)
        _open_here.set((*_open_here.get(), block))

    def pop(self, frame: FrameType) -> Block:
        """The block that is left in `frame`: what entered it tells best, and its context where that is another's.

        An ExitStack, say, enters and leaves in frames of its own.
        """
        of_frame = [block for block in self._blocks if block.frame is frame]
        here = [block for block in _open_here.get() if block in self._blocks]
        block = (of_frame or here or self._blocks)[-1]
        self._blocks.remove(block)
        # A context that was copied meanwhile has the block yet, and would keep all local variables of the frame.
        block.frame = None
        _open_here.set(tuple(each for each in _open_here.get() if each is not block))
        return block


_IDS: Final = ("external_id", "anonymous_id")


def _comes_later(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_comes_later, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(_comes_later, value))
    return callable(value)  # as markers are, too
