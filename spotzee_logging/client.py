"""One batch in, one `Outcome` out, by requests; it never sleeps and never retries."""

from __future__ import annotations

import copy
import functools
import math
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from spotzee_logging import late
from spotzee_logging.answers import KEY_UNAVAILABLE, Outcome
from spotzee_logging.buffers.base import Batch
from spotzee_logging.errors import SpotzeeError
from spotzee_logging.foreign import attempt, how_raised
from spotzee_logging.responses import outcome_of
from spotzee_logging.setting_kinds import is_loopback, refuse
from spotzee_logging.setting_types import ApiKey
from spotzee_logging.settings import Settings, validated
from spotzee_logging.version import __version__

if TYPE_CHECKING:
    import requests
    from requests.adapters import HTTPAdapter

    from spotzee_logging.answer_heads import BoundedAnswer

MAX_ANSWER_BYTES: Final = 64 * 1024
"""The most that is read of an answer's body; a longer one is cut."""

_FIRST_FINAL_STATUS: Final = 200


def no_bound() -> None:
    """No more than the timeouts allow."""


class HeadAnswer(NamedTuple):
    """What came of a HEAD request.

    :param status: the HTTP status; None where no answer came.
    :param date: the server's `Date`; "" where there is none.
    :param failure: what stood in the way of an answer; "" where one came.
    """

    status: int | None = None
    date: str = ""
    failure: str = ""


