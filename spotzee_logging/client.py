"""One batch in, one `Outcome` out, by requests; it never sleeps and never retries."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, Final

from spotzee_logging import lifecycle
from spotzee_logging.answers import KEY_UNAVAILABLE, Outcome
from spotzee_logging.buffers.base import Batch
from spotzee_logging.foreign import attempt
from spotzee_logging.settings import ApiKey, Settings, validated
from spotzee_logging.version import __version__

if TYPE_CHECKING:
    import requests

MAX_ANSWER_BYTES: Final = 64 * 1024
"""The most that is read of an answer's body; a longer one is cut."""

_MAX_MESSAGE_CHARACTERS: Final = 500
_MAX_WORD_CHARACTERS: Final = 100


class ApiClient:
    """Sends batches to `POST {base_url}/events` over a connection that is kept (contract: "Request").

    For one thread at a time. requests, which takes most of the package's import time, is imported with
    the first batch.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._url = f"{settings.base_url}/events"
        self._timeouts = (settings.connect_timeout_seconds, settings.read_timeout_seconds)
        self._session: requests.Session | None = None
        self.api_key: ApiKey = settings.api_key or ""

    def _key(self) -> str:
        """The key of the next request: a callable is asked each time, so that a rotated key needs no restart."""
        if not callable(self.api_key):
            return self.api_key
        key: object = self.api_key()
        if not isinstance(key, str):
            raise TypeError("a key is a string")
        return str(validated("api_key", key))

    def send(self, batch: Batch, most_seconds: float = math.inf) -> Outcome:
        """Try the batch once. Whatever happens on the way is an outcome, not an exception.

        :param most_seconds: a bound for each of the timeouts, where less time is left than they are set to.
        """
        with lifecycle.importing():
            import encodings.idna  # noqa: F401, PLC0415  the first connection would import it

            import requests  # noqa: PLC0415  see the class's docstring
            from urllib3.exceptions import HTTPError  # noqa: PLC0415  what reading a body raises

        key, failure = attempt(self._key)
        if key is None:
            return Outcome(None, f"api_key gave no key: {type(failure).__name__}", KEY_UNAVAILABLE)
        if self._session is None:
            self._session = _open_session(self._settings)
        connect_seconds, read_seconds = self._timeouts
        # A session's auth, and not a header: requests would let an entry of ~/.netrc replace the header.
        self._session.auth = _Bearer(key)
        try:
            with self._session.post(
                self._url,
                data=batch.body,
                headers={"Idempotency-Key": batch.key},
                timeout=(min(connect_seconds, most_seconds), min(read_seconds, most_seconds)),
                allow_redirects=False,  # the key would travel
                stream=True,  # so that no more is read than MAX_ANSWER_BYTES
            ) as response:
                body = response.raw.read(MAX_ANSWER_BYTES, decode_content=True)
                # A server that repeats the key must not bring it into our log lines.
                body = body.replace(key.encode(), b"(the key)")
                return _outcome(response.status_code, response.headers, body)
        except (requests.RequestException, HTTPError, OSError) as error:
            return Outcome(None, _cause(error))

    def close(self) -> None:
        """Close the connection; the next batch opens one again."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def begin_anew(self) -> None:
        """In a forked child: leave the connection to the parent, without a word to the server."""
        self._session = None


def _open_session(settings: Settings) -> requests.Session:
    import requests  # noqa: PLC0415  see ApiClient
    from requests.adapters import HTTPAdapter  # noqa: PLC0415

    session = requests.Session()
    adapter = HTTPAdapter(pool_connections=1, pool_maxsize=1, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    # Plain http is to this machine only: a proxy of the environment could not reach it, and would see the key.
    session.trust_env = not settings.base_url.startswith("http://")
    # What a server or a proxy would have remembered does not travel with the next batch.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    session.headers.update(_headers(settings))
    return session


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


def _outcome(status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
    problem = _problem(body)
    message = problem.get("message") or problem.get("error") or problem.get("title") or ""
    return Outcome(
        status,
        str(message)[:_MAX_MESSAGE_CHARACTERS],
        code=_word(problem.get("code")),
        request_id=_word(problem.get("request_id")) or _word(headers.get("X-Request-Id")),
        retry_after_seconds=_retry_after_seconds(headers),
        items=_named_items(problem),
    )


def _word(value: object) -> str | None:
    """A code or an id, which is short; a number in place of a code is an old envelope's repeated status."""
    is_word = isinstance(value, str) and 0 < len(value) <= _MAX_WORD_CHARACTERS
    return str(value) if is_word else None


# `3.external_id`, `[3].external_id`, or the index alone.
_ITEM: Final = re.compile(r"\[?(\d{1,3})\]?(?:\.|$)", re.ASCII)


def _named_items(problem: dict[str, Any]) -> frozenset[int]:
    """The indexes that `errors[].param` name (contract: "Error body")."""
    errors = problem.get("errors")
    params = (
        [error.get("param") for error in errors if isinstance(error, dict)]
        if isinstance(errors, list)
        else []
    )
    found = [_ITEM.match(param) for param in params if isinstance(param, str)]
    return frozenset(int(match[1]) for match in found if match is not None)


def _problem(body: bytes) -> dict[str, Any]:
    """The members of an RFC 7807 body; none where it is anything else, such as a proxy's page."""
    try:
        problem = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return problem if isinstance(problem, dict) else {}


def _retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """`Retry-After` in seconds, whether it came as such or as a date (RFC 9110, section 10.2.3)."""
    text = headers.get("Retry-After", "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = _seconds_until(text, headers.get("Date", ""))
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _seconds_until(moment: str, now: str) -> float:
    """Seconds between two HTTP dates; the server's own `now` where it gave one, else this machine's."""
    try:
        then = parsedate_to_datetime(moment).timestamp()
    except (ValueError, TypeError):
        return math.nan
    try:
        return then - parsedate_to_datetime(now).timestamp()
    except (ValueError, TypeError):
        return then - time.time()


def _cause(error: BaseException) -> str:
    """The kind of a failure, and what the system said; a whole message could show a proxy's password."""
    innermost = error
    while (inner := _inner(innermost)) is not None:
        innermost = inner
    said = getattr(innermost, "strerror", None)
    kind = (
        type(error).__name__ if innermost is error else f"{type(error).__name__} ({type(innermost).__name__})"
    )
    return f"{kind}: {said}" if said else kind


def _inner(error: BaseException) -> BaseException | None:
    """What a failure of requests or urllib3 was made from: its `reason`, an argument or its cause."""
    reason = getattr(error, "reason", None)
    candidates = (reason, *error.args[:2], error.__cause__)
    return next((each for each in candidates if isinstance(each, BaseException)), None)
