"""Who is acting: one immutable value in a context variable, bound around the calls that log.

A wrong link of two people cannot be undone, so what is merged and what is not is decided here alone, in
`Contact.within` (a contact inside another) and `Contact.apply_to` (an event inside a contact).
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, ParamSpec, TypeVar, cast

from spotzee_logging.event import UserFields, is_plainly_right
from spotzee_logging.foreign import is_async, is_generator

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

CONTACT_FIELDS: Final = ("external_id", "anonymous_id", "user")
"""What an event says of its contact."""

RECORD_ATTRIBUTE: Final = "spotzee_contact"
"""Where `ContactFilter` leaves the contact on a record."""


@dataclass(frozen=True)
class Contact:
    """The ids and profile fields that events take from the context that they are logged in."""

    external_id: str | None = None
    anonymous_id: str | None = None
    user: Mapping[str, Any] | None = None

    def within(self, outer: Contact) -> Contact:
        """This contact, bound inside `outer`: field by field over it, or afresh where it is somebody else.

        Another `external_id` than the outer one is somebody else. So is another `anonymous_id` where the
        outer one has no `external_id`: nothing that the two share says that they are one.
        """
        if _differ(self.external_id, outer.external_id):
            return self
        if outer.external_id is None and _differ(self.anonymous_id, outer.anonymous_id):
            return self
        return Contact(
            self.external_id if self.external_id is not None else outer.external_id,
            self.anonymous_id if self.anonymous_id is not None else outer.anonymous_id,
            _frozen(_merged(outer.user, self.user)),
        )

    def apply_to(self, fields: dict[str, Any]) -> bool:
        """Give an event's fields what they take from this contact; their own ids and user fields win.

        An event that names an id stands for itself: it gets no other id, and the contact's user fields
        only where each id that it names is the contact's.

        Gives whether what it got is all that it says of its contact, and known to keep the rules. Its `user` is then
        the one of every such event, which nobody may change: to look at it once takes 0.9 µs less.
        """
        if "external_id" in fields or "anonymous_id" in fields or "user" in fields:
            self._merge_into(fields)
            return False
        given, are_right = self._once("_given", _given_of)
        fields.update(given)
        return bool(are_right)

    def _merge_into(self, fields: dict[str, Any]) -> None:
        for field in [field for field in CONTACT_FIELDS if fields.get(field, "") is None]:
            del fields[field]
        if "external_id" in fields or "anonymous_id" in fields:
            if fields.get("external_id") not in (None, self.external_id):
                return
            if fields.get("anonymous_id") not in (None, self.anonymous_id):
                return
        else:
            fields.update(_ids_of(self))
        if self.user is not None:
            user, own = plain_user(self.user), fields.get("user")
            fields["user"] = user if own is None else _merged(user, own)

    def _once(self, name: str, make: Callable[[Contact], Any]) -> Any:
        """What `make` gives, kept. Not by cached_property, whose lock (until Python 3.12) would not survive a fork."""
        kept = self.__dict__
        if name not in kept:
            kept[name] = make(self)
        return kept[name]


def _ids_of(who: Contact) -> dict[str, Any]:
    ids = (("external_id", who.external_id), ("anonymous_id", who.anonymous_id))
    return {field: value for field, value in ids if value is not None}


def _given_of(who: Contact) -> tuple[dict[str, Any], bool]:
    """What an event gets that says nothing of its contact, and whether that surely keeps the rules."""
    given = _ids_of(who)
    if who.user is not None:
        given["user"] = plain_user(who.user)
    return given, is_plainly_right({"name": "any", **given})


NOBODY: Final = Contact()


class LazyContact(Contact):
    """A contact that is looked for with the first event that takes it, and again until somebody is found.

    :param find: gives the contact, or `NOBODY`; it must not raise. Events that it logs itself are nobody's.
    """

    _find: Callable[[], Contact]
    _found: Contact

    def __init__(self, find: Callable[[], Contact]) -> None:
        object.__setattr__(self, "_find", find)
        object.__setattr__(self, "_found", NOBODY)

    # By identity: asgiref compares all context variables where it carries them between threads, and would find the
    # contact, with the session's query, in requests that log nothing.

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    # Nobody may set a frozen field: that these three are properties is seen by a type checker alone.

    @property
    def external_id(self) -> str | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self._now().external_id

    @property
    def anonymous_id(self) -> str | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self._now().anonymous_id

    @property
    def user(self) -> Mapping[str, Any] | None:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self._now().user

    def __repr__(self) -> str:
        return repr(self._now())

    def apply_to(self, fields: dict[str, Any]) -> bool:
        """The same of the contact that is found."""
        return self._now().apply_to(fields)

    def _now(self) -> Contact:
        if self._found is NOBODY:
            with acting(NOBODY):
                object.__setattr__(self, "_found", self._find())
        return self._found


_current: ContextVar[Contact] = ContextVar("spotzee_contact", default=NOBODY)

# Each `with contact(...)` that is open here, with who was acting around it. Not the variable's own tokens:
# one contact may be entered by many threads and tasks at once, and a framework may leave it in another
# context than it was entered in, where a token raises.
_open: ContextVar[tuple[tuple[object, Contact], ...]] = ContextVar("spotzee_open_contacts", default=())


class contact:  # noqa: N801  read as a word at the call, like contextlib's own
    """Bind who is acting for the events logged inside; a context manager, and a decorator.

    :param external_id: the contact's id in your system.
    :param anonymous_id: the contact's id from before it was known. Bound together with an `external_id`,
        or inside a contact that has one, it links the two for good, as a login should.
    :param user: profile fields applied with each event (see `UserFields`).

    It holds for this thread or asyncio task, and for tasks that are created in it, as context variables do; another
    thread begins with nobody, but for `asyncio.to_thread`. Inside another contact the two merge field by field,
    unless this one names another `external_id`: then it starts afresh. As a decorator it takes plain and `async`
    functions; a generator would leave it bound between its steps, and a class would become a function, so decorating
    one raises `TypeError`. Nothing else here raises: what breaks a rule of the API is said of the event that takes it.

    >>> with contact(anonymous_id="anon-2c8a3e"), contact(external_id="cust_001"):
    ...     get_contact()
    Contact(external_id='cust_001', anonymous_id='anon-2c8a3e', user=None)
    """

    def __init__(
        self,
        *,
        external_id: str | None = None,
        anonymous_id: str | None = None,
        user: UserFields | None = None,
    ) -> None:
        self._contact = make_contact(external_id, anonymous_id, user)

    def __enter__(self) -> None:
        _open.set((*_open.get(), (self, _current.get())))
        _bind(self._contact)

    def __exit__(self, *_: object) -> None:
        _leave(self)

    def __call__(self, function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        """Bind the contact around each call of `function`."""
        if inspect.isclass(function):
            raise TypeError(
                f"contact(...) cannot decorate the class {function.__name__}, which would become a function: "
                "decorate its methods, or put `with contact(...):` around what makes and uses its instances."
            )
        if is_generator(function):
            name = getattr(function, "__qualname__", repr(function))  # a partial has none
            raise TypeError(
                f"contact(...) cannot decorate the generator {name}: "
                "inside it put `with contact(...):` around the lines that log, and around no yield."
            )

        @functools.wraps(function)
        def call(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            with self:
                return function(*args, **kwargs)

        @functools.wraps(function)
        async def call_async(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Any:
            with self:
                return await cast("Callable[Parameters, Awaitable[Any]]", function)(*args, **kwargs)

        return cast("Callable[Parameters, Result]", call_async if is_async(function) else call)


def bind_contact(
    *, external_id: str | None = None, anonymous_id: str | None = None, user: UserFields | None = None
) -> None:
    """Bind who is acting from here on, for middleware that cannot wrap the call; see `contact`.

    Call `clear_contact` first, or last, in each request: a server's thread serves the next one too.
    Never raises.
    """
    _bind(make_contact(external_id, anonymous_id, user))


def clear_contact() -> None:
    """Forget who is acting, in this task or thread. Never raises."""
    _current.set(NOBODY)


def get_contact() -> Contact:
    """Who is acting here: `external_id`, `anonymous_id` and `user`, each None where it is not bound."""
    return _current.get()


class ContactFilter(logging.Filter):
    """Copies the contact of the call onto the record, for handlers that work elsewhere.

    Put it on a `QueueHandler`, whose listener formats in a thread (or process) that knows no contact, or on
    a `MemoryHandler`, whose target formats in the context of whoever fills it. A record that has one already
    keeps it. The copy is a dict of plain values, so that it pickles.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, with `record.spotzee_contact`, also where it says that nobody is bound."""
        if not hasattr(record, RECORD_ATTRIBUTE):
            setattr(record, RECORD_ATTRIBUTE, as_dict(_current.get()))
        return True


def contact_of(record: logging.LogRecord) -> Contact:
    """The contact that `ContactFilter` left on the record, else the one bound here."""
    left = record.__dict__.get(RECORD_ATTRIBUTE)
    return _current.get() if left is None else make_contact(**left)


def as_dict(bound: Contact) -> dict[str, Any]:
    """What stands on a record for a contact: plain dicts, which pickle."""
    ids = {"external_id": bound.external_id, "anonymous_id": bound.anonymous_id}
    return {**ids, "user": plain_user(bound.user)}


def _bind(inner: Contact) -> None:
    _current.set(inner.within(_current.get()))


def _leave(opener: object) -> None:
    """Close what `opener` opened last in this context, if anything: who acted around it acts again.

    Where another was opened since, as by a generator that is not yet at its end, that one stays open.
    """
    levels = _open.get()
    for index in reversed(range(len(levels))):
        if levels[index][0] is not opener:
            continue
        outer, above = levels[index][1], levels[index + 1 :]
        if above:
            above = ((above[0][0], outer), *above[1:])
        else:
            _current.set(outer)
        _open.set((*levels[:index], *above))
        return


def make_contact(external_id: Any = None, anonymous_id: Any = None, user: Any = None) -> Contact:
    """A contact of fields that nobody has checked: what breaks a rule is said of the event that takes it."""
    return Contact(external_id, anonymous_id, _frozen(user))


def replace_contact(who: Contact) -> Contact:
    """Have `who` act here in the place of whoever does, merged with nobody, and give the latter."""
    outer = _current.get()
    _current.set(who)
    return outer


@contextmanager
def acting(who: Contact) -> Iterator[None]:
    """Have `who` act in the place of whoever does: around a request, or a task."""
    outer = replace_contact(who)
    try:
        yield
    finally:
        replace_contact(outer)


def _merged(under: Any, over: Any) -> Any:
    """Profile fields of `over` on those of `under`, their `data` key by key; neither is changed.

    What is no mapping is kept as it is, for the rules of an event to refuse.
    """
    if not isinstance(under, Mapping) or not isinstance(over, Mapping):
        return under if over is None else over
    merged = {**under, **over}
    if isinstance(under.get("data"), Mapping) and isinstance(over.get("data"), Mapping):
        merged["data"] = {**under["data"], **over["data"]}
    return merged


def _frozen(user: Any) -> Any:
    """A copy of the profile fields that nobody can change."""
    if not isinstance(user, Mapping):
        return user
    frozen = dict(user)
    data = frozen.get("data")
    if isinstance(data, Mapping):
        frozen["data"] = MappingProxyType(dict(data))
    return MappingProxyType(frozen)


def plain_user(user: Any) -> Any:
    """The user fields of a contact as new dicts: encoders take these as they are, and nobody else holds them."""
    if type(user) not in _DICTS:
        return user
    made = dict(user)
    data: Any = made.get("data")
    if type(data) in _DICTS:
        made["data"] = dict(data)
    return made


_DICTS: Final = frozenset({dict, MappingProxyType})


def _differ(inner: str | None, outer: str | None) -> bool:
    return inner is not None and outer is not None and inner != outer
