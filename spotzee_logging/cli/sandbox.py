"""`spotzee-logging sandbox`: the local server, until Ctrl-C."""

from __future__ import annotations

import contextlib
import errno
import json
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import click

if TYPE_CHECKING:
    from spotzee_logging.sandbox import Sandbox


DEFAULT_PORT: Final = 8025
_ANY_KEY: Final = "sk_anything"


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    metavar="N",
    help="Where to listen; with 0 the system chooses a free port.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="H",
    help="The address to listen on; one that other machines reach needs --expose.",
)
@click.option(
    "--expose",
    is_flag=True,
    help="Let --host be other than loopback. There is no password: whoever reaches the port can read every "
    "event, with the personal data in it, delete them, and script faults.",
)
@click.option("--json", "is_json", is_flag=True, help="The addresses as one line of JSON, for programs.")
def sandbox(port: int, host: str, *, expose: bool, is_json: bool) -> None:
    """Run a local server that plays the Spotzee events API, until Ctrl-C.

    It accepts what the real API accepts, refuses what that refuses, and shows both on its page as they
    arrive. It can be told to fail, so that you can rehearse trouble. It needs the extra `sandbox`.

    Example: spotzee-logging sandbox --port 8095
    """
    from spotzee_logging.sandbox import Sandbox, is_loopback  # noqa: PLC0415  another extra than ours

    if not expose and not is_loopback(host):
        raise click.UsageError(
            f"{host} is no loopback address: whoever reaches it could read every event and script faults. "
            "Say --expose if that is meant."
        )
    server = Sandbox(port, host)
    with contextlib.suppress(KeyboardInterrupt), sigterm_as_ctrl_c():
        start(server, host, port)
        with server:
            click.echo(_addresses(server) if is_json else _greeting(server))
            server.serve_forever()
    if not is_json:
        click.echo("The sandbox has stopped.")


def start(server: Sandbox, host: str, port: int) -> None:
    """Start a sandbox.

    :raises click.ClickException: where it cannot listen there, in one line.
    """
    try:
        server.start()
    except OSError as error:
        hint = " (--port 0 takes a free one)" if error.errno == errno.EADDRINUSE else ""
        message = f"cannot listen on {host}, port {port}: {error.strerror}{hint}"
        raise click.ClickException(message) from error


@contextlib.contextmanager
def sigterm_as_ctrl_c() -> Iterator[None]:
    """From before the greeting on: whoever reads it may end the sandbox at once."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _addresses(server: Sandbox) -> str:
    """On one line, since whoever reads it waits for its end, and not for the sandbox's."""
    return json.dumps(
        {
            "page": f"{server.root_url}/",
            "controls": f"{server.root_url}/sandbox",
            "variables": {"SPOTZEE_BASE_URL": server.url, "SPOTZEE_API_KEY": _ANY_KEY},
        }
    )


def _greeting(server: Sandbox) -> str:
    controls = f"{server.root_url}/sandbox"
    return f"""\
See events arrive at {server.root_url}/
The sandbox plays the Spotzee events API at {server.url}

{_how_to_point_at(server.url)}

The same for programs:
  GET    {controls}/events    the events that it accepted (DELETE: forget them)
  GET    {controls}/requests  every request, and how it was answered
  PUT    {controls}/faults    what to answer next, as in [{{"status": 503, "times": 2}}]

Ctrl-C ends it."""


def _how_to_point_at(url: str) -> str:
    from spotzee_logging.sandbox import is_loopback  # noqa: PLC0415  as above

    if not is_loopback(urlsplit(url).hostname or ""):
        return (
            "A SpotzeeHandler sends plain http to its own machine only, and so not to this address.\n"
            "With --host 0.0.0.0 one on this machine can."
        )
    return f"""\
Point a program's SpotzeeHandler at it, or `spotzee-logging send`, with these variables:
  SPOTZEE_BASE_URL={url}
  SPOTZEE_API_KEY={_ANY_KEY}"""
