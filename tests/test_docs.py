"""The README's and the docs' examples run, and give what they show; what is made from the code is as the code is."""

import importlib.util
import json
import re
from datetime import datetime, timezone

import markdown_pages
import pytest
from markdown_pages import NOT_RUN, PAGES, ROOT, RUN, Shell, blocks, commands, inline_code

import spotzee_logging


def with_examples():
    kinds = {"python", "console"}
    return [page for page in PAGES if any(block.kind in kinds for block in blocks(page))]


@pytest.mark.parametrize("page", with_examples())
def test_examples_run(page, sandbox, tmp_path):
    """Whoever copies a page's files, program and commands one after the other gets what the page shows."""
    shell = Shell(tmp_path, sandbox)
    for block in reversed(blocks(page)):  # of a file that grows along the page, the first is there last
        if block.name:
            shell.write(block)
    program = "\n".join([*blocks(page, "python"), *run_of_files(page)])
    if program:
        shell.run_program(program)
    missing = run_commands(shell, page)

    for output in blocks(page, "text"):
        for line in output.splitlines():
            assert markdown_pages.is_shown(line, shell.printed), f"{line!r} is not in {shell.printed}"
    for shown in blocks(page, "json"):
        assert_arrived(json.loads(shown), sandbox.events())
    if missing:
        pytest.skip(f"all but the commands of {', '.join(missing)} ran, which this environment has not")


def run_of_files(page):
    """What runs the modules of a page that neither its program nor its commands, nor another file, name."""
    others = [block.text for block in blocks(page) if block.kind in {"python", "console"} or block.name]
    for name in {block.name for block in blocks(page) if block.name.endswith(".py")}:
        if not any(re.search(rf"\b{name.partition('.')[0]}\b", text) for text in others):
            yield f"import runpy\nrunpy.run_path({name!r})"


def run_commands(shell, page):
    """Walk the page, with each file as it is by then; the programs that are not installed here."""
    missing = []
    for block in blocks(page):
        if block.name:
            shell.write(block)
        for command in commands(block.text) if block.kind == "console" else ():
            program = command.line.split()[0]
            if not command.is_run:
                continue
            if program in SERVERS and not shell.has(program):
                missing.append(program)
            else:
                shell.run_command(command)
    return missing


SERVERS = {"gunicorn"}


def assert_arrived(shown, events):
    """Each event that is shown is among those that arrived, but for its time, which has the form that is shown."""
    arrived = [{**event, "created_at": None} for event in events]
    for event in shown:
        assert {**event, "created_at": None} in arrived
        assert re.fullmatch(r"....-..-..T..:..:..\....Z", event["created_at"])
    assert all(re.fullmatch(r"....-..-..T..:..:..\..*Z", event["created_at"]) for event in events)


def test_the_readmes_first_example_prints_what_is_said(sandbox, tmp_path):
    """It prints its log line, as before, and nothing else; one event arrives, the one that is shown."""
    shell = Shell(tmp_path, sandbox)

    shell.run_program(blocks("README.md", "python")[0])

    assert shell.printed == [code for code in inline_code("README.md") if code.startswith("INFO:")]
    assert len(sandbox.events()) == 1
    assert_arrived(json.loads(blocks("README.md", "json")[0]), sandbox.events())


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_run_or_has_a_reason(page):
    """No page shows code of a kind that nothing runs, unless that is written down; none is hidden by indentation."""
    for block in blocks(page):
        assert block.kind in RUN or block.kind in NOT_RUN or block.name, block.kind
    assert not [token.content for token in markdown_pages.tokens(page) if token.type == "code_block"]


@pytest.mark.parametrize("page", PAGES)
def test_commands_and_their_options_exist(page):
    """Each `spotzee-logging …` that a page names, in a console or in a sentence, is a command with such options."""
    lines = [
        command.line
        for block in blocks(page)
        if block.kind.startswith("console")
        for command in commands(block.text)
    ]
    lines += [line for text in blocks(page, "sh") for line in text.splitlines()]
    for line in [*lines, *inline_code(page)]:
        for words in re.findall(r"(?<![\w./-])spotzee-logging((?: [^\s|&;)\"]+)*)", line):
            assert_is_command(words.split(), line)


