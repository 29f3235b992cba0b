"""How far a replay is, for whoever watches a terminal; nothing elsewhere."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskProgressColumn, TextColumn
from rich.progress import TimeRemainingColumn as TimeLeftColumn
from rich.table import Column
from rich.text import Text

from spotzee_logging.cli.replay.source import Source

_BAR_CHARACTERS: Final = 20  # so that all of it fits into 80 columns


class _RateColumn(ProgressColumn):
    """Events a second, since the start of this run."""

    def render(self, task: Task) -> Text:
        events, seconds = task.fields["events"], task.elapsed or 0.0
        rate = f"{events / seconds:,.0f}/s" if seconds else "- /s"
        return Text(f"{events:,} events  {rate}")


class ProgressBar:
    """A bar with the events sent, their rate and the time left, on stderr where that is a terminal."""

    def __init__(self, source: Source) -> None:
        console = Console(stderr=True)
        self._source = source
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=_BAR_CHARACTERS),
            TaskProgressColumn(),
            _RateColumn(table_column=Column(no_wrap=True)),
            TimeLeftColumn(compact=True, table_column=Column(no_wrap=True)),
            console=console,
            disable=not console.is_terminal,
            transient=True,
            redirect_stdout=False,
        )
        self._task = self._progress.add_task(Path(source.name).name, total=source.size_bytes, events=0)

    def advance(self, events: int) -> None:
        """So many more events are settled."""
        before = self._progress.tasks[self._task].fields["events"]
        self._progress.update(self._task, completed=self._source.position_bytes, events=before + events)

    def __enter__(self) -> ProgressBar:  # noqa: PYI034  typing has Self from Python 3.11 on
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
