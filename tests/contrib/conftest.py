"""What the tests of the modules for frameworks share: what they said, and the logger of the programs."""

import logging

import pytest

from spotzee_logging.contrib import identify

logger = logging.getLogger("contrib.shop")


@pytest.fixture
def log():
    """Logs an event of whoever acts."""
    return lambda name="asked", **extra: logger.info("x", extra={"spotzee_event": name, **extra})


@pytest.fixture
def said(caplog):
    """What the package said, as if it had said nothing before."""
    identify._diagnostics.begin_anew()
    return lambda: [record.message for record in caplog.records if record.name == "spotzee_logging"]


MISSING = """
import importlib, sys
from spotzee_logging.errors import MissingLibrary
sys.modules[sys.argv[1]] = None
try:
    importlib.import_module("spotzee_logging.contrib." + sys.argv[1])
except MissingLibrary as error:
    print(error)
"""


@pytest.fixture
def import_without(run_python):
    """Imports the module for a library where that is not installed, and gives what it says."""
    return lambda library: run_python(MISSING, library).stdout.strip()