def assert_is_command(words, line):
    click = pytest.importorskip("click")
    from spotzee_logging.cli.commands import cli

    command = cli
    for word in words:
        if word.startswith("-") and word != "-":
            options = {option for parameter in command.params for option in parameter.opts}
            assert word.split("=")[0] in options | {"--help", "-h"}, line
        elif isinstance(command, click.Group) and word.isascii() and word.islower():
            assert word in command.commands, line
            command = command.commands[word]


def test_the_lines_for_a_shells_start_up_file_complete(sandbox, tmp_path):
    """What they have the shell read is a script, of bash, zsh and fish."""
    shell = Shell(tmp_path, sandbox)
    for text in blocks("docs/reference/command-line.md", "sh"):
        for asked in re.findall(r"_\w+_COMPLETE=\w+ spotzee-logging", text):
            shell.run_command(markdown_pages.Command(asked, ["…complete…"]))

    assert len([line for line in shell.printed if "_SPOTZEE_LOGGING_COMPLETE" in line]) >= 3


def test_the_options_of_uwsgi_are_those_that_it_is_tested_with():
    """tests/servers starts uWSGI with each line that the page on workers shows."""
    started_with = (ROOT / "tests" / "servers" / "test_15_uwsgi.py").read_text()
    (shown,) = blocks("docs/how-to/workers.md", "ini uwsgi")

    for line in shown.splitlines()[1:]:
        option, _, value = line.partition(" = ")
        assert f'"--{option}",' in started_with
        assert value == "true" or f'"{value}"' in started_with


QUIET = {"accepted": 5, "delivered": 3, "rejected": {"invalid_event": 1}, "dropped": {"buffer_full": 1}}


@pytest.mark.parametrize(
    ("before", "now", "says"),
    [
        ({}, {"accepted": 1, "pending": 1}, []),
        (QUIET, QUIET, []),
        (QUIET, {**QUIET, "pending": 1}, []),
        ({**QUIET, "pending": 1}, {**QUIET, "delivered": 4, "pending": 1}, []),
        ({**QUIET, "pending": 1}, {**QUIET, "pending": 2}, ["2 events wait"]),
        (QUIET, {**QUIET, "rejected": {"invalid_event": 3}}, ["refused: {'invalid_event': 2}"]),
        (QUIET, {**QUIET, "dropped": {"buffer_full": 1, "shutdown": 2}}, ["lost: {'shutdown': 2}"]),
        (QUIET, {**QUIET, "dropped": {"buffer_full": 1, "before_send": 2, "disabled": 1}}, []),
        (QUIET, {**QUIET, "paused_until": datetime.now(timezone.utc)}, ["paused"]),
    ],
    ids=[
        "first event",
        "nothing new",
        "first event for long",
        "busy",
        "standstill",
        "refused",
        "lost",
        "dropped on purpose",
        "paused",
    ],
)
def test_the_alerts_of_the_page_on_stats_are_no_false_alarms(before, now, says):
    """They tell of what happened between two readings, and end with it; a quiet program raises none."""
    (source,) = [text for text in blocks("docs/how-to/stats.md", "python") if "def alerts(" in text]
    page = {}
    exec(source, page)

    said = list(page["alerts"](spotzee_logging.Stats(**before), spotzee_logging.Stats(**now)))

    assert len(said) == len(says)
    assert all(part in text for part, text in zip(says, said, strict=True))


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    """A page's links to files of the project, and to their parts, are no dead ends."""
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", (ROOT / page).read_text()):
        path = (ROOT / page).parent / target if target else ROOT / page
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
            assert anchor in {slug(heading) for heading in headings}, f"{target}#{anchor}"


