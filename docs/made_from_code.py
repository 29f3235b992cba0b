"""The parts of the reference that are made from the code: `python docs/made_from_code.py` writes them anew.

A part stands in a page between `<!-- made: its name -->` and `<!-- end -->`. tests/test_docs.py holds the pages to it.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import os
import pathlib
import re
import textwrap
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

import click

import spotzee_logging
from spotzee_logging import (
    answers,
    client,
    diagnostics,
    errors,
    event,
    intake,
    markers,
    plain_values,
    schedule,
    settlement,
)
from spotzee_logging import pytest_plugin as plugin
from spotzee_logging.buffers import spool_store
from spotzee_logging.cli.commands import cli
from spotzee_logging.contrib import asgi, celery, django, flask, serverless
from spotzee_logging.sandbox import Sandbox
from spotzee_logging.settings import Settings
from spotzee_logging.testing import tracked_events

DOCS = pathlib.Path(__file__).parent
PART = re.compile(r"(<!-- made: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def pages() -> list[pathlib.Path]:
    """The pages that have such parts."""
    return [page for page in sorted(DOCS.glob("**/*.md")) if PART.search(page.read_text())]


def filled_in(page: str) -> str:
    """The text of a page, with each part as the code has it."""
    return PART.sub(lambda match: f"{match[1]}\n{PARTS[match[2]]().strip()}\n\n{match[3]}", page)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a `|` within a cell would begin another, in code too."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _code(value: object) -> str:
    return f"`{value}`"


# Settings


def _settings() -> str:
    rows = [
        [f"{_code(row['name'])} <br> {_code(row['env'])}", f"{row['meaning']}", _values(row), _default(row)]
        for row in Settings.table()
    ]
    return table(["setting, variable", "what it is", "values", "default"], rows)


def _default(row: Mapping[str, Any]) -> str:
    if row["default"] is None:
        return "none"
    unit = f" {row['unit']}" if row["unit"] else ""
    return f"{_code(repr(row['default']))}{unit}"


def _values(row: Mapping[str, Any]) -> str:
    words = {
        "key": "text, or a function",
        "url": "a URL",
        "date": "ISO date",
        "level": "a level's name or number",
        "path": "a path",
        "callable": "a function, or its place",
        "session": "a session, a function, or its place",
        "names": "texts",
        "flag": "True, False",
    }
    if row["choices"]:
        found = ", ".join(_code(choice) for choice in row["choices"])
    else:
        found = words.get(row["kind"]) or _bounds(row)
    return f"{found}; None" if row["may_be_none"] else found


def _bounds(row: Mapping[str, Any]) -> str:
    if row["maximum"] is None:
        return f"from {row['minimum']}"
    return f"{row['minimum']} to {row['maximum']}"


# The command line


def _commands() -> str:
    return "\n\n".join(_sections(cli, "spotzee-logging"))


def _sections(group: click.Group, called: str) -> Iterator[str]:
    for name, command in sorted(group.commands.items()):
        path = f"{called} {name}"
        yield f"## {path.removeprefix('spotzee-logging ')}\n\n{_command(command, path)}"
        if isinstance(command, click.Group):
            yield from _sections(command, path)


def _command(command: click.Command, path: str) -> str:
    context = click.Context(command, info_name=path)
    usage = " ".join([path, *command.collect_usage_pieces(context)])
    text, examples = _help(command.help or "")
    if command.epilog:
        examples.append(command.epilog.removeprefix("Example: "))
    parts = [_code(usage), text]
    if examples:
        parts.append("```console live\n" + "\n".join(f"$ {line}" for line in examples) + "\n```")
    options = [param for param in command.params if isinstance(param, click.Option)]
    if options:
        parts.append(table(["option", "", "default"], [_option(option) for option in options]))
    return "\n\n".join(parts)


def _help(text: str) -> tuple[str, list[str]]:
    """A command's help without its examples, and these; lists of lines that are to be left alone become sentences."""
    paragraphs, examples = [], []
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        separator = "; " if "\b" in paragraph else " "
        lines = [line.strip() for line in paragraph.replace("\b", "").splitlines() if line.strip()]
        examples += [line.removeprefix("Example: ") for line in lines if _is_example(line)]
        rest = [_code(line) if line.startswith("{") else line for line in lines if not _is_example(line)]
        if rest:
            paragraphs.append(separator.join(rest).replace("codes:;", "codes:"))
    return "\n\n".join(paragraphs), examples


