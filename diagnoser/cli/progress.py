"""How does a person see that work goes on? A live line on a terminal, one line per step elsewhere."""

import os
import sys
import time
from types import TracebackType
from typing import Self

import click
from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.progress import Progress as Bar
from rich.text import Text

from diagnoser.protocol.events import Event

LABELS = {
    "preflight": "0 preflight",
    "initial_loss": "1 initial loss",
    "overfit": "2 overfit a small set",
    "lr_scan": "3 learning-rate scan",
    "coarse_search": "4 coarse search",
    "fine_search": "5 fine search",
    "curves": "6 curves",
    "treatments": "7 treatment",
}


class _Left(ProgressColumn):
    """What is left of the budget, counted down between events too; nothing before the first of them."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        """Show whole seconds."""
        ends = task.fields.get("ends")
        return Text("" if ends is None else f"{max(0.0, ends - time.monotonic()):.0f} s left", style="dim")


class Progress:
    """Shows events on stderr. Use as a context manager: the live display gives the terminal back at the end."""

    def __init__(self, *, preset: str) -> None:
        self._console = Console(stderr=True, no_color="NO_COLOR" in os.environ)
        self._live = sys.stderr.isatty() and "CI" not in os.environ
        self._bar = Bar(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[counted]}"),
            TextColumn("{task.fields[best]}"),
            _Left(),
            console=self._console,
            transient=True,
        )
        self._task = self._bar.add_task(f"{preset}: loading your model and data", total=None, counted="", best="")

    def __enter__(self) -> Self:
        if self._live:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._bar.stop()

    def tell(self, event: Event) -> None:
        """Show one event."""
        label = LABELS[event.step]
        if event.kind == "step_ended":
            self._line(f"{label}: {event.words} ({event.seconds_used:.0f} s)")
        if self._live:
            self._bar.update(
                self._task,
                description=label,
                completed=event.done,
                total=event.planned or None,
                counted=f"{event.done}/{event.planned}" if event.planned else "",
                best=event.words if event.kind == "work_done" else "",
                ends=time.monotonic() + event.seconds_left,
            )

    def _line(self, text: str) -> None:
        if self._live:
            self._console.print(text, markup=False, highlight=False)
        else:
            click.echo(text, err=True)
