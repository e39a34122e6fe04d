"""`report`, `rules` and `curves`: the commands that read what is there already."""

from pathlib import Path

import click

from diagnoser import programs
from diagnoser.errors import UsageError

FORMATS = ("html", "json", "markdown", "junit")


@click.command()
@click.argument("diagnosis", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(FORMATS), default="html", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="Write to this file instead of stdout.")
def report(diagnosis: Path, form: str, out: Path | None) -> None:
    """Print DIAGNOSIS (a diagnosis.json) as a report."""
    try:
        text = diagnosis.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{diagnosis}: cannot be read: {error}") from error
    _check_diagnosis(text, diagnosis)
    printed = programs.run("reports", "--format", form, "-", text=text)
    if out is None:
        click.echo(printed, nl=False)
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(printed, encoding="utf-8")
        click.echo(f"written: {out}", err=True)


@click.command()
@click.argument("rule", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def rules(rule: str | None, as_json: bool) -> None:
    """List the rules, or print the page of one RULE."""
    if rule is not None:
        page = programs.run("rules", "list", "--json", text="")
        _check_rule(rule, page)
        click.echo(programs.run("rules", "page", rule, text="").rstrip())
    else:
        click.echo(programs.run("rules", "list", *(["--json"] if as_json else []), text="").rstrip())


@click.command()
@click.argument("log", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Write evidence, diagnosis and report into this folder.")
@click.option(
    "--column", "columns", multiple=True, metavar="MEANING=NAME", help="Which column is what, e.g. validation_loss=val."
)
@click.option("--lower-is-better", is_flag=True, help="The metric is an error: lower is better.")
@click.option("--json", "as_json", is_flag=True, help="Print the diagnosis as JSON on stdout.")
def curves(log: Path, out: Path | None, columns: tuple[str, ...], lower_is_better: bool, as_json: bool) -> None:
    """Read the curves of a run made elsewhere: LOG is a CSV or JSON-lines file with one row per epoch or step."""
    from diagnoser import local
    from diagnoser.cli import wording
    from diagnoser.protocol.log_reading import read_log

    named = dict(_pair(text) for text in columns)
    run = read_log(log, columns=named, higher_is_better=not lower_is_better)
    diagnosis = local.judge(local.evidence_of_log(run, log))
    if out is not None:
        local.write(diagnosis, out)
    if as_json:
        click.echo(diagnosis.model_dump_json(indent=1))
    else:
        click.echo(wording.curves(diagnosis, folder=out))


def _pair(text: str) -> tuple[str, str]:
    meaning, equals, name = text.partition("=")
    if not equals or not name:
        raise UsageError(f"--column {text}: write MEANING=NAME, for example validation_loss=val_loss")
    return meaning.strip(), name.strip()


def _check_diagnosis(text: str, path: Path) -> None:
    import json

    try:
        found = json.loads(text)
    except ValueError as error:
        raise UsageError(f"{path}: is no JSON: {error}") from error
    if not isinstance(found, dict) or "verdict" not in found:
        raise UsageError(f"{path}: is no diagnosis.json: it has no `verdict`; `diagnoser run` writes one")


def _check_rule(rule: str, listed: str) -> None:
    import json

    from diagnoser.spec.names import did_you_mean

    known = [entry["id"] for entry in json.loads(listed)]
    if rule not in known:
        hint = did_you_mean(rule, known) or "`diagnoser rules` lists them all"
        raise UsageError(f"there is no rule {rule!r}; {hint}")