def _is_example(line: str) -> bool:
    return line.removeprefix("Example: ").startswith("spotzee-logging ")


def _option(option: click.Option) -> list[str]:
    name = ", ".join(option.opts)
    value = "" if option.is_flag else f" {option.metavar}"
    default = _code(option.default) if option.show_default else ""
    return [_code(f"{name}{value}"), option.help or "", default]


# Events and answers


def _event_fields() -> str:
    return table(["field", "what it must be", "what to give"], _fields(event.EVENT_RULES))


def _user_fields() -> str:
    return table(["field of `user`", "what it must be", "what to give"], _fields(event.USER_RULES))


def _fields(rules: Mapping[str, event.Rule]) -> Iterator[list[str]]:
    for name, rule in rules.items():
        least = f", at least {rule.min_length} character" if rule.min_length else ""
        most = f", at most {rule.max_length} characters" if rule.max_length < 1_000_000 else ""
        most += f"; not one that {rule.problem}" if rule.problem else ""
        yield [_code(name), f"{rule.words}{least}{most}", rule.remedy]


def _answers_table() -> str:
    rows = [
        [_statuses(row.statuses), _code(row.code) if row.code else "", row.move.value]
        for row in answers.ANSWERS
    ]
    return table(["status", "code", "what becomes of the batch"], rows)


def _pauses() -> str:
    rows = [[_statuses(statuses), words] for statuses, words in answers.PAUSE_REMEDIES]
    return table(["it paused for", "what to do"], rows)


def _rejections() -> str:
    rows = [[_statuses(statuses), words] for statuses, words in answers.REJECTION_REMEDIES]
    return table(["it was rejected with", "what its message ends with"], rows)


def _statuses(statuses: Container[int | None]) -> str:
    if isinstance(statuses, range):
        return "any other" if len(statuses) > 100 else f"{statuses.start // 100}xx"
    assert isinstance(statuses, set)
    return ", ".join("no answer" if status is None else str(status) for status in sorted(statuses, key=str))


# Limits


def _limits() -> str:
    rows = {row["name"]: row for row in Settings.table()}

    def setting(name: str) -> str:
        return f"{rows[name]['default']:,} {rows[name]['unit']}".strip()

    return table(
        ["what", "how much", "set by"],
        [
            ["events in a request", f"{rows['capacity']['maximum']}", "`capacity`, for less"],
            ["a request's body", setting("max_batch_bytes"), "`max_batch_bytes`"],
            ["an event", setting("max_event_bytes"), "`max_event_bytes`"],
            ["an event that `before_send` gets", _times(rows["max_event_bytes"], intake.ROOM_FOR_HOOK), ""],
            ["a value that `@track` keeps", "what the largest event takes of all handlers", ""],
            ["`name`, `external_id`, `anonymous_id`", f"at least {event.EVENT_RULES['name'].min_length} character", ""],
            ["`user.timezone`", f"at most {event.USER_RULES['timezone'].max_length} characters", ""],
            ["`user.locale`", f"at most {event.USER_RULES['locale'].max_length} characters", ""],
            ["nesting of `data`", f"{plain_values.MAX_DEPTH} levels of the event's JSON; null from there on", ""],
            ["pending events in memory", setting("max_pending_bytes"), "`max_pending_bytes`"],
            ["events in a spool", setting("spool_max_bytes"), "`spool_max_bytes`"],
            ["rejected events that a spool keeps", f"the last {spool_store.MOST_REJECTED:,}", ""],
            ["requests in flight", setting("connections"), "`connections`"],
            ["requests in any 10 s, of a process", _ten_seconds(rows), "`requests_per_second`"],
            ["a wait before a retry", _backoff(), ""],
            ["a `Retry-After` that is kept", f"up to {schedule.MOST_RETRY_AFTER_SECONDS / 60:.0f} minutes", ""],
            ["between two tries of a paused delivery", f"{schedule.PROBE_SECONDS:.0f} s", ""],
            ["flush, close and exit wait", setting("shutdown_timeout_seconds"), "`shutdown_timeout_seconds`"],
            ["what is read of an answer", f"{client.MAX_ANSWER_BYTES:,} bytes", ""],
            ["how long a server remembers a key", f"{settlement.IDEMPOTENCY_KEY_SECONDS / 3600:.0f} hours", ""],
            ["lines of the logger `spotzee_logging`", f"one a kind and {diagnostics.INTERVAL_SECONDS:.0f} s", ""],
        ],
    )  # fmt: skip


