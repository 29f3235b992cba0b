"""Bad tags: those that stand in a program's source, and those that it logged while it was loaded."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from spotzee_logging.cli.doctor.findings import Examined, Finding
from spotzee_logging.cli.doctor.sources import Source
from spotzee_logging.cli.doctor.tagged_lines import LOG_METHODS, Loggers, argument
from spotzee_logging.errors import InvalidEvent
from spotzee_logging.event import check_event
from spotzee_logging.formatter import TAG

_GOOD: Final[Mapping[str, Any]] = {
    "name": "x",
    "external_id": "x",
    "anonymous_id": "x",
    "data": {},
    "user": {},
    "created_at": "2026-04-28T05:14:00Z",
    "email": "x",
    "phone": "x",
    "timezone": "UTC",
    "locale": "en",
}
"""What stands in for a value that only the running program knows."""

_UNKNOWN: Final = object()
_BINDERS: Final = frozenset({"contact", "bind_contact", "ContactFilter"})
_BINDING_MODULES: Final = tuple(
    f"spotzee_logging.contrib.{name}" for name in ("asgi", "celery", "django", "flask")
)
"""A program that has one of these may bind who is acting: a tag without an id is none of the bad then."""

_NEARLY: Final = 0.85
"""How alike a key must be to count as the tag, misspelt; `spotzee_contact` is 0.71."""

_REMEDY_OF_PLACE: Final = f'Tag the line by extra={{"{TAG}": ...}}.'
_REMEDY: Final = "Set the tag right there."


def bad_tags(examined: Examined) -> Iterator[Finding]:
    """Tags that break a rule of the API, as far as they stand in the source."""
    if examined.program is None:
        return
    sources = examined.program.sources
    binds = sources.mention(_BINDERS) or sources.lean_on(_BINDING_MODULES)
    found = [each for source in sources.of_modules for each in _found_in(source, may_have_contact=binds)]
    seen = {problem for _, problem, _ in found}
    for rejected in dict.fromkeys(examined.program.rejected):
        if rejected not in seen:  # else it is told with its place
            yield Finding(f"while it was loaded: {rejected}", _REMEDY)
    for place, problem, remedy in found:
        yield Finding(f"{place}: {problem}", remedy)


def _found_in(source: Source, *, may_have_contact: bool) -> Iterator[tuple[str, str, str]]:
    """Each problem of a module: its place, what it is and what to do."""
    loggers = Loggers(source)
    for node in ast.walk(source.tree):
        problem, remedy = None, _REMEDY
        if TAG in (members := _members(node)):
            problem = _problem(members, may_have_contact=may_have_contact)
        elif isinstance(node, ast.Call):
            problem, remedy = _misspelt_in(node) or _misplaced_in(node, loggers), _REMEDY_OF_PLACE
        if problem is not None:
            yield f"{source.place}:{getattr(node, 'lineno', 0)}", problem, remedy


def _misspelt_in(call: ast.Call) -> str | None:
    keys = [key for key in _members(argument(call, "extra")) if isinstance(key, str)]
    near = difflib.get_close_matches(TAG, keys, n=1, cutoff=_NEARLY)
    return f"the key {near[0]!r} is no tag" if near and TAG not in keys else None


def _misplaced_in(call: ast.Call, loggers: Loggers) -> str | None:
    """A tag among what is to be put into a line's text; not as the line itself, which a mapping may be."""
    method = call.func
    if not isinstance(method, ast.Attribute) or method.attr not in LOG_METHODS:
        return None
    if not loggers.of(method.value) and "log" not in ast.unparse(method.value).lower():
        return None  # of the program's own, which may make an extra of it
    arguments = call.args[2:] if method.attr == "log" else call.args[1:]
    if any(TAG in _members(each) for each in arguments):
        return "the tag is an argument of the line's text, where nobody sees it"
    return None


def _members(node: ast.AST | None) -> dict[Any, Any]:
    """Those of a dict, be it `{...}` or `dict(...)`; none of anything else."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict":
        keys: list[ast.expr | None] = [ast.Constant(each.arg) if each.arg else None for each in node.keywords]
        written = _literals(ast.Dict(keys, [each.value for each in node.keywords]))
        return {**({_UNKNOWN: _UNKNOWN} if node.args else {}), **written}
    return _literals(node) if isinstance(node, ast.Dict) else {}


def _literals(node: ast.Dict) -> dict[Any, Any]:
    """The members of a dict that is written out; what is not written out is `_UNKNOWN`, `**` among it."""
    members: dict[Any, Any] = {}
    for key, value in zip(node.keys, node.values, strict=True):
        if key is None:
            members[_UNKNOWN] = _UNKNOWN
        elif isinstance(key, ast.Constant):
            members[key.value] = _members(value) or _literal(value)
    return members


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return _UNKNOWN


def _problem(extra: Mapping[Any, Any], *, may_have_contact: bool) -> str | None:
    """What is wrong with the tag of this `extra`; None where nothing can be seen to be."""
    tag = extra[TAG]
    if tag is None or tag is _UNKNOWN:
        return None
    if isinstance(tag, str):
        ids = {field: extra[field] for field in ("external_id", "anonymous_id", "user") if field in extra}
        if not isinstance(ids.get("user"), dict):  # then it is data, as other extras are
            ids.pop("user", None)
        tag = {"name": tag, **ids, **({_UNKNOWN: _UNKNOWN} if _UNKNOWN in extra else {})}
    if not isinstance(tag, dict):
        return f"{TAG} is a {type(tag).__name__}, and must be a mapping or a name"
    fields = _filled(tag)
    has_id = any(fields.get(field) is not None for field in ("external_id", "anonymous_id"))
    if _UNKNOWN in tag:
        fields = {"name": "x", **fields}
    if not has_id and (may_have_contact or _UNKNOWN in tag):
        fields["external_id"] = "x"
    try:
        check_event(fields)
    except InvalidEvent as error:
        return str(error)
    return None


def _filled(members: Mapping[Any, Any]) -> dict[Any, Any]:
    """The members with something good in the place of each that is not known."""
    filled = {}
    for field, value in members.items():
        if field is _UNKNOWN:
            continue
        if value is _UNKNOWN:
            value = _GOOD.get(field)  # noqa: PLW2901
        filled[field] = _filled(value) if field == "user" and isinstance(value, dict) else value
    return filled
