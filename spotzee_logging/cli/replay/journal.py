"""How far a replay has come, on disk: an interrupted one goes on there, and a finished one sends nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from spotzee_logging.cli.replay.reading import Mark
from spotzee_logging.cli.replay.record_file import RecordFile
from spotzee_logging.errors import InvalidSettings

_FORMAT: Final = "spotzee-logging replay 1"


class Journal:
    """What became of a log's batches.

    :param path: where it is kept; None: nowhere.
    :param terms: what the batches depend on beside the log, and where they go: they must be those of before.

    :ivar mark: up to where all is settled; None where nothing is.
    :ivar delivered: events that the API has taken over up to there.
    :ivar refused: events that it has refused.
    :ivar parts: of batches past the mark that were taken apart, by key: the events' indexes of each part.
    :ivar done: how many events were delivered of parts that are settled, by key.

    Raises `InvalidSettings` where there is another journal, or another file, at the path.
    """

    def __init__(self, path: Path | None, terms: dict[str, Any]) -> None:
        self._path = path
        self._terms = terms
        self._file = RecordFile(path, "journal")
        self.mark: Mark | None = None
        self.delivered = 0
        self.refused = 0
        self.parts: dict[str, Sequence[Sequence[int]]] = {}
        self.done: dict[str, int] = {}
        try:
            self._read()
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if isinstance(error, InvalidSettings):
                raise
            raise self._foreign("is no journal of a replay") from error

    def _read(self) -> None:
        is_new = True
        for record in self._file.records():
            if is_new:
                self._check(record)
                is_new = False
            elif "through" in record:
                self._take_mark(record)
            elif "parts" in record:
                self.parts[record["parts"]] = record["groups"]
            else:
                self.done[record["done"]] = record["delivered"]
        if is_new:
            self._file.append({"journal": _FORMAT, **self._terms})

    def _check(self, record: dict[str, Any]) -> None:
        if record.get("journal") != _FORMAT:
            raise self._foreign("is no journal of a replay")
        for name, value in self._terms.items():
            if record.get(name) != value:
                raise self._foreign(
                    f"belongs to a replay with another {name} ({record.get(name)}, not {value})"
                )

    def _foreign(self, problem: str) -> InvalidSettings:
        remedy = "Give --journal another path for a replay of its own, or run it as it was."
        return InvalidSettings(f"the journal {self._path} {problem}. {remedy}", setting="journal")

    def _take_mark(self, record: dict[str, Any]) -> None:
        self.mark = Mark.from_json(record["through"])
        self.delivered = record["delivered"]
        self.refused = record["refused"]
        self.parts.clear()
        self.done.clear()

    def note(self, records: Sequence[dict[str, Any]]) -> None:
        """Keep what has become of a batch that is not settled yet."""
        self._file.append(*records)
        self._file.sync()

    def settle(self, mark: Mark, *, delivered: int, refused: int) -> None:
        """All up to the mark is settled."""
        record = {"through": mark.as_json(), "delivered": delivered, "refused": refused}
        self._take_mark(record)
        self.note([record])

    def close(self) -> None:
        """Close the file."""
        self._file.close()
