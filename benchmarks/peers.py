"""The peers, each as it is used: one call that records the event, one that waits for what is pending.

Their settings are their defaults, but for queues large enough that nothing is dropped while it is timed, and
batches of 100 events where the default is another size and it can be set.
"""

from __future__ import annotations

import logging
import logging.handlers
from collections.abc import Callable
from typing import NamedTuple

from benchmarks.workload import CONTACT, DATA, NAME, TAG, USER

ROOM_EVENTS = 1_000_000
PROPERTIES = {**DATA, "user": USER}


class Peer(NamedTuple):
    """How to record the event, and how to wait until it is delivered.

    :param room_events: how many can be pending at a time; more are dropped.
    :param clear: drops what is pending.
    """

    record: Callable[[], object]
    flush: Callable[[], object]
    room_events: int = ROOM_EVENTS
    clear: Callable[[], object] = lambda: None


def posthog(port: int) -> Peer:
    from posthog import Posthog  # noqa: PLC0415  one peer a process

    client = Posthog("phc_bench", host=f"http://127.0.0.1:{port}", max_queue_size=ROOM_EVENTS)
    return Peer(lambda: client.capture(NAME, distinct_id=CONTACT, properties=PROPERTIES), client.flush)


def segment(port: int) -> Peer:
    from segment.analytics.client import Client  # noqa: PLC0415

    client = Client("bench", host=f"http://127.0.0.1:{port}", max_queue_size=ROOM_EVENTS)
    return Peer(lambda: client.track(CONTACT, NAME, PROPERTIES), client.flush)


def snowplow(port: int) -> Peer:
    from snowplow_tracker import (  # noqa: PLC0415
        AsyncEmitter,
        SelfDescribing,
        SelfDescribingJson,
        Tracker,
    )

    emitter = AsyncEmitter(
        "127.0.0.1", protocol="http", port=port, batch_size=100, buffer_capacity=ROOM_EVENTS
    )
    tracker = Tracker("bench", emitters=emitter, encode_base64=False)
    schema = "iglu:com.example/product_viewed/jsonschema/1-0-0"
    return Peer(
        lambda: tracker.track(SelfDescribing(SelfDescribingJson(schema, TAG))),
        lambda: tracker.flush(is_async=False),
    )


def sentry(port: int) -> Peer:
    import sentry_sdk  # noqa: PLC0415
    from sentry_sdk import logger  # noqa: PLC0415

    sentry_sdk.init(dsn=f"http://key@127.0.0.1:{port}/1", enable_logs=True, default_integrations=False)
    attributes = {**DATA, **{f"user.{name}": str(value) for name, value in USER.items()}, "contact": CONTACT}
    # Its bound cannot be set, and a call that drops is cheap: what is timed must stay below it.
    batcher = sentry_sdk.get_client().log_batcher
    return Peer(
        lambda: logger.info(NAME, attributes=attributes),
        lambda: sentry_sdk.flush(60),
        room_events=900,
        clear=batcher._buffer.clear,  # noqa: SLF001  it has no public way
    )


def opentelemetry(port: int) -> Peer:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter  # noqa: PLC0415
    from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler  # noqa: PLC0415
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor  # noqa: PLC0415

    provider = LoggerProvider()
    exporter = OTLPLogExporter(endpoint=f"http://127.0.0.1:{port}/v1/logs")
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter, max_queue_size=ROOM_EVENTS))
    logger = logging.Logger("bench", logging.INFO)
    logger.addHandler(LoggingHandler(logger_provider=provider))
    extra = {**DATA, **{f"user.{name}": str(value) for name, value in USER.items()}, "contact": CONTACT}
    return Peer(lambda: logger.info(NAME, extra=extra), lambda: provider.force_flush(60_000))


PEERS: dict[str, Callable[[int], Peer]] = {
    "Snowplow": snowplow,
    "Segment": segment,
    "OpenTelemetry logs": opentelemetry,
    "PostHog": posthog,
    "Sentry logs": sentry,
}

LIBRARIES = {
    "Snowplow": "snowplow_tracker",
    "Segment": "segment.analytics",
    "OpenTelemetry logs": "opentelemetry.sdk._logs.export",
    "PostHog": "posthog",
    "Sentry logs": "sentry_sdk",
}
"""What each is imported by."""
