"""What `spotzee-logging spool` prints: reports as plain data, and their text."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, Final

import click

from spotzee_logging.buffers.survey import Found, SpoolSurvey
from spotzee_logging.encoding import decode_event
from spotzee_logging.timestamps import from_epoch

_SECONDS_OF_UNIT: Final = {"s": 1, "m": 60, "h": 60 * 60, "d": 24 * 60 * 60}


def status_of(survey: SpoolSurvey) -> dict[str, Any]:
    """All that `status` tells."""
    owners = survey.owners()
    oldest = next(survey.pending(), None)
    return {
        "file": survey.path,
        "size_bytes": survey.size_bytes(),
        "pending": sum(owner.waiting + owner.sealed for owner in owners),
        "in_flight": sum(owner.sealed for owner in owners if owner.is_alive),
        "oldest_age_seconds": None if oldest is None else age_seconds(oldest),
        "owners": [
            {
                "pid": owner.pid,
                "alive": owner.is_alive,
                "waiting": owner.waiting,
                "in_batches": owner.sealed,
            }
            for owner in owners
        ],
        "rejected": dict(survey.rejected_by_reason()),
    }


def status(report: Mapping[str, Any]) -> str:
    """The report of `status` as text."""
    age = report["oldest_age_seconds"]
    lines = [
        f"spool     {report['file']}",
        f"size      {report['size_bytes']} bytes",
        f"pending   {report['pending']}, {report['in_flight']} of them in flight",
        f"oldest    {'-' if age is None else f'{age:.0f} s ago'}",
    ]
    for owner in report["owners"]:
        life = "alive" if owner["alive"] else "gone"
        process = f"process {owner['pid'] or '?'}, {life}"
        lines.append(f"owner     {process}: {owner['waiting']} wait, {owner['in_batches']} in batches")
    lines += [f"rejected  {count} {reason}" for reason, count in report["rejected"].items()] or [
        "rejected  0"
    ]
    return "\n".join(lines)


def age_seconds(found: Found) -> float | None:
    """How long ago an event happened; None where it does not say."""
    created_at = created(found)
    return None if created_at is None else max(0.0, time.time() - created_at)


def created(found: Found) -> float | None:
    """When an event happened, in seconds since 1970; None where it does not say."""
    text = decode_event(found.body).created_at
    try:
        moment = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def about(found: Found) -> dict[str, Any]:
    """What may be told of an event without its data."""
    event = decode_event(found.body)
    return {
        "id": found.id,
        "state": found.state,
        "name": event.name,
        "external_id": event.external_id,
        "anonymous_id": event.anonymous_id,
        "created_at": event.created_at,
        **{
            name: from_epoch(value) if isinstance(value, float) else value
            for name, value in found.where.items()
        },
    }


def line(event: Mapping[str, Any]) -> str:
    """One event on a line."""
    contact = event["external_id"] or event["anonymous_id"]
    words = event.get("why") or event.get("reason")
    said = f"  {words}" if words else ""
    return f"{event['id']}  {event['state']}  {event['name']}  {contact}  {event['created_at']}{said}"


def details(event: Mapping[str, Any]) -> str:
    """One event, a line for each thing that is known of it."""
    texts = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in event.items()}
    return "\n".join(f"{name:16} {text}" for name, text in texts.items() if text is not None)


def outcome(counts: Mapping[str, int]) -> str:
    """How the events of a delivery ended."""
    return ", ".join(f"{count} {how}" for how, count in counts.items())


def seconds(age: str) -> float:
    """An age such as `36h` in seconds. Raises click's UsageError for what is none."""
    match = re.fullmatch(r"(\d{1,9})([smhd])", age.strip())
    if not match:
        raise click.UsageError("--older-than takes a number and its unit: 90s, 15m, 36h or 7d")
    return float(int(match[1]) * _SECONDS_OF_UNIT[match[2]])