class ApiClient:
    """Sends batches to `POST {base_url}/events` over connections that are kept (contract: "Request").

    Safe to use from several threads. requests, which takes most of the package's import time, is imported
    with the first batch.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._url = f"{settings.base_url}/events"
        self._headers = _headers(settings)
        self._timeouts = (settings.connect_timeout_seconds, settings.read_timeout_seconds)
        self._is_forked = False
        self._set_up()
        self.api_key: ApiKey = settings.api_key or ""

    def _set_up(self) -> None:
        self._lock = threading.RLock()
        self._session: requests.Session | None = None
        self._prepared: requests.PreparedRequest | None = None

    def send(self, batch: Batch, most_seconds: Callable[[], float | None] = no_bound) -> Outcome:
        """Try the batch once. Whatever happens on the way is an outcome, not an exception.

        :param most_seconds: tells how long connecting and waiting may take together, where less time is left than
            the timeouts allow; asked when the request is about to begin.
        """
        late.module("encodings.idna")  # the first connection would import it
        late.module("requests")
        key, failure = attempt(self._key)
        if failure is not None:
            # Our own words say what is wrong with what it gave, which they do not repeat.
            why = str(failure) if isinstance(failure, SpotzeeError) else f"it {how_raised(failure)}"
            return Outcome(None, f"api_key gave no key: {why.rstrip('.')}", KEY_UNAVAILABLE)
        session, trouble = self._session_or_trouble()
        if session is None:
            return Outcome(None, trouble)
        return self._post(session, batch, cast("str", key), most_seconds())

    def _key(self) -> str:
        """The key of the next request: a callable is asked each time, so that a rotated key needs no restart."""
        if not callable(self.api_key):
            return self.api_key
        key: object = self.api_key()
        if not isinstance(key, str):
            refuse("api_key", f"must be a string, got {type(key).__name__}", "Have it return the key.")
        return str(validated("api_key", key))

    def _session_or_trouble(self) -> tuple[requests.Session | None, str]:
        """The session that is kept, whose first use makes it, or why there is none: never an exception."""
        with self._lock:
            if self._session is None:
                made, failure = attempt(self._open)
                if failure is not None:
                    return None, f"session gave no requests.Session: {type(failure).__name__}"
                if not isinstance(made, late.module("requests").Session):
                    kind = "None" if made is None else f"an object of type {type(made).__name__}"
                    return None, f"session gave no requests.Session, but {kind}"
                self._session = made
            return self._session, ""

    def _open(self) -> Any:
        given = self._settings.session
        if given is None:
            return _own_session(self._settings)
        if callable(given):
            return given()
        # The parent's connections are the parent's: two processes that write into one would mix their events.
        return copy.deepcopy(given) if self._is_forked else given

    def _post(self, session: requests.Session, batch: Batch, key: str, most_seconds: float | None) -> Outcome:
        outcome, failure = attempt(self._exchange, session, batch, key, most_seconds)
        return Outcome(None, _cause(failure)) if failure is not None else cast("Outcome", outcome)

    def _exchange(
        self, session: requests.Session, batch: Batch, key: str, most_seconds: float | None
    ) -> Outcome:
        """Raises what requests raises, and what hooks and adapters of a program's own session do."""
        timeout = self._timeouts if most_seconds is None else _within(most_seconds, *self._timeouts)
        deadline = math.inf if most_seconds is None else time.monotonic() + most_seconds
        begin = self._begin if self._settings.session is None else self._begin_with_given
        with begin(session, batch, key, timeout) as response:
            if response.status_code < _FIRST_FINAL_STATUS:
                session.close()  # or the next request would take this one's answer for its own
            body = _read_body(response, min(deadline, time.monotonic() + self._timeouts[1]))
            # A server that repeats the key must not bring it into our log lines.
            body = body.replace(key.encode(), b"(the key)")
            return outcome_of(response.status_code, response.headers, body)

    def _begin(self, session: requests.Session, batch: Batch, key: str, timeout: Any) -> requests.Response:
        """Send by a session of ours: its requests differ in three headers; to prepare each takes a quarter of it."""
        if self._prepared is None:
            import requests  # noqa: PLC0415  see the class's docstring

            self._prepared = session.prepare_request(
                requests.Request("POST", self._url, headers=self._headers)
            )
        request = self._prepared.copy()
        request.body = batch.body
        request.headers.update(
            {
                "Authorization": f"Bearer {key}",
                "Idempotency-Key": batch.key,
                "Content-Length": str(len(batch.body)),
            }
        )
        return session.send(
            request,
            timeout=timeout,
            allow_redirects=False,  # the key would travel
            # stream: so that no more is read than MAX_ANSWER_BYTES
            **session.merge_environment_settings(self._url, {}, True, None, None),
        )

    def _begin_with_given(
        self, session: requests.Session, batch: Batch, key: str, timeout: Any
    ) -> requests.Response:
        """Send by a session of the program's, which may have headers, hooks and ways of its own."""
        return session.post(
            self._url,
            data=batch.body,
            headers={**self._headers, "Idempotency-Key": batch.key},
            auth=_Bearer(key),  # not a header: requests would let an entry of ~/.netrc replace it
            timeout=timeout,
            allow_redirects=False,
            stream=True,
        )

    def ask_by_head(self) -> HeadAnswer:
        """What the events' address answers on the way that batches go, or what stood in the way of an answer.

        It is a HEAD request, without the key and without an event. Whatever happens is told, and no exception.
        """
        session, trouble = self._session_or_trouble()
        if session is None:
            return HeadAnswer(failure=trouble)
        answer, failure = attempt(self._head, session)
        return answer or HeadAnswer(failure="" if failure is None else _cause(failure))

    def _head(self, session: requests.Session) -> HeadAnswer:
        with session.head(
            self._url,
            auth=lambda request: request,  # requests would show the host an entry of ~/.netrc
            timeout=self._timeouts,
            allow_redirects=False,
            stream=True,
        ) as response:
            return HeadAnswer(response.status_code, str(response.headers.get("Date", "")))

    def proxy_url(self) -> str:
        """The proxy that batches go through, as requests finds it; "" where there is none. Never raises."""
        session, _ = self._session_or_trouble()
        return (attempt(self._proxy_of, session)[0] if session is not None else None) or ""

    def _proxy_of(self, session: requests.Session) -> str | None:
        from requests.utils import select_proxy  # noqa: PLC0415  see ApiClient

        return select_proxy(
            self._url, session.merge_environment_settings(self._url, {}, None, None, None)["proxies"]
        )

    def close(self) -> None:
        """Close the connections; the next batch opens one again. A session that was given stays open."""
        with self._lock:
            session, self._session = self._session, None
        if session is not None and session is not self._settings.session:
            session.close()

    def begin_anew(self) -> None:
        """In a forked child: leave the connections to the parent, without a word to the server."""
        self._is_forked = True
        self._set_up()


def _within(seconds: float, connect_seconds: float, read_seconds: float) -> Any:
    """Both timeouts, and together no more than so long; requests hands it on, which its types do not tell."""
    from urllib3 import Timeout  # noqa: PLC0415  see ApiClient

    return Timeout(seconds, connect_seconds, read_seconds)


def _read_body(response: requests.Response, deadline: float) -> bytes:
    """The answer's body, cut; none where it is not packed as it says: the status has the word then.

    A proxy that mangles every 200 would otherwise have a batch that was taken sent again for ever. So would one that
    drips its bodies: what has not come until the deadline is left where it is.
    """
    from urllib3 import HTTPResponse  # noqa: PLC0415  see ApiClient
    from urllib3.exceptions import DecodeError  # noqa: PLC0415

    raw = response.raw
    # By pieces, as they come; not where a session's own adapter gives something else, nor by urllib3 1.26.
    read = raw.read1 if isinstance(raw, HTTPResponse) and hasattr(raw, "read1") else raw.read
    pieces, room = [], MAX_ANSWER_BYTES
    try:
        while room and time.monotonic() < deadline and (piece := read(room, decode_content=True)):
            pieces.append(piece[:room])
            room -= len(pieces[-1])
    except DecodeError:
        return b""
    return b"".join(pieces)


