"""The source of a program's own modules, as far as it is at hand."""

from __future__ import annotations

import ast
import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from types import ModuleType


class Sources:
    """The modules as trees, each with the path of its file."""

    def __init__(self, modules: Sequence[ModuleType]) -> None:
        self.trees = list(_trees(modules))

    def mention(self, names: Collection[str]) -> bool:
        """Whether one of these names stands anywhere in them."""
        return any(_name(node) in names for _, tree in self.trees for node in ast.walk(tree))

    def lean_on(self, modules: tuple[str, ...]) -> bool:
        """Whether they import one of these, or name what is in it in a text, as Django's settings do."""
        texts = (text for _, tree in self.trees for node in ast.walk(tree) for text in _module_names(node))
        return any(text.startswith(modules) for text in texts)


def _trees(modules: Sequence[ModuleType]) -> Iterator[tuple[str, ast.Module]]:
    for module in modules:
        path = getattr(module, "__file__", None)
        if not isinstance(path, str) or not path.endswith(".py"):
            continue
        try:
            tree = ast.parse(Path(path).read_bytes())
        except (OSError, SyntaxError, ValueError):
            continue  # it was imported all the same: its source is elsewhere
        yield os.path.relpath(path), tree


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
