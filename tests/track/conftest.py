"""What the tests of `track` share."""

import logging

import pytest

from spotzee_logging import SpotzeeHandler
from spotzee_logging.track_diagnostics import voice


class Catcher(SpotzeeHandler):
    """A real handler that keeps each event, as it would be sent, in place of sending it."""

    def __init__(self, **settings):
        self.events = []
        settings.setdefault("base_url", "http://127.0.0.1:9")
        super().__init__("sk_test", before_send=self.keep, **settings)

    def keep(self, event):
        self.events.append(event)

    @property
    def one(self):
        (event,) = self.events
        return event


@pytest.fixture
def catcher():
    """A handler on the root logger, and the events that came to it."""
    handler = Catcher()
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)
    handler.close()


@pytest.fixture
def make_catcher():
    """Makes handlers that keep events, and closes them."""
    made = []

    def make(**settings):
        made.append(Catcher(**settings))
        return made[-1]

    yield make
    for handler in made:
        handler.close()


@pytest.fixture(autouse=True)
def nothing_said():
    """Each test is the first of its process to be told anything."""
    voice._diagnostics.begin_anew()
    voice._has_warned = False
