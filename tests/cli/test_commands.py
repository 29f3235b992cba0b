"""The command line as a whole: its face, its extras, its exit codes for wrong use."""

import sys

import pytest
from click.testing import CliRunner

from spotzee_logging.cli import main
from spotzee_logging.cli.commands import cli
from spotzee_logging.version import __version__


def test_help_names_every_command_and_where_to_start(command):
    """A newcomer sees what there is, and what to try first."""
    done = command("--help")

    assert done.returncode == 0
    assert "Start with `spotzee-logging demo`" in done.stdout
    assert all(f"\n  {name} " in done.stdout for name in ("demo", "sandbox", "send"))


def every_command(group=cli, path=()):
    """The arguments that lead to each command, those of groups within among them; none lead to the whole."""
    yield path
    for name, command in getattr(group, "commands", {}).items():
        yield from every_command(command, (*path, name))


@pytest.mark.parametrize("path", list(every_command()), ids=" ".join)
def test_every_help_fits_a_screen_and_has_an_example(path):
    """--help of a command gives its purpose, options and an example, in 24 lines of 80 columns."""
    done = CliRunner(env={"COLUMNS": "80"}).invoke(cli, [*path, "--help"], prog_name="spotzee-logging")

    lines = done.stdout.splitlines()
    assert done.exit_code == 0
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    example = " ".join(("spotzee-logging", *path))
    assert any(example in line for line in lines if not line.startswith("Usage:"))


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_a_shell_completes_commands(command, shell):
    """The line that the documentation gives for a shell yields a script for it, and this the commands."""
    script = command(_SPOTZEE_LOGGING_COMPLETE=f"{shell}_source").stdout
    words = command(
        COMP_WORDS="spotzee-logging rep", COMP_CWORD="1", _SPOTZEE_LOGGING_COMPLETE="zsh_complete"
    )

    assert "_SPOTZEE_LOGGING_COMPLETE" in script
    assert "replay" in words.stdout


def test_version_is_the_packages(command):
    """--version names the program and its version."""
    assert command("--version").stdout == f"spotzee-logging {__version__}\n"


def test_main_is_what_the_console_script_calls(monkeypatch, capsys):
    """The installed script takes its arguments from the command line and exits with the command's code."""
    monkeypatch.setattr(sys, "argv", ["spotzee-logging", "--version"])

    with pytest.raises(SystemExit) as exit_:
        main()

    assert exit_.value.code == 0
    assert capsys.readouterr().out == f"spotzee-logging {__version__}\n"


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_without_the_extra_one_line_says_what_to_install(without_modules, missing):
    """Who installed the package without [cli] learns how to get it, without a traceback."""
    done = without_modules([missing], "demo")

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert 'pip install "spotzee-logging[cli]"' in done.stderr


@pytest.mark.parametrize("name", ["demo", "sandbox"])
def test_without_the_sandboxs_extra_one_line_says_so(without_modules, name):
    """demo and sandbox name the extra that they need."""
    done = without_modules(["starlette"], name)

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert 'pip install "spotzee-logging[sandbox]"' in done.stderr


def test_send_does_not_need_the_sandboxs_extra(without_modules):
    """A production machine sends without the sandbox's libraries."""
    done = without_modules(["starlette", "uvicorn", "jsonschema"], "send", "--help")

    assert done.returncode == 0


def test_another_import_error_is_not_taken_for_a_missing_extra(without_modules):
    """A broken installation shows what is broken, not a wrong remedy."""
    done = without_modules(["spotzee_logging.cli.send"], "demo")

    assert done.returncode == 1
    assert "spotzee_logging.cli.send" in done.stderr
    assert "pip install" not in done.stderr


def test_an_unknown_command_is_a_usage_error(command):
    """A typing error ends with 2 and a hint at --help."""
    done = command("demonstrate")

    assert done.returncode == 2
    assert "No such command" in done.stderr


def test_importing_the_package_imports_neither_click_nor_rich(run_python, package_path):
    """A program that only logs pays nothing for the command line."""
    source = (
        "import sys, spotzee_logging\nassert not {'click', 'rich', 'spotzee_logging.cli'} & set(sys.modules)"
    )

    assert run_python(source, PYTHONPATH=package_path).returncode == 0
