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


def test_it_lists_every_exported_name_before_it_was_used(run_python):
    """`dir(spotzee_logging)`, which completion reads, names also what is imported with its first use."""
    done = run_python("import spotzee_logging\nprint(*dir(spotzee_logging))")

    assert set(PUBLIC) | {"__all__", "__version__", "__file__"} <= set(done.stdout.split())


LATE = {
    "Settings": "settings",
    "Stats": "stats",
    "arg": "markers",
    "elapsed": "markers",
    "error": "markers",
    "flush_on_sigterm": "sigterm",
    "result": "markers",
    "track": "tracking",
}
EACH_WAY = {
    "from-import": "from spotzee_logging import {name} as found",
    "attribute": "import spotzee_logging\nfound = spotzee_logging.{name}",
    "star": "from spotzee_logging import *\nfound = {name}",
    "beside its module": "import {module}\nimport spotzee_logging\nfound = spotzee_logging.{name}",
}


@pytest.mark.parametrize("way", EACH_WAY)
@pytest.mark.parametrize(
    "name", ["Settings", "Stats", "arg", "elapsed", "error", "flush_on_sigterm", "result", "track"]
)
def test_a_name_that_comes_with_its_first_use_is_the_same_each_way(name, way, run_python):
    """However a program asks for it, and whatever it has imported before, it gets the one object."""
    module = f"spotzee_logging.{LATE[name]}"

    done = run_python(
        EACH_WAY[way].format(name=name, module=module)
        + "\nimport sys, spotzee_logging"
        + f"\nassert found is spotzee_logging.{name} is vars(spotzee_logging)[{name!r}]"
        + f"\nprint(found is getattr(sys.modules[{module!r}], {name!r}))"
    )

    assert done.stdout == "True\n"


def test_many_threads_may_be_the_first_to_use_a_name(run_python):
    """All get the same, whole function, also those that come while another imports it."""
    done = run_python(
        "import spotzee_logging, sys, threading\n"
        "sys.setswitchinterval(1e-6)\n"
        "start, found = threading.Barrier(8), []\n"
        "def look():\n"
        "    start.wait()\n"
        "    found.append(spotzee_logging.track('x', external_id='c').__call__ and spotzee_logging.track)\n"
        "threads = [threading.Thread(target=look) for _ in range(8)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: thread.join()\n"
        "print(len(found), len(set(found)))"
    )

    assert done.stdout == "8 1\n"


def test_a_name_that_is_none_is_refused_with_the_closest():
    """A misspelt name fails where it is written, as with any module."""
    with pytest.raises(AttributeError, match="module 'spotzee_logging' has no attribute 'trakc'") as caught:
        spotzee_logging.trakc

    assert (caught.value.name, caught.value.obj) == ("trakc", spotzee_logging)  # what Python suggests from
    with pytest.raises(ImportError, match="cannot import name 'trakc'"):
        exec("from spotzee_logging import trakc")


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
