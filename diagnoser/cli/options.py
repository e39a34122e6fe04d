"""What options do several commands share, and what do their words mean?"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from diagnoser.sandbox.levels.level import Level
    from diagnoser.spec.fields import SpecSource, TrainingSpec

F = TypeVar("F", bound=Callable[..., Any])

DURATION = re.compile(r"^(\d+(?:\.\d+)?)\s*(s|m|min|h)?$")
MINUTES = {"s": 1 / 60, "m": 1.0, "min": 1.0, "h": 60.0, None: 1.0}


class Duration(click.ParamType[float]):
    """Minutes from `90s`, `5m`, `1.5h` or a bare number of minutes."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Minutes; fails with the forms that are understood."""
        if isinstance(value, float):
            return value
        found = DURATION.match(str(value).strip().lower())
        if found is None or float(found[1]) == 0:
            self.fail(f"{value!r} is no duration: write 90s, 5m or 1h", param, ctx)
        return float(found[1]) * MINUTES[found[2]]


def measuring_options(command: F) -> F:
    """Options of every command that measures."""
    options = (
        click.option(
            "--preset",
            type=click.Choice(["quick", "standard", "thorough"]),
            help="How much is done; wins over the spec's.",
        ),
        click.option(
            "--budget",
            type=Duration(),
            help="Wall time for the whole diagnosis: 90s, 5m, 1h, or a number of minutes; wins over the spec's.",
        ),
        click.option("--seed", type=click.IntRange(min=0), help="First seed; others count up from it."),
        click.option(
            "--sandbox",
            type=click.Choice(["process", "landlock", "bwrap", "auto"]),
            default="process",
            show_default=True,
            help="How your code is kept apart. process: a plain child with all your rights; landlock, bwrap (Linux): "
            "no network, and no files but its own folder, its packages and `data.paths`; auto: the strongest that "
            "holds here.",
        ),
        click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, and nothing else, on stdout."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def cache_option(*, default: bool) -> Callable[[F], F]:
    """The option of the commands that keep results; it says what it does and where."""
    return click.option(
        "--cache/--no-cache",
        default=default,
        show_default=True,
        help="Use results of earlier runs of the same trials (kept in DIAGNOSER_CACHE, else in your cache folder).",
    )


def stack_option(command: F) -> F:
    """The option of the commands that train."""
    return click.option(
        "--stack/--no-stack",
        "stack",
        default=True,
        show_default=True,
        help="Train trials that differ only in numbers as one batched model where that is faster.",
    )(command)


def load(
    path: Path, *, preset: str | None, budget: float | None, seed: int | None
) -> "tuple[TrainingSpec, SpecSource]":
    """Read a spec and let the command line's options win over it."""
    from diagnoser.spec.patching import apply_changes
    from diagnoser.spec.reading import read_spec

    spec, source = read_spec(path)
    asked = {"protocol.preset": preset, "budget.minutes": budget, "seed": seed}
    return apply_changes(spec, {key: value for key, value in asked.items() if value is not None}), source


def reach_sandbox(asked: str) -> "Level":
    """Try the level that was asked for on this machine; raises UsageError rather than run below it."""
    if asked == "process":
        return "process"
    from diagnoser.sandbox.levels.reach import reach

    reached = reach(asked)
    if asked == "auto":
        click.echo(f"diagnoser: {reached.line}", err=True)
    return reached.level