def _times(row: Mapping[str, Any], factor: int) -> str:
    return f"{factor} times `{row['name']}`: {factor * row['default']:,} {row['unit']}"


def _ten_seconds(rows: Mapping[str, Mapping[str, Any]]) -> str:
    return f"{10 * rows['requests_per_second']['default']:,.0f}"


def _backoff() -> str:
    first, most = schedule.FIRST_BACKOFF_SECONDS, schedule.MOST_BACKOFF_SECONDS
    return f"random, up to {first} s at first; that doubles, to {most:.0f} s"


# The names of the package


def _api() -> str:
    parts: list[str] = []
    for title, entries in NAMES.items():
        parts.append(f"## {title}")
        parts += [_entry(name, thing) for name, thing in entries.items()]
    return "\n\n".join(parts)


def _public(*names: str) -> dict[str, Any]:
    return {name: getattr(spotzee_logging, name) for name in names}


NAMES: Mapping[str, Mapping[str, Any]] = {
    "Events on log records": _public("SpotzeeHandler", "EventFormatter", "Event", "EventTag", "UserFields"),
    "Tracked calls": _public("track", "arg", "result", "error", "elapsed"),
    "Who is acting": _public("contact", "bind_contact", "clear_contact", "get_contact", "ContactFilter"),
    "Delivery": _public("flush", "flush_on_sigterm", "Settings", "Stats"),
    "Errors": {
        "errors": errors,
        **{f"errors.{name}": getattr(errors, name) for name in sorted(errors.__all__)},
    },
    "For frameworks": {
        "contact_middleware": django.contact_middleware,
        "bind_contacts": flask.bind_contacts,
        "ContactMiddleware": asgi.ContactMiddleware,
        "carry_contacts": celery.carry_contacts,
        "flushing": serverless.flushing,
    },
    "For tests": {
        "TrackedEvents": tracked_events.TrackedEvents,
        "assert_tracked": plugin.assert_tracked,
        "assert_not_tracked": plugin.assert_not_tracked,
        "Sandbox": Sandbox,
    },
}
"""What the page of the names lists, in its order."""

MODULES = {Sandbox: "spotzee_logging.sandbox", tracked_events.TrackedEvents: plugin.__name__}
"""Where to import from what is defined elsewhere."""

SHOWN_AS = {
    "Settings": "Settings(**settings)",
    "Stats": "stats = handler.stats()",
    "track": "track(name=None, *, external_id=None, anonymous_id=None, data=None, user=None,\n"
    '      on="return", when=None, logger=None, level=logging.INFO)',
}
"""Signatures that would say less, or more than fits a line."""

ONLY_HANDED = (errors.DeliveryPaused, errors.EventDropped, errors.EventRejected)
"""Errors that nobody raises."""

FIELDS_ELSEWHERE = "Its fields are [the settings](settings.md)."


def _entry(name: str, thing: Any) -> str:
    if isinstance(thing, markers.Marker):
        return f"### `{name}`\n\n{_markdown(_doc_of_constant(markers, name))}"
    if inspect.ismodule(thing):
        return f"### `{name}`\n\n{_markdown(inspect.getdoc(thing) or '')}"
    parts = [
        f"### `{name}`",
        f"```python signature\n{_imported(name, thing)}\n\n{_signature(name, thing)}\n```",
    ]
    parts.append(_markdown(inspect.getdoc(thing) or ""))
    if thing is Settings:
        parts.append(FIELDS_ELSEWHERE)
    if inspect.isclass(thing):
        parts += _members(thing)
    return "\n\n".join(part for part in parts if part)


