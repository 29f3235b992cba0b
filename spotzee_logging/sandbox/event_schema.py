"""The body of `POST /events`: read strictly, held against the JSON Schema, every bad item named."""

from __future__ import annotations

import json
import re
from datetime import datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, cast

from jsonschema import Draft202012Validator, FormatChecker

from spotzee_logging.sandbox import strict_json
from spotzee_logging.sandbox.problems import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jsonschema.exceptions import ValidationError

# RFC 3339, which JSON Schema's `date-time` stands for. jsonschema checks it only where another library
# is installed, and silently not at all where it is missing: so the check is made here. From Python 3.14 on
# datetime takes 24:00, which RFC 3339 does not have.
_DATE_TIME: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})T((?:[01]\d|2[0-3]):\d{2}:\d{2})(?:\.\d+)?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII | re.IGNORECASE,
)
_MAX_NAME_CHARACTERS: Final = 200  # of a field's name in an answer; a body can hold longer ones
_NO_IDENTITY: Final = "anonymous_id or external_id must be given, as a string of at least 1 character"


def read_events(body: bytes) -> list[dict[str, Any]]:
    """Give the events of a body that obeys the contract.

    :raises Refusal: 400 `parameter_invalid_format` for what is not strict JSON, 400 `parameter_unknown`
        where unknown fields are all that is wrong, 422 `validation_failed` otherwise.
    """
    try:
        document = strict_json.parse(body)
    except ValueError as error:
        raise Refusal("parameter_invalid_format", f"the body {error}") from None
    errors = list(_VALIDATOR.iter_errors(document))
    if any(not error.absolute_path for error in errors):
        raise Refusal("validation_failed", "the body must be a JSON array of 1 to 100 events")
    if errors:
        raise _refusal(errors)
    events: list[dict[str, Any]] = document
    return events


def _refusal(errors: list[ValidationError]) -> Refusal:
    """Name each bad field once, in the order of the items."""
    named = {item["param"]: item for error in sorted(errors, key=_position) for item in _items(error)}
    items = list(named.values())
    unknown_only = all(item["code"] == "parameter_unknown" for item in items)
    code = "parameter_unknown" if unknown_only else "validation_failed"
    words = "hold fields that the API does not know" if unknown_only else "failed validation"
    message = f"one or more events {words}; nothing was committed"
    return Refusal(code, message, param=items[0]["param"], errors=items)


def _position(error: ValidationError) -> tuple[int, list[str]]:
    index, *rest = error.absolute_path
    return int(index), [str(part) for part in rest]


def _items(error: ValidationError) -> Iterator[dict[str, str]]:
    """Turn one of jsonschema's errors into the contract's, without the values that its message quotes."""
    path = ".".join(str(part) for part in error.absolute_path)
    if error.validator == "additionalProperties":
        known = cast("dict[str, Any]", error.schema)["properties"]
        for name in sorted(set(cast("dict[str, Any]", error.instance)) - set(known)):
            param = f"{path}.{name[:_MAX_NAME_CHARACTERS]}"
            yield _item(param, "parameter_unknown", "is not a field of the API")
    elif error.validator == "required":
        yield _item(f"{path}.name", "parameter_missing", "must be given")
    elif error.validator == "anyOf":
        yield _item(f"{path}.external_id", "parameter_missing", _NO_IDENTITY)
    elif error.validator == "minLength":
        yield _item(path, "parameter_invalid_empty", "must have at least 1 character")
    else:
        yield _item(path, "parameter_invalid_format", _rule(error))


def _item(param: str, code: str, message: str) -> dict[str, str]:
    return {"param": param, "code": code, "message": message}


def _rule(error: ValidationError) -> str:
    """Say the rule itself, which is the schema's and holds no data."""
    wanted: Any = error.validator_value
    if error.validator == "maxLength":
        return f"must have at most {wanted} characters"
    if error.validator == "format":
        return "must be a date and time as RFC 3339 has it, with its offset from UTC"
    return f"must be of type {wanted if isinstance(wanted, str) else ' or '.join(wanted)}"


def _is_date_time(value: object) -> bool:
    if not isinstance(value, str):
        return True  # the schema's `type` judges these
    match = _DATE_TIME.fullmatch(value)
    if match is None:
        return False
    datetime.fromisoformat(f"{match[1]} {match[2]}")
    return True


def _validator() -> Draft202012Validator:
    schema = json.loads(
        files("spotzee_logging.sandbox").joinpath("events.schema.json").read_text(encoding="utf-8")
    )
    formats = FormatChecker(formats=())
    formats.checks("date-time", raises=ValueError)(_is_date_time)
    return Draft202012Validator(schema, format_checker=formats)


_VALIDATOR: Final = _validator()
