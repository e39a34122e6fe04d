"""`run`, `demo` and `plan`: the commands that load a user's code."""

import json
import shlex
import shutil
import sys
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from diagnoser.cli import files
from diagnoser.cli.options import cache_option, load, measuring_options, reach_sandbox, stack_option

if TYPE_CHECKING:
    from diagnoser.findings import Diagnosis
    from diagnoser.sandbox.levels.level import Level

DEFAULT_OUT = "diagnosis"
EXAMPLES = ("broken", "healthy")

Prints = Literal["words", "json", "nothing"]
"""What stands on stdout at the end."""


@click.command()
@click.argument("spec", type=click.Path(path_type=Path), default="diagnose.yaml")
@click.option("--out", type=click.Path(path_type=Path), default=DEFAULT_OUT, show_default=True, help="Output folder.")
@cache_option(default=True)
@stack_option
@measuring_options
def run(
    spec: Path,
    out: Path,
    preset: str | None,
    budget: float | None,
    seed: int | None,
    sandbox: str,
    as_json: bool,
    cache: bool,
    stack: bool,
) -> None:
    """Diagnose what SPEC (diagnose.yaml) describes; writes evidence.json, diagnosis.json and report.html.

    Exit code 0 whenever a diagnosis was made, whatever it found; 3 when your code gives no model or no first batch.
    """
    prints: Prints = "json" if as_json else "words"
    level = reach_sandbox(sandbox)
    diagnose_spec(
        spec, out, preset=preset, budget=budget, seed=seed, cache=cache, stack=stack, prints=prints, level=level
    )


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path), default="diagnoser-demo", show_default=True, help="Output folder."
)
@cache_option(default=False)
@stack_option
@click.option("--json", "as_json", is_flag=True, help="Print both diagnoses as a JSON object on stdout.")
def demo(out: Path, cache: bool, stack: bool, as_json: bool) -> None:
    """Diagnose the bundled example, a small CNN on real digits: first broken, then mended."""
    found = {}
    with files.folder(out):
        for example in EXAMPLES:
            folder = out if example == "broken" else out / example
            source = folder / "source"
            source.mkdir(parents=True, exist_ok=True)
            for file in (resources.files("diagnoser") / "demo" / example).iterdir():
                if file.is_file():
                    (source / file.name).write_bytes(file.read_bytes())
            click.echo(f"{example} example ({source}):", err=True)
            spec = source / "diagnose.yaml"
            prints: Prints = "nothing" if as_json else "words"
            found[example] = diagnose_spec(
                spec, folder, preset=None, budget=None, seed=None, cache=cache, stack=stack, prints=prints
            )
            shutil.rmtree(source / "__pycache__", ignore_errors=True)
    if as_json:
        click.echo(json.dumps({name: json.loads(one.model_dump_json()) for name, one in found.items()}))


@click.command()
@click.argument("spec", type=click.Path(path_type=Path), default="diagnose.yaml")
@measuring_options
def plan(
    spec: Path,
    preset: str | None,
    budget: float | None,
    seed: int | None,
    sandbox: str,
    as_json: bool,
) -> None:
    """Say what would run and what it would cost, by timing a few steps of SPEC's (diagnose.yaml's) model."""
    from diagnoser.cli import wording
    from diagnoser.local import estimate

    level = reach_sandbox(sandbox)
    parsed, source = load(spec, preset=preset, budget=budget, seed=seed)
    estimated = estimate(parsed, source, level=level)
    click.echo(estimated.model_dump_json(indent=1) if as_json else wording.plan_table(estimated))


def diagnose_spec(
    path: Path,
    out: Path,
    *,
    preset: str | None,
    budget: float | None,
    seed: int | None,
    cache: bool,
    stack: bool,
    prints: Prints,
    level: "Level" = "process",
) -> "Diagnosis":
    """Read a spec, diagnose it with progress on stderr, write the three files, and say what was found."""
    parsed, source = load(path, preset=preset, budget=budget, seed=seed)
    from diagnoser.cli import wording
    from diagnoser.cli.progress import Progress
    from diagnoser.local import Job, run, write
    from diagnoser.sandbox.cache import default_folder

    job = Job(spec=parsed, source=source, command=shlex.join(["diagnoser", *sys.argv[1:]]), sandbox=level)
    kept = default_folder() if cache else None
    with files.folder(out):
        try:
            with Progress(preset=parsed.protocol.preset) as progress:
                diagnosis = run(job, cache=kept, on_event=progress.tell, on_problem=_warn, stacking=stack)
        except KeyboardInterrupt:
            goes_on = "; what was measured is kept, and the same command goes on from there" if kept else ""
            click.echo(f"diagnoser: interrupted{goes_on}", err=True)
            raise
        written = write(diagnosis, out)
    if prints == "json":
        click.echo(diagnosis.model_dump_json(indent=1))
    elif prints == "words":
        click.echo(err=True)  # between the progress and the result
        click.echo(wording.summary(diagnosis, report=written[-1]))
    return diagnosis


def _warn(problem: str) -> None:
    click.echo(f"diagnoser: {problem}", err=True)