def _imported(name: str, thing: Any) -> str:
    if name in spotzee_logging.__all__ or name.startswith("errors."):
        return f"from spotzee_logging import {name.partition('.')[0]}"
    module = MODULES.get(thing) or thing.__module__
    return f"from {module} import {name}"


def _signature(name: str, thing: Any) -> str:
    if name in SHOWN_AS:
        return SHOWN_AS[name]
    if hasattr(thing, "__required_keys__"):  # a TypedDict
        return f"{name}({{...}})  # {', '.join(sorted(thing.__required_keys__)) or 'nothing'} required"
    if thing in ONLY_HANDED:
        return f"\ndef on_error(event, error):\n    if isinstance(error, {name}):\n        ..."
    if name.startswith("errors."):
        return f"except {name}: ..."
    return f"{name}{_parameters(thing)}"


def _parameters(thing: Any) -> str:
    signature = inspect.signature(thing)
    kept = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in signature.parameters.values()
        if parameter.name != "self"
    ]
    text = str(signature.replace(parameters=kept)).replace(repr(os.environ), "os.environ").replace("'", '"')
    returned = "" if inspect.isclass(thing) else text.partition(" -> ")[2].strip('"')
    return text.partition(" -> ")[0] + (f" -> {returned}" if returned else "")


def _members(thing: type) -> Iterator[str]:
    """Its fields where it is a TypedDict, else the methods and properties that it adds to its base's."""
    if hasattr(thing, "__required_keys__"):
        yield table(
            ["field", "type"],
            [[_code(field), _code(_plain_type(type_))] for field, type_ in _fields_of(thing)],
        )
        return
    for name, member in vars(thing).items():
        found = member.__func__ if isinstance(member, classmethod) else member
        text = inspect.getdoc(found) if inspect.isfunction(found) or isinstance(found, property) else None
        if name.startswith("_") or not text:
            continue
        shown = name if isinstance(found, property) else f"{name}{_method(found, member)}"
        yield f"#### `{shown}`\n\n{_markdown(text)}"


def _method(function: Callable[..., Any], member: object) -> str:
    text = _parameters(function)
    return re.sub(r"^\(cls(, )?", "(", text) if isinstance(member, classmethod) else text


def _fields_of(thing: type) -> Iterator[tuple[str, Any]]:
    for base in reversed([*getattr(thing, "__orig_bases__", ()), thing]):
        yield from getattr(base, "__annotations__", {}).items() if base is thing else ()


def _plain_type(type_: Any) -> str:
    return str(getattr(type_, "__forward_arg__", type_))


def _doc_of_constant(module: Any, name: str) -> str:
    """The text under `name: Final = ...`, which Python itself does not keep."""
    body = ast.parse(inspect.getsource(module)).body
    for statement, after in itertools.pairwise(body):
        is_it = isinstance(statement, ast.AnnAssign) and getattr(statement.target, "id", "") == name
        if is_it and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            return str(after.value.value)
    raise LookupError(name)


def _markdown(docstring: str) -> str:
    """A docstring as Markdown: parameters become a list, examples become blocks of code."""
    return "\n\n".join(_paragraph(each) for each in re.split(r"\n\n+", docstring.strip()))


def _paragraph(text: str) -> str:
    if text.startswith(">>>"):
        return f"```pycon\n{text}\n```"
    if text.startswith("    "):
        return f"```python sketch\n{textwrap.dedent(text)}\n```"
    if not text.startswith(":"):
        return text
    fields = re.split(r"\n(?=:)", text)
    return "\n".join(_field(" ".join(line.strip() for line in field.splitlines())) for field in fields)


def _field(text: str) -> str:
    """`:param name: words` and `:raises Name: words`."""
    _, head, words = text.split(":", 2)
    kind, name = head.split()
    return f"- `{name}`: {words.strip()}" if kind == "param" else f"- Raises `{name}`: {words.strip()}"


PARTS: Mapping[str, Callable[[], str]] = {
    "settings": _settings,
    "commands": _commands,
    "event-fields": _event_fields,
    "user-fields": _user_fields,
    "answers": _answers_table,
    "pauses": _pauses,
    "rejections": _rejections,
    "limits": _limits,
    "api": _api,
}
"""Each part by its name."""


if __name__ == "__main__":
    for each in pages():
        each.write_text(filled_in(each.read_text()))
