"""The sandbox as a running server: a thread of its own, on loopback, for tests and for the command line."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from typing import TYPE_CHECKING, Any, Final

from uvicorn import Config
from uvicorn.server import ServerState

from spotzee_logging.errors import SpotzeeError
from spotzee_logging.sandbox.app import MAX_BODY_BYTES, create_app
from spotzee_logging.sandbox.connection import SandboxProtocol
from spotzee_logging.sandbox.contract import BASE_PATH
from spotzee_logging.sandbox.faults import FaultScript
from spotzee_logging.sandbox.store import MAX_KEPT, MAX_KEPT_BYTES, Store

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from spotzee_logging.sandbox.store import RequestRecord

KEEP_ALIVE_SECONDS: Final = 60
_STOP_SECONDS: Final = 1.0
_SIGNAL_CHECK_SECONDS: Final = 0.5
_TURNS_OF_AN_ACCEPT: Final = 5
"""After so many turns of the loop, and some to spare, a connection that was just accepted is known."""

_OWN_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  nothing is bound to it here
"""Of this machine, where all addresses are listened on."""


class Sandbox:
    """A Spotzee events API on this machine, that accepts what the real one accepts and nothing else.

        with Sandbox() as sandbox:
            handler = SpotzeeHandler("sk_test", base_url=sandbox.url)
            ...
            assert sandbox.wait_for(1, timeout_seconds=5)
            assert sandbox.events()[0]["name"] == "order_placed"

    What it saw outlives `stop()`; a later `start()` takes the same port again. Safe to use from several
    threads. It needs nothing of the program's logging and changes nothing there.

    :param port: 0 lets the system choose a free one.
    :param host: an address of this machine; whoever reaches it may use the sandbox.
    :param api_keys: the keys that are known; None takes every well-formed one (`sk_…`, `pk_…`).
    :param max_body_bytes: a larger body is answered 413.
    :param requests_per_10_seconds: the rate limit; None is none.
    :param max_kept: at most so many events, and as many requests, are kept; the oldest are forgotten first.
    :param max_kept_bytes: at most so many bytes of events, and as many of requests.
    """

    def __init__(  # noqa: PLR0913 - one argument for each thing that a test may turn, all with a default
        self,
        port: int = 0,
        host: str = "127.0.0.1",
        *,
        api_keys: Iterable[str] | None = None,
        max_body_bytes: int = MAX_BODY_BYTES,
        requests_per_10_seconds: int | None = None,
        max_kept: int = MAX_KEPT,
        max_kept_bytes: int = MAX_KEPT_BYTES,
    ) -> None:
        self._host = host
        self._port = port
        self._store = Store(max_kept=max_kept, max_kept_bytes=max_kept_bytes)
        self._faults = FaultScript()
        self._app = create_app(
            self._store,
            self._faults,
            api_keys=None if api_keys is None else frozenset(api_keys),
            max_body_bytes=max_body_bytes,
            requests_per_10_seconds=requests_per_10_seconds,
            host=host,
        )
        self._lock = threading.RLock()
        self._service: _Service | None = None

    @property
    def url(self) -> str:
        """The base URL for a client, such as `http://127.0.0.1:54321/api/client`.

        :raises SpotzeeError: before the first `start()`, where the port is not known yet.
        """
        return f"{self.root_url}{BASE_PATH}"

    @property
    def root_url(self) -> str:
        """The URL of the page, and what the controls stand under: `{root_url}/sandbox/events` and so on.

        Where it listens on all addresses it is this machine's own, which a handler's `base_url` may be.

        :raises SpotzeeError: as `url` does.
        """
        if not self._port:
            raise SpotzeeError("the sandbox has no port yet: use it in a with statement, or call start()")
        host = _OWN_ADDRESS.get(self._host, self._host)
        return f"http://[{host}]:{self._port}" if ":" in host else f"http://{host}:{self._port}"

    def start(self) -> None:
        """Bind the port and serve; when it returns, requests are answered. Again: does nothing.

        :raises OSError: where the port is taken or the host is none of this machine's.
        """
        with self._lock:
            if self._service is not None:
                return
            family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
            listener = socket.create_server((self._host, self._port), family=family)
            self._port = listener.getsockname()[1]
            self._service = _Service(self._app, listener)
            self._service.start()

    def stop(self) -> None:
        """End every connection, hanging ones too, and free the port, within a second. Again: does nothing."""
        with self._lock:
            service, self._service = self._service, None
        if service is not None:
            service.stop()

    def __enter__(self) -> Sandbox:  # noqa: PYI034  typing has Self from Python 3.11 on
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def serve_forever(self) -> None:
        """Serve until Ctrl-C, SIGTERM (both only in the main thread) or `stop()` in another thread.

        Prints nothing, and leaves the program's signal handlers as they were.

        :raises OSError: as `start()` does.
        """
        handlers = _raise_keyboard_interrupt()
        try:
            self.start()
            service = self._service
            # In short waits: an endless one would not let Ctrl-C through on Windows.
            while service is not None and not service.stopped.wait(_SIGNAL_CHECK_SECONDS):
                pass
        except KeyboardInterrupt:
            self.stop()
        finally:
            for number, handler in handlers:
                signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def events(self) -> list[dict[str, Any]]:
        """Give copies of the accepted events, in the order of their commit."""
        return self._store.events()

    def requests(self) -> list[RequestRecord]:
        """Give copies of the requests to the API, in the order of their arrival."""
        return self._store.requests()

    def faults(self, script: Iterable[dict[str, Any]]) -> None:
        """Script the next requests, in the place of what was left; `sandbox.faults` describes an entry.

        :raises InvalidSettings: (a ValueError) naming the entry and what is wrong with it.
        """
        self._faults.replace(list(script))

    def faults_left(self) -> list[dict[str, Any]]:
        """Give what is left of the script."""
        return self._faults.left()

    def wait_for(self, count: int, timeout_seconds: float) -> bool:
        """Wait until `count` events were accepted since the start or `clear()`; False: time ran out."""
        return self._store.wait_for(count, timeout_seconds)

    def wait_for_requests(self, count: int, timeout_seconds: float) -> bool:
        """Wait until `count` requests arrived, answered or not, since the start or `clear()`."""
        return self._store.wait_for_requests(count, timeout_seconds)

    def forgotten(self) -> dict[str, int]:
        """Say how many `events` and `requests` were forgotten because of the bounds."""
        return self._store.forgotten()

    def clear(self) -> None:
        """Forget events, requests and idempotency keys; the scripted faults stay."""
        self._store.forget()


class _Service:
    """One life of the server, from `start` to `stop`.

    It runs uvicorn's protocol on a loop of its own rather than uvicorn's `Server`, which would log to the
    program's handlers, poll for its end, and wait for hanging requests.
    """

    def __init__(self, app: Any, listener: socket.socket) -> None:
        # access_log stays at its default: turning it off here would change uvicorn's logger for everyone.
        self._config = Config(
            app,
            http=SandboxProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
        self._config.load()
        self._listener = listener
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._ready = threading.Event()
        self.stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="spotzee-sandbox", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        finally:
            self._ready.set()
            self.stopped.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        state = ServerState()
        server = await self._loop.create_server(
            lambda: SandboxProtocol(self._config, state, {}), sock=self._listener
        )
        self._ready.set()
        await self._stopping.wait()
        # First no more is accepted: what asyncio has just accepted when its server is closed, it never closes.
        with contextlib.suppress(NotImplementedError):  # on Windows
            self._loop.remove_reader(self._listener)
        for _ in range(_TURNS_OF_AN_ACCEPT):
            for protocol in tuple(state.connections):
                protocol.transport.abort()
            # The ends of the connections are callbacks, and wake the requests that hang.
            await asyncio.sleep(0)
        server.close()
        if state.tasks:
            await asyncio.wait(tuple(state.tasks), timeout=_STOP_SECONDS)


def _raise_keyboard_interrupt() -> list[tuple[int, Any]]:
    """Let both signals end the wait as Ctrl-C does; give the handlers that were there before."""
    if threading.current_thread() is not threading.main_thread():
        return []
    numbers = (signal.SIGINT, signal.SIGTERM)
    return [(number, signal.signal(number, signal.default_int_handler)) for number in numbers]
