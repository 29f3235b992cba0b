"""Python, the libraries, the settings and where each came from."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from spotzee_logging.buffers.spool_file import SpoolFile
from spotzee_logging.cli.doctor.findings import Examined, Finding
from spotzee_logging.errors import InvalidSettings, SpoolError, SpotzeeError, did_you_mean
from spotzee_logging.settings import Settings
from spotzee_logging.version import __version__

_REQUIRED: Final = ("requests", "urllib3", "python-json-logger", "wrapt")
_EXTRAS: Final[Mapping[str, Sequence[str]]] = {
    "fast": ("orjson",),
    "cli": ("click", "rich"),
    "sandbox": ("starlette", "uvicorn", "jsonschema"),
}


def versions(_: Examined) -> Iterator[Finding]:
    """Of Python, of ours and of what it needs."""
    yield Finding(
        f"{platform.python_implementation()} {platform.python_version()} on {platform.system()}, "
        f"spotzee_logging {__version__}, " + ", ".join(_installed(_REQUIRED))
    )


def extras(_: Examined) -> Iterator[Finding]:
    """Which extras are installed."""
    for extra, libraries in _EXTRAS.items():
        installed = _installed(libraries)
        is_whole = len(installed) == len(libraries)
        yield Finding(f"{extra}: {', '.join(installed)}" if is_whole else f"{extra}: not installed")


def _installed(libraries: Sequence[str]) -> list[str]:
    versions_of = {library: _version(library) for library in libraries}
    return [f"{library} {found}" for library, found in versions_of.items() if found is not None]


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None


def settings(examined: Examined) -> Iterator[Finding]:
    """What is set, and where it came from; raises nothing where it cannot be."""
    found = examined.settings
    if found is None:
        assert examined.settings_error is not None
        yield Finding(
            *_in_two(
                examined.settings_error, "The documentation's reference of settings says what it may be."
            )
        )
        return
    for row in Settings.table():
        value = getattr(found, row["name"])
        yield Finding(f"{row['name']} = {_shown(row, value)} ({_source(row, value, examined.environ)})")
    if found.api_key is None:
        yield Finding("api_key is missing", "Set SPOTZEE_API_KEY to a project's key: sk_… or pk_….")
    if found.disabled:
        row = next(row for row in Settings.table() if row["name"] == "disabled")
        is_argument = _source(row, value=True, environ=examined.environ) == "argument"
        yield Finding(
            "disabled is on: events are counted, and nothing is sent",
            "Leave disabled out where the handler is made." if is_argument else "Unset SPOTZEE_DISABLED.",
        )


def _in_two(error: SpotzeeError, otherwise: str) -> tuple[str, str]:
    """An error's sentences: what is wrong, and what to do; `otherwise` where it says nothing of that."""
    problem, _, remedy = str(error).partition(". ")
    return problem, remedy or otherwise


def _shown(row: Mapping[str, Any], value: Any) -> str:
    """A value for people's eyes: of a key its kind and length alone, of code its name."""
    if value is None:
        return "None"
    if row["kind"] == "key" and isinstance(value, str):
        return f"{value[:3]}… ({len(value)} characters)"
    if row["kind"] in {"key", "session", "callable"}:
        return getattr(value, "__qualname__", type(value).__name__)
    return f"{value!r} {row['unit']}".rstrip()


def _source(row: Mapping[str, Any], value: Any, environ: Mapping[str, str]) -> str:
    """The variable where it says the same, else the default where that does, else an argument."""
    if environ.get(row["env"], "").strip():
        given = {"api_key": "sk_any", "disabled": False} if row["name"] not in {"api_key", "disabled"} else {}
        only = {row["env"]: environ[row["env"]]}
        try:
            if getattr(Settings.from_env(only, **given), row["name"]) == value:
                return str(row["env"])
        except InvalidSettings:
            return "argument"  # the variable cannot be, and was not asked
    return "default" if value == row["default"] else "argument"


def variables(examined: Examined) -> Iterator[Finding]:
    """Variables that look like settings, and are none."""
    known = [row["env"] for row in Settings.table()]
    for name in sorted(examined.environ):
        if name.startswith("SPOTZEE_") and name not in known:
            asked = (
                did_you_mean(name.lower(), [each.lower() for each in known])
                .upper()
                .replace("DID YOU MEAN", "Did you mean")
            )
            yield Finding(
                f"{name} sets nothing", f"{asked} Each setting's variable is SPOTZEE_ and its name.".strip()
            )


def spool(examined: Examined) -> Iterator[Finding]:
    """Whether the spool can be used. It is not opened: whoever opens one takes over what is left there."""
    found = examined.settings
    if found is None or found.spool is None or found.disabled:
        return
    path = os.path.abspath(found.spool)  # noqa: PTH100  as the buffer has it
    try:
        is_there = SpoolFile(path).examine()
    except SpoolError as error:
        yield Finding(*_in_two(error, "Give another path in spool, or leave it out."))
        return
    yield Finding(f"{path} is a spool" if is_there else f"{path} is not there yet, and can be made")
