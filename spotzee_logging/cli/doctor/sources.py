"""The source of a program's own modules, as far as it is at hand."""

from __future__ import annotations

import ast
import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import NamedTuple


class Source(NamedTuple):
    """One module: the path of its file, its tree, and the module itself."""

    place: str
    tree: ast.Module
    module: ModuleType


class Sources:
    """The modules whose source can be read."""

    def __init__(self, modules: Sequence[ModuleType]) -> None:
        self.of_modules = list(_sources(modules))

    def nodes(self) -> Iterator[ast.AST]:
        """Every node of every tree."""
        return (node for source in self.of_modules for node in ast.walk(source.tree))

    def mention(self, names: Collection[str]) -> bool:
        """Whether one of these names stands anywhere in them."""
        return any(_name(node) in names for node in self.nodes())

    def lean_on(self, modules: tuple[str, ...]) -> bool:
        """Whether they import one of these, or name what is in it in a text, as Django's settings do."""
        texts = (text for node in self.nodes() for text in _module_names(node))
        return any(text.startswith(modules) for text in texts)


def _sources(modules: Sequence[ModuleType]) -> Iterator[Source]:
    for module in modules:
        path = getattr(module, "__file__", None)
        if not isinstance(path, str) or not path.endswith(".py"):
            continue
        try:
            tree = ast.parse(Path(path).read_bytes())
        except (OSError, SyntaxError, ValueError):
            continue  # it was imported all the same: its source is elsewhere
        yield Source(os.path.relpath(path), tree, module)


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def _module_names(node: ast.AST) -> Sequence[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []
