"""How does a person see that work goes on? A live line on a terminal, one line per step elsewhere."""

import os
import sys
from types import TracebackType
from typing import Self

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn
from rich.progress import Progress as Bar

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


class Progress:
    """Shows events on stderr. Use as a context manager: the live display gives the terminal back at the end."""

    def __init__(self, *, preset: str) -> None:
        self._console = Console(stderr=True, no_color="NO_COLOR" in os.environ)
        self._live = sys.stderr.isatty() and "CI" not in os.environ
        self._bar = Bar(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[best]}"),
            TextColumn("{task.fields[left]}", style="dim"),
            console=self._console,
            transient=True,
        )
        self._task = self._bar.add_task(f"starting ({preset})", total=None, best="", left="")

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
                best=event.words if event.kind == "work_done" else "",
                left=f"{event.seconds_left:.0f} s left",
            )

    def _line(self, text: str) -> None:
        if self._live:
            self._console.print(text, markup=False, highlight=False)
        else:
            click.echo(text, err=True)
