"""Who is acting: a `Contact` in a context variable, bound around the calls that log."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, ParamSpec, TypeVar, cast

from spotzee_logging.event import UserFields
from spotzee_logging.foreign import is_async, is_generator
from spotzee_logging.identity import NOBODY, Contact, as_dict, make_contact

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

RECORD_ATTRIBUTE: Final = "spotzee_contact"
"""Where `ContactFilter` leaves the contact on a record."""


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
    """Bind who is acting for the events logged inside; a context manager, for `async with` too, and a decorator.

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

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()

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