def slug(heading):
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def made_from_code():
    spec = importlib.util.spec_from_file_location("made_from_code", ROOT / "docs" / "made_from_code.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_is_made_from_the_code_is_as_the_code_is():
    """The reference's settings, commands, names, fields, answers and limits are those of the code."""
    pytest.importorskip("click")
    made = made_from_code()

    for page in made.pages():
        assert made.filled_in(page.read_text()) == page.read_text(), (
            f"{page}: run python docs/made_from_code.py"
        )


@pytest.mark.parametrize("name", spotzee_logging.__all__)
def test_every_public_name_is_in_the_reference(name):
    """Whoever looks a name up finds it under a heading of its own."""
    page = (ROOT / "docs" / "reference" / "api.md").read_text()

    assert re.search(rf"^### `?{name}\b", page, re.MULTILINE)


def test_every_error_and_module_for_others_is_in_the_reference():
    """So with the errors, and with what the modules for frameworks and tests have."""
    page = (ROOT / "docs" / "reference" / "api.md").read_text()
    names = [
        *(f"errors.{name}" for name in spotzee_logging.errors.__all__),
        *("contact_middleware", "bind_contacts", "ContactMiddleware", "carry_contacts", "flushing"),
        *("TrackedEvents", "assert_tracked", "assert_not_tracked", "Sandbox"),
    ]

    assert [name for name in names if not re.search(rf"^### `?{name}\b", page, re.MULTILINE)] == []


def test_every_setting_is_in_the_reference():
    """docs/reference/settings.md has each setting, with its variable."""
    page = (ROOT / "docs" / "reference" / "settings.md").read_text()

    for row in spotzee_logging.Settings.table():
        assert f"| `{row['name']}` <br> `{row['env']}` |" in page


def test_every_check_of_doctor_is_explained():
    """The page on why nothing arrives says of each check what it looks at."""
    pytest.importorskip("click")
    from spotzee_logging.cli.doctor.checks import CHECKS

    page = (ROOT / "docs" / "how-to" / "nothing-arrives.md").read_text()
    named = [
        name
        for line in page.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    ]

    assert named == [check.name for check in CHECKS]


RUNS_PAGE = """
import pathlib
from benchmarks import report

page = pathlib.Path("docs/performance.md").read_text()
assert report.filled_in(report.read(pathlib.Path("docs/performance")), page) == page
"""


def test_the_page_of_performance_shows_what_was_measured(run_python):
    """docs/performance.md has the figures of the run whose values stand beside it, and no others."""
    done = run_python(RUNS_PAGE.replace("docs/", f"{ROOT.as_posix()}/docs/"), PYTHONPATH=str(ROOT))

    assert done.stderr == ""


SEEN_TO_FAIL = """
import shop


def test_it(spotzee_events):
    shop.place_order("cust_001", {"lamp": 129.5})
    spotzee_events.assert_tracked("order_placed", data={"total": 129, "currency": "AUD"})
"""


CAUGHT = """
import logging
import threading


def log():
    try:
        logging.getLogger("shop").info("x", extra={"spotzee_event": {"name": "asked", "externalId": "c"}})
    except Exception:
        pass


def test_that_catches():
    log()


def test_in_a_thread():
    thread = threading.Thread(target=log)
    thread.start()
    thread.join()


def test_on_purpose(spotzee_events):
    log()
    spotzee_events.invalid.clear()
"""


def test_the_page_of_testing_runs_under_pytest(pytester):
    """docs/how-to/testing.md: its program's tests pass, together with its conftest, and fail as it shows."""
    page = "docs/how-to/testing.md"
    tests = blocks(page, "python test")
    pytester.makepyfile(
        shop="\n".join(blocks(page, "python shop.py")),
        conftest="\n".join(blocks(page, "python conftest")),
        **{f"test_{number}": text for number, text in enumerate(tests)},
    )

    pytester.runpytest_subprocess("-W", "error").assert_outcomes(passed=len(tests) + 1)

    caught = pytester.runpytest_subprocess(pytester.makepyfile(test_caught=CAUGHT))
    caught.assert_outcomes(passed=3, errors=2)
    caught.stdout.fnmatch_lines(["*Did you mean external_id*"])

    failed = pytester.runpytest_subprocess(pytester.makepyfile(test_seen_to_fail=SEEN_TO_FAIL))
    for line in blocks(page, "text failure")[0].splitlines():
        failed.stdout.fnmatch_lines([f"E*{line}"])
