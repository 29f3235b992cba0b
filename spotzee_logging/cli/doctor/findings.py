"""What a check looks at, and what it finds."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from spotzee_logging.cli.doctor.program import Program
from spotzee_logging.client import ApiClient, HeadAnswer
from spotzee_logging.errors import InvalidSettings
from spotzee_logging.settings import Settings


class Finding(NamedTuple):
    """A fact, or, where there is a remedy, something that is wrong."""

    says: str
    remedy: str = ""


@dataclass
class Examined:
    """What there is to look at; what takes time is done once, where it is asked for.

    :param environ: the environment's variables.
    :param program: the program whose logging is looked at; None where none was named.
    :param may_send: whether an event may be sent.
    """

    environ: Mapping[str, str]
    program: Program | None = None
    may_send: bool = False
    settings_error: InvalidSettings | None = field(default=None, init=False)

    @cached_property
    def settings(self) -> Settings | None:
        """Those of the program's handler, else those of the environment; None where these cannot be."""
        if self.program is not None and self.program.handlers:
            return self.program.settings_of(self.program.handlers[0])
        try:
            return Settings.from_env(self.environ)
        except InvalidSettings as error:
            self.settings_error = error
            return None

    @cached_property
    def head(self) -> HeadAnswer:
        """What the events' address answers to a HEAD request."""
        if self.settings is None:
            return HeadAnswer(failure="the settings are wrong")
        with contextlib.closing(ApiClient(self.settings)) as client:
            return client.ask_by_head()

    @cached_property
    def proxy_url(self) -> str:
        """The proxy that requests go through; "" where there is none."""
        if self.settings is None:
            return ""
        with contextlib.closing(ApiClient(self.settings)) as client:
            return client.proxy_url()


class Check(NamedTuple):
    """A row of the table of checks.

    :param name: what its findings stand under.
    :param looks_at: what it looks at, in words.
    :param look: gives what it finds.
    """

    name: str
    looks_at: str
    look: Callable[[Examined], Iterable[Finding]]
