"""The import arrows of the design, and what an import of the package does not do."""

import ast
import pathlib
import sys

import pytest

import spotzee_logging
from conftest import UNMEASURED

ROOT = pathlib.Path(spotzee_logging.__file__).parent

# From the top down. A module imports from lines below its own, never from above, nor from its own line.
# A package counts as one, and so do `markers` and what begins with `track`; see WITHIN.
LINES = [
    ["__init__", "__main__"],
    ["cli"],
    ["pytest_plugin", "contrib"],
    ["testing"],
    ["sandbox"],
    ["track"],
    ["handler"],
    ["assembly"],
    ["dispatcher"],
    ["delivery", "admission", "workers"],
    ["settlement"],
    ["client", "parking"],
    ["schedule", "responses", "pace"],
    ["buffers"],
    ["sigterm"],
    ["lifecycle"],
    ["intake", "repeats"],
    ["silence"],
    ["formatter"],
    ["reporting", "redaction"],
    ["encoding"],
    ["plain_values"],
    ["contact"],
    ["identity"],
    ["settings"],  # one line with event in the design; its hooks are typed by `Event`
    ["setting_types"],
    ["event"],
    ["answers", "stats", "diagnostics"],
    ["setting_kinds", "timestamps"],
    ["errors"],
    [
        "account_numbers",
        "amounts",
        "answer_heads",
        "exit_budget",
        "foreign",
        "hosts",
        "late",
        "logger_tree",
        "senders",
        "version",
    ],
]

# The same within those that count as one.
WITHIN = {
    "contrib": [["__init__"], ["asgi", "celery", "django", "flask"], ["identify", "serverless"]],
    "testing": [["__init__"], ["capture"], ["tracked_events"]],
    "buffers": [
        ["__init__"],
        ["memory", "sqlite", "survey"],
        ["upkeep"],
        ["shelf", "parts"],
        ["write_behind"],
        ["claim"],
        ["backlog", "spool_store"],
        ["journal", "owners", "spool_file"],
        ["spool_schema"],
        ["spool_rows", "tally"],
        ["base", "folders", "marks"],
    ],
    "track": [
        ["tracking"],
        ["track_wrapt"],
        ["track_steps", "track_block"],
        ["track_plan"],
        ["track_template"],
        ["track_call", "track_road"],
        ["track_arguments", "track_diagnostics", "track_direct"],
        ["markers"],
    ],
}

DOORS = {
    "requests": "client",
    "urllib3": "client",
    "pythonjsonlogger": "formatter",
    "orjson": "encoding",
    "wrapt": "track",
    "click": "cli",
    "rich": "cli",
    "starlette": "sandbox",
    "uvicorn": "sandbox",
    "jsonschema": "sandbox",
    "pytest": "pytest_plugin",
    "django": "contrib",
    "flask": "contrib",
    "celery": "contrib",
    "asgiref": "contrib",  # a part of Django
}
"""Each library of others, and the one module, or package, that it enters through."""

ONE_MODULE = {"requests", "urllib3", "pythonjsonlogger", "orjson", "wrapt", "sqlite3"}
"""Of them, those that one file alone may name."""

FILES = sorted(ROOT.rglob("*.py"))


def name_of(path):
    """The module's name inside the package, as in `buffers.memory`."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


MODULES = {name_of(path).removesuffix(".__init__") for path in FILES}


def unit_of(module):
    first = module.split(".")[0]
    return "track" if first == "markers" or first.startswith("track") else first


def part_of(module):
    unit, _, rest = module.partition(".")
    return unit if unit_of(module) == "track" else rest or "__init__"


def imports(path):
    """Every import of a file, those in functions and for type checkers among them: (module, names)."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, ()
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield node.module, tuple(alias.name for alias in node.names)


def inner_imports(path):
    """The modules of the package that a file imports; `__init__` is the face itself."""
    for module, names in imports(path):
        if module.split(".")[0] != "spotzee_logging":
            continue
        inside = module.removeprefix("spotzee_logging").lstrip(".")
        if not names:
            yield inside or "__init__"
        for name in names:
            full = f"{inside}.{name}".lstrip(".")
            yield full if full in MODULES else inside or "__init__"