def _own_session(settings: Settings) -> requests.Session:
    from http.cookiejar import DefaultCookiePolicy  # noqa: PLC0415  requests has imported it

    import requests  # noqa: PLC0415  see ApiClient

    session = requests.Session()
    adapter = _adapter_class()(pool_connections=1, pool_maxsize=settings.connections, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    if settings.base_url.startswith("http://"):
        session.trust_env = False
        session.proxies.update(_proxies_here(settings.base_url))
    # What a server or a proxy would have remembered does not travel with the next batch.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    return session


def _proxies_here(url: str) -> dict[str, str]:
    """The environment's proxy for plain http, where it is on this machine: that is where plain http goes.

    One elsewhere, as a company's is, would look for the server on its own machine, and see the key.
    """
    from requests.utils import get_environ_proxies  # noqa: PLC0415  see ApiClient

    proxies = get_environ_proxies(url, no_proxy=None)
    proxy = proxies.get("http") or proxies.get("all") or ""
    urlsplit = late.module("urllib.parse").urlsplit
    parts, _ = attempt(urlsplit, proxy if "//" in proxy else f"http://{proxy}")
    is_here = parts is not None and parts.scheme in {"http", "https"} and is_loopback(parts.hostname or "")
    return {"http": proxy} if is_here else {}


@functools.cache
def _adapter_class() -> type[HTTPAdapter]:
    """An adapter of requests', with connections whose answers' heads come within the timeout as a whole."""
    import urllib3  # noqa: PLC0415  see ApiClient
    from requests.adapters import HTTPAdapter  # noqa: PLC0415

    answer: type[BoundedAnswer] = late.module("spotzee_logging.answer_heads").BoundedAnswer
    pools: dict[str, Any] = {}
    for scheme, pool in (("http", urllib3.HTTPConnectionPool), ("https", urllib3.HTTPSConnectionPool)):
        bounded = type("BoundedConnection", (pool.ConnectionCls,), {"response_class": answer})
        pools[scheme] = type("BoundedPool", (pool,), {"ConnectionCls": bounded})

    class BoundedAdapter(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, **kwargs)
            self.poolmanager.pool_classes_by_scheme = pools

        def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
            manager = super().proxy_manager_for(*args, **kwargs)
            manager.pool_classes_by_scheme = pools
            return manager

    return BoundedAdapter


def _headers(settings: Settings) -> dict[str, str]:
    optional = {"Spotzee-Version": settings.api_version, "x-spotzee-client-type": settings.client_type}
    return {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "User-Agent": f"spotzee-logging/{__version__}",
        **{name: value for name, value in optional.items() if value is not None},
    }


class _Bearer:
    """Puts the key on a request; its own repr shows none."""

    def __init__(self, api_key: str) -> None:
        self._api_key = api_key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._api_key}"
        return request


# So begins what requests and http.client say of these, without an error of the system's.
_NO_CERTIFICATES: Final = "Could not find a suitable TLS CA certificate bundle"
_NO_TUNNEL: Final = "Tunnel connection failed: "
_NO_SOCKS: Final = "Missing dependencies for SOCKS support"


def _cause(error: BaseException) -> str:
    """The kind of a failure, and what the system said; a whole message could show a proxy's password."""
    innermost = error
    while (inner := _inner(innermost)) is not None:
        innermost = inner
    said = _said_by(innermost)
    kind = (
        type(error).__name__ if innermost is error else f"{type(error).__name__} ({type(innermost).__name__})"
    )
    return f"{kind}: {said}" if said else kind


def _said_by(error: BaseException) -> str | None:
    text = str(error) if type(error) is OSError or type(error).__name__ == "InvalidSchema" else ""
    if text.startswith(_NO_SOCKS):
        return "the proxy speaks SOCKS, which needs PySocks: pip install 'requests[socks]'"
    if text.startswith(_NO_CERTIFICATES):
        return "the certificates that REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names are not there"
    if text.startswith(_NO_TUNNEL):
        return f"the proxy answers {text.removeprefix(_NO_TUNNEL)[: len('407')]}"
    return getattr(error, "strerror", None)


def _inner(error: BaseException) -> BaseException | None:
    """What a failure of requests or urllib3 was made from: its `reason`, an argument or its cause."""
    reason = getattr(error, "reason", None)
    candidates = (reason, *error.args[:2], error.__cause__)
    return next((each for each in candidates if isinstance(each, BaseException)), None)
