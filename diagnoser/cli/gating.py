"""`check` and `gate`: may this change be merged?"""

import json
from pathlib import Path

import click

from diagnoser import programs
from diagnoser.cli import files
from diagnoser.cli.measuring import DEFAULT_OUT, Prints, diagnose_spec
from diagnoser.cli.options import cache_option, measuring_options, reach_sandbox, stack_option

INCONCLUSIVE = 5


def _outputs(command: click.Command) -> click.Command:
    """Options of both commands."""
    for option in (
        click.option("--strict", is_flag=True, help="Exit 5 when the diagnosis is inconclusive."),
        click.option("--markdown", type=click.Path(path_type=Path), help="Write a Markdown summary there."),
        click.option("--junit", type=click.Path(path_type=Path), help="Write JUnit XML there."),
        click.option(
            "--baseline",
            type=click.Path(path_type=Path),
            help="A diagnosis.json to compare with: only findings that are new against it gate.",
        ),
    ):
        command = option(command)
    return command


@_outputs
@click.command()
@click.argument("spec", type=click.Path(path_type=Path), default="diagnose.yaml")
@click.option("--out", type=click.Path(path_type=Path), default=DEFAULT_OUT, show_default=True, help="Output folder.")
@cache_option(default=True)
@stack_option
@measuring_options
def check(
    spec: Path,
    out: Path,
    preset: str | None,
    budget: float | None,
    seed: int | None,
    sandbox: str,
    as_json: bool,
    cache: bool,
    stack: bool,
    baseline: Path | None,
    junit: Path | None,
    markdown: Path | None,
    strict: bool,
) -> None:
    """Diagnose SPEC (diagnose.yaml), then gate.

    Exit codes: 0 pass, 1 the gate failed, 2 the call or the spec is wrong, 3 your code failed in a step that the preset
    demands, 5 inconclusive with --strict.
    """
    earlier = files.read_diagnosis(baseline) if baseline is not None else None
    files.check_writable(junit, markdown)
    prints: Prints = "nothing" if as_json else "words"
    level = reach_sandbox(sandbox)
    diagnose_spec(
        spec, out, preset=preset, budget=budget, seed=seed, cache=cache, stack=stack, prints=prints, level=level
    )
    _gate(files.read_diagnosis(out), earlier, junit=junit, markdown=markdown, strict=strict, as_json=as_json)


@_outputs
@click.command()
@click.argument("diagnosis", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the gate's result as JSON on stdout.")
def gate(
    diagnosis: Path, baseline: Path | None, junit: Path | None, markdown: Path | None, strict: bool, as_json: bool
) -> None:
    """Gate on DIAGNOSIS, a diagnosis.json that is there already. Exit codes as of `check`."""
    earlier = files.read_diagnosis(baseline) if baseline is not None else None
    _gate(files.read_diagnosis(diagnosis), earlier, junit=junit, markdown=markdown, strict=strict, as_json=as_json)


def _gate(
    diagnosis: str, baseline: str | None, *, junit: Path | None, markdown: Path | None, strict: bool, as_json: bool
) -> None:
    both = json.dumps({"diagnosis": json.loads(diagnosis), "baseline": json.loads(baseline) if baseline else None})
    result = programs.run("rules", "gate", "-", text=both)
    for path, form in ((junit, "junit"), (markdown, "markdown")):
        if path is not None:
            files.write(path, programs.run("reports", "--format", form, "-", text=diagnosis))
    answer = json.loads(result)
    click.echo(result.rstrip() if as_json else "\n".join(answer["words"]))
    code = answer["exit_code"]
    if answer["outcome"] == "inconclusive" and code == 0 and strict:
        code = INCONCLUSIVE
    raise click.exceptions.Exit(code)
