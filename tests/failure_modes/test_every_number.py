"""Every number of the list of failure modes is a test that is named after it."""

import ast
import pathlib

import pytest

TESTS = pathlib.Path(__file__).parent.parent

PLACES = {
    "failure_modes/test_inside_the_host.py": set(range(1, 13)),
    "failure_modes/test_process_life.py": {13, 14, 16, 17, 18, 19, 20},
    "servers": {15},  # gunicorn, gevent, Celery and uWSGI: each needs a program of its own around it
    "failure_modes/test_on_the_wire.py": set(range(21, 29)),
    "failure_modes/test_on_disk.py": {29, 30, 31},
}
"""Where which numbers are held."""


def numbers_in(place):
    """The numbers that the tests of a file, or folder, are named after, as in `test_07_a_hanging_server`."""
    path = TESTS / place
    found = set()
    for path in [path] if path.is_file() else path.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                number = node.name.split("_")[1]
                found |= {int(number)} if number.isdigit() else set()
    return found


@pytest.mark.parametrize("place", PLACES)
def test_every_number_is_a_test(place):
    """Who reads the list finds each of its lines held by a test with its number, where it belongs."""
    if not (TESTS / place).exists():
        pytest.skip(f"{place} is not here")

    assert numbers_in(place) == PLACES[place]


def test_no_number_is_left_out():
    """The places together hold 1 to 31, each once."""
    assert sorted(number for numbers in PLACES.values() for number in numbers) == list(range(1, 32))
