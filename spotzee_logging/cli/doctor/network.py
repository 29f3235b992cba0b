"""The way to the API: name, proxy, certificates, clock and key."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator, Sequence
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

from spotzee_logging.answers import PAUSE_REMEDIES, Move, Outcome, move_for, remedy_for
from spotzee_logging.buffers.base import seal
from spotzee_logging.cli.doctor.findings import Examined, Finding
from spotzee_logging.client import ApiClient
from spotzee_logging.encoding import encode_event

MOST_SKEW_SECONDS: Final = 30.0
"""A clock that differs more gives events wrong times."""

PROBE: Final = encode_event(
    {"name": "spotzee_logging_doctor", "anonymous_id": "spotzee_logging_doctor", "data": {"is_probe": True}}
)
"""The event that `--send` sends. The API has no call that tries a key and leaves nothing."""

_CA_VARIABLES: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")

TROUBLES: Final[Sequence[tuple[str, str]]] = (
    ("SOCKS", "Install what it needs: pip install 'requests[socks]'."),
    ("CA_BUNDLE", "Set that variable right, or unset it."),
    ("SSL", "Name your network's certificates in REQUESTS_CA_BUNDLE, or see the host in base_url."),
    ("Proxy", "See {proxy} and NO_PROXY, or give the setting session proxies of its own."),
    ("NameResolution", "See the host in base_url and this machine's DNS."),
    ("InvalidURL", "See {proxy}: what it names is no URL."),
    ("Timeout", "A firewall may drop what goes there: let this machine reach it, or set {proxy}."),
    ("Refused", "Nobody listens there: see base_url, or start the sandbox."),
    ("session", "The setting session must give a requests.Session."),
    ("", "See base_url, and whether this machine may reach it."),
)
"""What to do about a failure: the first row whose word stands in its kind; `{proxy}` is the proxy's variable."""

_END_OF_API: Final = "/api/client"
_NOT_FOUND: Final = 404


def address(examined: Examined) -> Iterator[Finding]:
    """Where events go, and whether its name is known."""
    if examined.settings is None:
        return
    url = examined.settings.base_url
    yield Finding(f"events go to {url}/events")
    try:
        host, port = _host_and_port(examined.proxy_url or url)
    except ValueError:
        yield Finding(
            "the proxy's address is no URL",
            f"Set {_proxy_variable(url)} right, as in http://proxy.example.com:3128.",
        )
        return
    try:
        found = sorted({str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)})
    except (OSError, UnicodeError) as error:
        whose = "the proxy's name " if examined.proxy_url else ""
        yield Finding(
            f"{whose}{host} is not found: {error}", "See base_url, the proxy and this machine's DNS."
        )
        return
    yield Finding(f"{host} is {', '.join(found)}")


def proxy(examined: Examined) -> Iterator[Finding]:
    """Which proxy stands between."""
    settings = examined.settings
    if settings is None:
        return
    source = "from the environment"
    if settings.session is not None:
        yield Finding("the setting session decides on proxies and certificates")
        source = "by the session, or from the environment"
    is_local = settings.base_url.startswith("http://")
    none = "none on this machine, where plain http stays" if is_local and settings.session is None else "none"
    yield Finding(f"{_without_user(examined.proxy_url)} ({source})" if examined.proxy_url else none)


def connection(examined: Examined) -> Iterator[Finding]:
    """Whether the API answers, over TLS with a certificate that is trusted."""
    settings = examined.settings
    if settings is None:
        return
    for name in _CA_VARIABLES:
        place = examined.environ.get(name)
        if place and not os.path.exists(place):  # noqa: PTH110  as requests asks
            yield Finding(f"{name} names {place}, which is not there", f"Set {name} right, or unset it.")
    failure = examined.head.failure
    if failure:
        remedy = next(remedy for word, remedy in TROUBLES if word.lower() in failure.lower())
        remedy = remedy.format(proxy=_proxy_variable(settings.base_url))
        yield Finding(f"no answer from {settings.base_url}: {failure}", remedy)
        return
    if examined.head.status == _NOT_FOUND and not examined.may_send:  # else `key` tells for certain
        yield _not_found(settings.base_url)
    if settings.base_url.startswith("https://"):
        yield Finding("it answers, and its certificate is trusted (asked by HEAD, without key or event)")
    else:
        yield Finding("it answers, without TLS on this machine (asked by HEAD, without key or event)")


def _not_found(url: str) -> Finding:
    """Wrong where the address looks wrong too: the API promises nothing of an answer to HEAD."""
    says = f"{url}/events answers 404 to HEAD"
    if url.endswith(_END_OF_API):
        return Finding(f"{says}: --send would tell whether it takes events")
    return Finding(
        f"{says}: nothing may be there",
        f"See base_url: the API's ends in {_END_OF_API}, and --send tries it.",
    )


def clock(examined: Examined) -> Iterator[Finding]:
    """How far this machine's clock is from the server's."""
    date = examined.head.date
    if examined.head.failure:
        return
    try:
        skew_seconds = time.time() - parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError):
        yield Finding("the server tells no time to compare with")
        return
    if abs(skew_seconds) <= MOST_SKEW_SECONDS:
        yield Finding(f"within {MOST_SKEW_SECONDS:.0f} s of the server's")
        return
    side = "ahead of" if skew_seconds > 0 else "behind"
    yield Finding(
        f"this machine's clock is {abs(skew_seconds):.0f} s {side} the server's: events get wrong times",
        "Have it set by NTP.",
    )


def key(examined: Examined) -> Iterator[Finding]:
    """Whether the API takes events under the key."""
    settings = examined.settings
    if settings is None or settings.api_key is None:
        return
    if not examined.may_send:
        yield Finding(f"not tried; --send would send one event, which stays: {PROBE.decode()}")
        return
    client = ApiClient(settings)
    try:
        outcome = client.send(seal([PROBE], 0))
    finally:
        client.close()
    request = f" (request {outcome.request_id})" if outcome.request_id else ""
    if move_for(outcome) is Move.DELIVERED:
        yield Finding(f"the API has taken one event{request}: {json.loads(PROBE)['name']}")
        return
    yield Finding(
        f"{outcome}" if outcome.status is None else f"the API answers {outcome}{request}",
        _remedy_of_answer(outcome),
    )


def _remedy_of_answer(outcome: Outcome) -> str:
    move = move_for(outcome)
    if move is Move.PAUSE:
        return f"{remedy_for(outcome, PAUSE_REMEDIES)}."
    if move in {Move.RETRY, Move.WAIT}:
        return "Try again in a minute."
    return (
        "See base_url and api_version: an API that keeps its documentation takes this event, and one that refuses it "
        "may refuse the program's too."
    )


def _host_and_port(url: str) -> tuple[str, int]:
    """Raises ValueError where it is no URL."""
    parts = urlsplit(url if "//" in url else f"//{url}")
    return parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 443)


def _proxy_variable(base_url: str) -> str:
    return "HTTP_PROXY" if base_url.startswith("http://") else "HTTPS_PROXY"


def _without_user(url: str) -> str:
    """A proxy may be given with its password."""
    scheme, slashes, rest = url.rpartition("//")
    return f"{scheme}{slashes}{rest.rpartition('@')[2]}"
