"""`spotzee-logging sandbox`: the local server, until Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

import click


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="N",
    help="Where to listen; without it, or with 0, the system chooses a free port.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="H",
    help="The address to listen on; whoever reaches it may use the sandbox.",
)
def sandbox(port: int, host: str) -> None:
    """Run a local server that plays the Spotzee events API, until Ctrl-C.

    It accepts what the real API accepts, refuses what that refuses, and keeps both in memory for you to look
    at. It can be told to fail, so that you can rehearse trouble. It needs the extra `sandbox`.
    """
    from spotzee_logging.sandbox import Sandbox  # noqa: PLC0415  another extra than this command line's

    server = Sandbox(port, host)
    with contextlib.suppress(KeyboardInterrupt), _sigterm_as_ctrl_c():
        try:
            server.start()
        except OSError as error:
            raise click.ClickException(f"cannot listen on {host}, port {port}: {error.strerror}") from error
        with server:
            click.echo(_greeting(server.url, server.root_url))
            server.serve_forever()
    click.echo("The sandbox has stopped.")


@contextlib.contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """From before the greeting on: whoever reads it may end the sandbox at once."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _greeting(url: str, root_url: str) -> str:
    controls = f"{root_url}/sandbox"
    return f"""\
The sandbox plays the Spotzee events API at {url}

Point a program's SpotzeeHandler at it, or `spotzee-logging send`, with these variables:
  SPOTZEE_BASE_URL={url}
  SPOTZEE_API_KEY=sk_anything

See what arrived, and script trouble:
  GET    {controls}/events    the events that it accepted (DELETE: forget them)
  GET    {controls}/requests  every request, and how it was answered
  PUT    {controls}/faults    what to answer next, as in [{{"status": 503, "times": 2}}]

Ctrl-C ends it."""
