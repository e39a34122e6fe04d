"""`report`, `rules` and `curves`: the commands that read what is there already."""

import json
from contextlib import nullcontext
from pathlib import Path

import click

from diagnoser import programs
from diagnoser.cli import files
from diagnoser.errors import UsageError

FORMATS = ("html", "json", "markdown", "junit")


@click.command()
@click.argument("diagnosis", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(FORMATS), default="html", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="Write to this file instead of stdout.")
def report(diagnosis: Path, form: str, out: Path | None) -> None:
    """Print DIAGNOSIS (a diagnosis.json) as a report."""
    text = files.read_diagnosis(diagnosis)
    printed = programs.run("reports", "--format", form, "-", text=text)
    if out is None:
        click.echo(printed, nl=False)
    else:
        files.write(out, printed)
        click.echo(f"written: {out}", err=True)


@click.command()
@click.argument("rule", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def rules(rule: str | None, as_json: bool) -> None:
    """List the rules, or print the page of one RULE."""
    if rule is None:
        printed = programs.run("rules", "list", *(["--json"] if as_json else []), text="")
    else:
        printed = programs.run("rules", "page", rule, text="")  # it knows which names are near
        if as_json:
            listed = json.loads(programs.run("rules", "list", "--json", text=""))
            entry = next(entry for entry in listed if entry["id"] == rule)
            printed = json.dumps({**entry, "page": printed}, indent=1)
    click.echo(printed.rstrip())


@click.command()
@click.argument("logs", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--out", type=click.Path(path_type=Path), help="Write evidence, diagnosis and report into this folder.")
@click.option(
    "--column", "columns", multiple=True, metavar="MEANING=NAME", help="Which column is what, e.g. validation_loss=val."
)
@click.option(
    "--lower-is-better/--higher-is-better", default=None, help="The metric's direction, where its name does not tell."
)
@click.option(
    "--validation-rows",
    type=click.IntRange(min=1),
    default=None,
    help="How many rows validation has; the rules that weigh the metric's chance error need it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the diagnosis as JSON on stdout.")
def curves(
    logs: tuple[Path, ...],
    out: Path | None,
    columns: tuple[str, ...],
    lower_is_better: bool | None,
    validation_rows: int | None,
    as_json: bool,
) -> None:
    """Read the curves of a run made elsewhere: LOGS are CSV or JSON-lines files with one row per epoch or step.

    Several logs are seeds of one configuration: some rules judge only what two of them show.
    Columns are known by the names that common frameworks give them; --column tells of others. Its meanings: epoch,
    step, batch_loss, train_loss, validation_loss, train_metric, validation_metric, lr.
    """
    from diagnoser import local
    from diagnoser.cli import wording
    from diagnoser.protocol.log_reading import read_log

    named = dict(_pair(text) for text in columns)
    higher = None if lower_is_better is None else not lower_is_better
    runs = [read_log(log, columns_asked=named, higher_is_better=higher) for log in logs]
    with files.folder(out) if out is not None else nullcontext():
        diagnosis = local.judge(local.evidence_of_logs(runs, logs, validation_rows=validation_rows or 0))
        if out is not None:
            local.write(diagnosis, out)
    if as_json:
        click.echo(diagnosis.model_dump_json(indent=1))
    else:
        click.echo(wording.curves(diagnosis, names=[log.name for log in logs], folder=out))


def _pair(text: str) -> tuple[str, str]:
    meaning, equals, name = text.partition("=")
    if not equals or not name:
        raise UsageError(f"--column {text}: write MEANING=NAME, for example validation_loss=val_loss")
    return meaning.strip(), name.strip()
