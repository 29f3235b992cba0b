"""What users may name: nothing more, nothing undocumented, and no example that does not run."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import spotzee_logging

PUBLIC = [
    "ContactFilter",
    "Event",
    "EventFormatter",
    "EventTag",
    "Settings",
    "SpotzeeHandler",
    "Stats",
    "UserFields",
    "arg",
    "bind_contact",
    "clear_contact",
    "contact",
    "elapsed",
    "error",
    "errors",
    "flush",
    "flush_on_sigterm",
    "get_contact",
    "result",
    "track",
]
"""What is exported. A name joins this list with the work that makes it act, and never leaves it."""


def _modules():
    yield "spotzee_logging"
    for found in pkgutil.walk_packages(spotzee_logging.__path__, "spotzee_logging."):
        if not found.name.endswith(".__main__"):
            yield found.name


MODULES = sorted(_modules())


def test_the_exported_names_are_those_that_were_decided_on():
    """`__all__` is the written list, in order."""
    assert spotzee_logging.__all__ == PUBLIC


def test_every_exported_name_is_there():
    """`from spotzee_logging import *` works, and the version can be read."""
    assert all(hasattr(spotzee_logging, name) for name in PUBLIC)
    assert spotzee_logging.__version__.count(".") == 2


def test_the_face_shows_nothing_else():
    """Beside the exported names there are only modules and dunders: no helper leaks."""
    others = {
        name
        for name, value in vars(spotzee_logging).items()
        if name not in PUBLIC and not name.startswith("__") and not inspect.ismodule(value)
    }

    assert others == set()


@pytest.mark.parametrize("name", [name for name in PUBLIC if name != "errors"])
def test_every_public_name_is_documented(name):
    """Each exported class and function, and each method of theirs that logging does not have, has a docstring."""
    public = getattr(spotzee_logging, name)

    assert public.__doc__
    for member, value in vars(public).items() if inspect.isclass(public) else ():
        if inspect.isfunction(value) and not member.startswith("_"):
            assert inspect.getdoc(value) or inspect.getdoc(getattr(public, member)), f"{name}.{member}"


@pytest.mark.parametrize("name", spotzee_logging.errors.__all__)
def test_every_error_is_documented(name):
    """Each error says when it is raised."""
    assert vars(getattr(spotzee_logging.errors, name))["__doc__"]


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_it_is_and_its_examples_run(name):
    """Each module has a docstring, and the examples of all docstrings give what they print."""
    try:
        module = importlib.import_module(name)
    except spotzee_logging.errors.MissingExtra as error:
        pytest.skip(f"the extra {error.extra} is not installed")
    except spotzee_logging.errors.MissingLibrary as error:
        pytest.skip(f"{error.library} is not installed")

    assert module.__doc__
    assert doctest.testmod(module).failed == 0