def rank(lines, name):
    """How high a name stands: 0 is the lowest line."""
    return next(height for height, line in enumerate(reversed(lines)) if name in line)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_module_stands_in_the_table(path):
    """A new module says where it stands before it is merged."""
    module = name_of(path)

    assert unit_of(module) in {name for line in LINES for name in line}
    if unit_of(module) in WITHIN:
        assert part_of(module) in {name for line in WITHIN[unit_of(module)] for name in line}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_point_down(path):
    """A module imports from lines below its own only: no cycle, and each can be read after those below it."""
    module = name_of(path)
    unit = unit_of(module)
    wrong = []
    for imported in inner_imports(path):
        if unit_of(imported) != unit:
            if rank(LINES, unit_of(imported)) >= rank(LINES, unit):
                wrong.append(imported)
        elif unit in WITHIN:
            lines = WITHIN[unit]
            if rank(lines, part_of(imported)) >= rank(lines, part_of(module)):
                wrong.append(imported)

    assert wrong == []


@pytest.mark.parametrize("path", [path for path in FILES if path != ROOT / "__init__.py"], ids=name_of)
def test_nobody_inside_imports_the_face(path):
    """The face names what is inside; nothing inside depends on it."""
    assert "__init__" not in set(inner_imports(path))


@pytest.mark.parametrize("path", sorted((ROOT / "sandbox").rglob("*.py")), ids=name_of)
def test_the_sandbox_shares_nothing_but_the_errors(path):
    """A fake that shared our code would share our mistakes."""
    outside = {unit_of(module) for module in inner_imports(path)} - {"sandbox"}

    assert outside <= {"errors"}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_each_library_has_one_door(path):
    """A library of others is known to one module, or package, so that it can be replaced there."""
    unit = unit_of(name_of(path))
    foreign = {module.split(".")[0] for module, _ in imports(path)} - {"spotzee_logging"}
    # annotationlib is Python's own from 3.14 on, typing_extensions for type checkers alone, see below.
    foreign -= {*sys.stdlib_module_names, "annotationlib", "typing_extensions"}

    assert {library: DOORS.get(library, "no door") for library in foreign} == dict.fromkeys(foreign, unit)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_what_type_checkers_bring_is_left_to_them(path):
    """`typing_extensions` is no dependency: it may stand under `if TYPE_CHECKING:` only."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            node.body = []
    left = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]

    assert "typing_extensions" not in left


@pytest.mark.parametrize("library", sorted(ONE_MODULE))
def test_a_required_library_is_named_in_one_file(library):
    """Each required dependency, orjson, and SQLite, is imported by one file alone."""
    files = [
        name_of(path) for path in FILES if library in {module.split(".")[0] for module, _ in imports(path)}
    ]

    assert len(files) == 1


def test_contributors_find_every_module_on_their_map():
    """CONTRIBUTING.md says of each module what it is for, by its file's name or by that of its folder."""
    shown = (pathlib.Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    files = {path.name for path in [*ROOT.glob("*.py"), *ROOT.glob("buffers/*.py")]}

    assert {name for name in files if not name.startswith("track_") and f"{name}`" not in shown} == set()


def test_the_face_has_no_logic():
    """`__init__.py` holds imports, which names come later, and `__all__`: nothing that could go wrong."""
    body = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8")).body
    for node in body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "typing.TYPE_CHECKING":
            body += [*node.body, *node.orelse]
            body.remove(node)

    assert all(
        isinstance(node, ast.Import | ast.ImportFrom | ast.Assign)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in body
    )


def strings_given_to(function):
    """The texts that the package's code gives to a function as its first argument."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == function and node.args:
                if isinstance(node.args[0], ast.Constant):
                    yield node.args[0].value


def test_what_comes_late_stands_in_the_code_too():
    """A tool that freezes a program finds what belongs to it by its imports, those for type checkers among them."""
    imported = {module for path in FILES for module, names in imports(path)}
    imported |= {f"{module}.{name}" for path in FILES for module, names in imports(path) for name in names}
    late = set(strings_given_to("late.module"))

    assert len(late) > 9
    assert late <= imported


def test_the_tests_own_tables_name_no_module_twice():
    """A module stands on one line."""
    for lines in (LINES, *WITHIN.values()):
        names = [name for line in lines for name in line]
        assert len(names) == len(set(names))


IMPORT = """
import logging
import sys
import threading

import logging.handlers
import pythonjsonlogger.core

seen = []


def watch(event, arguments):
    if event.startswith(("socket.", "subprocess.", "os.fork", "os.spawn", "_thread.start", "os.mkdir")):
        seen.append(event)
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        seen.append((event, arguments[0]))


sys.addaudithook(watch)
before = (
    threading.enumerate(),
    logging.root.handlers[:],
    logging.root.level,
    logging.getLoggerClass(),
    logging.getLogRecordFactory(),
    logging.lastResort,
    len(logging._handlerList),
    sys.excepthook,
    threading.excepthook,
)

import spotzee_logging

after = (
    threading.enumerate(),
    logging.root.handlers[:],
    logging.root.level,
    logging.getLoggerClass(),
    logging.getLogRecordFactory(),
    logging.lastResort,
    len(logging._handlerList),
    sys.excepthook,
    threading.excepthook,
)
assert seen == [], seen
assert before == after
ours = [logging.getLogger(name) for name in logging.root.manager.loggerDict if name.startswith("spotzee")]
assert all(not logger.handlers and logger.level == logging.NOTSET and not logger.disabled for logger in ours)
late = {"requests", "urllib3", "wrapt", "starlette", "uvicorn", "jsonschema", "click", "rich", "sqlite3", "asyncio"}
assert not late & set(sys.modules), late & set(sys.modules)
print("quiet")
"""


def test_an_import_does_nothing(run_python):
    """An import starts no thread, adds no handler, changes no level, opens nothing, and brings no transport."""
    # Where the suite is measured, coverage itself opens files in every Python that starts.
    done = run_python(IMPORT, PYTHONDONTWRITEBYTECODE="1", SPOTZEE_API_KEY="ok_bad", **UNMEASURED)

    assert done.stdout == "quiet\n"


NAMING = """
import sys
import pythonjsonlogger.json

before = set(sys.modules)

from spotzee_logging import SpotzeeHandler

print(*sorted(name.removeprefix("spotzee_logging.") for name in sys.modules if name.startswith("spotzee_logging.")))
print(*sorted({"requests", "wrapt", "queue", "signal"} & (set(sys.modules) - before)))
"""
# What a record needs on its way to bytes; each other module takes its time from those who do not use it.
BROUGHT = {
    *(
        "account_numbers",
        "amounts",
        "contact",
        "diagnostics",
        "encoding",
        "errors",
        "event",
        "exit_budget",
        "foreign",
        "formatter",
        "handler",
    ),
    *(
        "hosts",
        "identity",
        "intake",
        "late",
        "lifecycle",
        "logger_tree",
        "plain_values",
        "redaction",
        "repeats",
        "senders",
    ),
    *("timestamps", "version"),
}


def test_naming_the_handler_brings_what_logging_needs_alone(run_python):
    """Settings and delivery come with the first handler that is made, `track` and `Stats` with their first use."""
    ours, others = run_python(NAMING, **UNMEASURED).stdout.splitlines()

    assert set(ours.split()) == BROUGHT
    assert others == ""


MAKING = """
import sys
import threading

from spotzee_logging import SpotzeeHandler

handler = SpotzeeHandler("sk_test", base_url="http://127.0.0.1:9")
assert threading.enumerate() == [threading.main_thread()]
assert not {"requests", "urllib3", "wrapt", "spotzee_logging.tracking"} & set(sys.modules)
print("quiet")
"""


def test_making_a_handler_does_not_start_anything(run_python):
    """Threads and the transport come with the first event, so that a program that forks early is safe."""
    assert run_python(MAKING).stdout == "quiet\n"
