"""`init`, `validate` and `schema`: the commands round the spec."""

import json
from pathlib import Path

import click

from diagnoser.cli import files
from diagnoser.errors import UsageError


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=".")
@click.option("--force", is_flag=True, help="Overwrite a diagnose.yaml that is there.")
def init(folder: Path, force: bool) -> None:
    """Write a commented diagnose.yaml by looking at the Python files in FOLDER; nothing is imported."""
    from diagnoser.spec.initial import initial_spec

    if not folder.is_dir():
        raise UsageError(f"{folder}: there is no such folder")
    path = folder / "diagnose.yaml"
    if path.exists() and not force:
        raise UsageError(f"{path}: is there already; use --force to overwrite it")
    files.write(path, initial_spec(folder))
    click.echo(f"written: {path}\nnext: read it, then `diagnoser validate {path}` and `diagnoser run {path}`")


@click.command()
@click.argument("spec", type=click.Path(path_type=Path), default="diagnose.yaml")
def validate(spec: Path) -> None:
    """Check SPEC (diagnose.yaml) without running anything: exit 0 when it can be read, 2 with every problem listed."""
    from diagnoser.spec.reading import read_spec

    parsed, _ = read_spec(spec)
    click.echo(f"{spec}: in order ({parsed.name}: model {parsed.model.factory}, data {parsed.data.factory})")


@click.command()
def schema() -> None:
    """Print the JSON Schema of diagnose.yaml, for editors."""
    from diagnoser.spec.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
