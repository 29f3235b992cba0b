"""The tagged lines of a program's source, and the loggers that they go to, as far as the loaded modules tell."""

from __future__ import annotations

import ast
import logging
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from types import FunctionType, ModuleType
from typing import Any, Final, NamedTuple

from spotzee_logging.cli.doctor.sources import Source
from spotzee_logging.foreign import attempt
from spotzee_logging.formatter import TAG
from spotzee_logging.tracking import track

LOG_METHODS: Final = frozenset({"debug", "info", "warning", "error", "exception", "critical", "log"})

_MOST_ADAPTERS: Final = 8
"""An adapter may stand on an adapter; one that stands on itself would do so for ever."""


class TaggedLine(NamedTuple):
    """A call that makes an event.

    :param place: its file and line.
    :param loggers: those that it may go to; empty where the source does not tell.
    """

    place: str
    loggers: Sequence[logging.Logger]


def tagged_lines(source: Source) -> Iterator[TaggedLine]:
    """The calls of a module that tag a line by `extra`, and those that `@track` makes."""
    loggers = Loggers(source)
    variables = sorted(_assignments(source.tree), key=lambda each: each[1].lineno)
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call):
            continue
        place = f"{source.place}:{node.lineno}"
        if isinstance(node.func, ast.Attribute) and node.func.attr in LOG_METHODS:
            extra = argument(node, "extra")
            is_extra = extra is not None and (_mentions_tag(extra) or _is_tagged(extra, variables))
            if is_extra or argument(node, TAG) is not None:  # the latter is structlog's way
                yield TaggedLine(place, loggers.of(node.func.value))
        elif loggers.value(node.func) is track:
            name = argument(node, "logger")
            yield TaggedLine(place, loggers.named(name) if name else loggers.of_module)


class Loggers:
    """What a module's expressions stand for, where that is a logger of `logging`."""

    def __init__(self, source: Source) -> None:
        self._module: ModuleType = source.module
        self._arguments = frozenset(_names_of_arguments(source.tree))
        self._assigned: dict[str, list[Sequence[logging.Logger]]] = defaultdict(list)
        for name, value in _assignments(source.tree):
            if name:
                self._assigned[name].append(self.of(value))

    @property
    def of_module(self) -> Sequence[logging.Logger]:
        """That of the module's name: of `@track`, and of structlog's loggers, where none is named."""
        return [logging.getLogger(self._module.__name__)]

    def of(self, node: ast.expr) -> Sequence[logging.Logger]:
        """Those that an expression may stand for: by the module's own names, else by what is assigned in it."""
        if isinstance(node, ast.Call):
            return self._made_by(node)
        if node in self._arguments:
            return ()  # whatever the caller gives
        value = self.value(node)
        if value is logging:
            return [logging.root]
        logger = _logger_in(value)
        if logger:
            return [logger]
        assigned = self._assigned.get(_variable(node), ())
        return [each for loggers in assigned for each in loggers] if all(assigned) else ()

    def named(self, node: ast.expr) -> Sequence[logging.Logger]:
        """The logger of a name, where that is written out, or `__name__`."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return [logging.getLogger(node.value)]
        is_module_s = isinstance(node, ast.Name) and node.id == "__name__"
        return self.of_module if is_module_s else self.of(node)

    def _made_by(self, call: ast.Call) -> Sequence[logging.Logger]:
        if last_name(call.func) == "getLogger":
            name = call.args[0] if call.args else argument(call, "name")
            return [logging.root] if name is None else self.named(name)
        if last_name(call.func) == "LoggerAdapter" and call.args:
            return self.of(call.args[0])
        if last_name(call.func) == "get_logger" and _is_to_logging(self.value(call.func)):
            return self.named(call.args[0]) if call.args else self.of_module
        return ()

    def value(self, node: ast.expr) -> Any:
        """What a name is in the loaded module, or `module.name` in one that it imports."""
        if isinstance(node, ast.Name):
            return vars(self._module).get(node.id)
        if isinstance(node, ast.Attribute):
            owner = self.value(node.value)
            # Of a module alone: other objects may run code of theirs when they are asked.
            return vars(owner).get(node.attr) if type(owner) is ModuleType else None
        return None


def argument(call: ast.Call, name: str) -> ast.expr | None:
    """What a call gives under this name."""
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)


def last_name(node: ast.AST) -> str:
    """`logger` of `logger` and of `self.logger`; "" where there is none."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _variable(node: ast.AST) -> str:
    """`logger` of `logger`, and `.logger` of `self.logger`; "" where there is none."""
    return f".{node.attr}" if isinstance(node, ast.Attribute) else last_name(node)


def _assignments(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Each variable that gets a value somewhere, `.logger` of `self.logger = ...` among them, and that value."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for name, value in (each for line in node.body for each in _assigned_by(line)):
                yield f".{name}", value
        yield from _assigned_by(node)


def _assigned_by(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            yield _variable(target), node.value


def _names_of_arguments(tree: ast.Module) -> Iterator[ast.Name]:
    """Where a function's argument is named within it."""
    # Not by calls of itself: a long sum of texts is a tree as deep.
    left: list[tuple[ast.AST, frozenset[str]]] = [(tree, frozenset())]
    while left:
        node, arguments = left.pop()
        if isinstance(node, ast.Name) and node.id in arguments:
            yield node
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            arguments |= {each.arg for each in ast.walk(node.args) if isinstance(each, ast.arg)}
        left += ((child, arguments) for child in ast.iter_child_nodes(node))


def _is_tagged(extra: ast.expr, variables: Sequence[tuple[str, ast.expr]]) -> bool:
    """Whether a variable holds a tag: what was last assigned above the call decides."""
    wanted = _variable(extra)
    given = [value for name, value in variables if name == wanted and value.lineno <= extra.lineno]
    return bool(wanted and given) and _mentions_tag(given[-1])


def _mentions_tag(expression: ast.expr) -> bool:
    return any(
        (isinstance(node, ast.Constant) and node.value == TAG)
        or (isinstance(node, ast.keyword) and node.arg == TAG)
        for node in ast.walk(expression)
    )


def _is_to_logging(get_logger: Any) -> bool:
    """Whether it is structlog's, which is configured to make loggers of `logging`."""
    if type(get_logger) is not FunctionType or not get_logger.__module__.startswith("structlog"):
        return False
    configured: Any = attempt(sys.modules["structlog"].get_config)[0] or {}
    return type(configured.get("logger_factory")).__module__ == "structlog.stdlib"


def _logger_in(value: Any) -> logging.Logger | None:
    """A logger, or that of an adapter. By type(): a lazy proxy that is asked for its class may import, or raise."""
    for _ in range(_MOST_ADAPTERS):
        if not issubclass(type(value), logging.LoggerAdapter):
            break
        value = getattr(value, "logger", None)
    return value if issubclass(type(value), logging.Logger) else None
