"""The README's and the docs' examples run, and give the output they show."""

import json
import pathlib
import re

import pytest

from spotzee_logging import Settings

ROOT = pathlib.Path(__file__).parent.parent
BLOCK = re.compile(r"^```(\w+(?: \w+)?)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in [ROOT / "README.md", *ROOT.glob("docs/*.md")])


def blocks(page, language):
    return [text for kind, text in BLOCK.findall((ROOT / page).read_text()) if kind == language]


def run_page(page, run_python, sandbox):
    return run_python(
        "\n".join(blocks(page, "python")), SPOTZEE_API_KEY="sk_docs", SPOTZEE_BASE_URL=sandbox.url
    )


@pytest.mark.parametrize("page", PAGES)
def test_examples_run(page, sandbox, run_python):
    """Whoever pastes a page's examples one after the other gets no error, and the output that the page shows."""
    done = run_page(page, run_python, sandbox)

    assert "Traceback" not in done.stderr
    for output in blocks(page, "text"):
        for line in output.splitlines():
            assert line in (done.stdout + done.stderr).splitlines()


def test_the_readmes_example_sends_what_it_shows(sandbox, run_python):
    """The JSON in the README is what arrives, but for the time."""
    run_page("README.md", run_python, sandbox)
    (shown,) = blocks("README.md", "json")

    expected, arrived = json.loads(shown), sandbox.events()[:1]

    assert [{**event, "created_at": None} for event in arrived] == [
        {**event, "created_at": None} for event in expected
    ]
    assert re.fullmatch(r"....-..-..T..:..:..\....Z", arrived[0]["created_at"])


def test_the_page_of_settings_is_the_table():
    """docs/settings.md says of every setting what the code does."""
    rows = [
        f"| `{row['name']}` | `{row['env']}` | {shown(row)} | {row['meaning']} |" for row in Settings.table()
    ]

    page = (ROOT / "docs" / "settings.md").read_text()

    assert [line for line in page.splitlines() if line.startswith("| `")] == rows


def shown(row):
    unit = f" {row['unit']}" if row["unit"] else ""
    return "–" if row["default"] is None else f"`{row['default']!r}`{unit}"


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


def test_the_page_of_testing_runs_under_pytest(pytester):
    """docs/testing.md: its program's tests pass, together with its conftest, and fail as it shows."""
    page = "docs/testing.md"
    tests = blocks(page, "python test")
    pytester.makepyfile(
        shop="\n".join(blocks(page, "python")),
        conftest="\n".join(blocks(page, "python conftest")),
        **{f"test_{number}": text for number, text in enumerate(tests)},
    )

    pytester.runpytest_subprocess("-W", "error").assert_outcomes(passed=len(tests) + 1)

    failed = pytester.runpytest_subprocess(pytester.makepyfile(test_seen_to_fail=SEEN_TO_FAIL))
    for line in blocks(page, "text failure")[0].splitlines():
        failed.stdout.fnmatch_lines([f"E*{line}"])


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    """A page's links to files of the project are no dead ends."""
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / page).read_text()):
        assert ((ROOT / page).parent / target).exists(), target
