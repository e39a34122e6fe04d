"""`pack`: what is sent to a server, shown before anything is sent."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from diagnoser.cli import files
from diagnoser.errors import UsageError

if TYPE_CHECKING:
    from diagnoser.packages.imports import Imports
    from diagnoser.packages.packing import Packed
    from diagnoser.packages.selection import Selection
    from diagnoser.spec.fields import TrainingSpec

DEFAULT_OUT = "diagnoser-package.tar.gz"  # left out of the next package by this name
MOST_SHOWN = 5  # paths of one kind that were left out; all secrets are shown, and all of everything with --list
REFERENCES = ("factory", "step", "loop", "evaluate")  # fields of the spec that say `module:attr`


@click.command()
@click.argument("spec", type=click.Path(path_type=Path), default="diagnose.yaml")
@click.option(
    "--out", type=click.Path(path_type=Path), default=DEFAULT_OUT, show_default=True, help="The archive to write."
)
@click.option("--list", "list_all", is_flag=True, help="Name every file, and all that is left out.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, and nothing else, on stdout.")
def pack(spec: Path, out: Path, list_all: bool, as_json: bool) -> None:
    """Pack the source of SPEC as a server gets it, and say what is in the package, what is not, and why.

    Left out: version control, environments, caches, secrets, checkpoints, logs, and what .gitignore names; a
    .diagnoserignore leaves out more, or takes back with `!`. Nothing is sent, and nothing of yours is imported.
    """
    from diagnoser.packages.imports import third_party
    from diagnoser.packages.packing import pack as write
    from diagnoser.packages.selecting import select
    from diagnoser.spec.reading import read_spec

    parsed, _ = read_spec(spec)
    if out.is_dir():
        raise UsageError(f"{out}: this is a folder; name a file")
    selection = select(spec, data_paths=[spec.resolve().parent / path for path in parsed.data.paths], archive=out)
    imports = third_party(selection, start=tuple(_modules(parsed)))
    with files.folder(out.parent):
        packed = write(selection, out)
    if as_json:
        click.echo(json.dumps(_record(selection, packed, imports), indent=1))
    else:
        click.echo("\n".join(_lines(selection, packed, imports, list_all=list_all)))


def _modules(spec: "TrainingSpec") -> Iterator[str]:
    """Give the modules that a spec names, the user's own and others."""
    waiting: list[Mapping[str, Any]] = [spec.model_dump()]
    while waiting:
        for key, value in waiting.pop().items():
            if key in REFERENCES and isinstance(value, str):
                yield value.partition(":")[0]
            elif isinstance(value, dict) and key != "args":
                waiting.append(value)


def _lines(selection: "Selection", packed: "Packed", imports: "Imports", *, list_all: bool) -> Iterator[str]:
    from diagnoser.packages.names import printable
    from diagnoser.packages.sizes import spelled

    shown = selection.files if list_all else selection.largest
    number = len(selection.files)
    counted = "1 file" if number == 1 else f"{number:,} files"
    yield f"{counted}, {spelled(selection.bytes)}; packed {spelled(packed.bytes)}"
    if not list_all and len(shown) < number:
        yield "the largest:"
    yield from (f"  {spelled(file.bytes):>8}  {printable(file.path)}" for file in shown)
    yield from _left_out(selection, list_all=list_all)
    if selection.taken_back:
        yield f"sent because .diagnoserignore names it: {', '.join(map(printable, selection.taken_back))}"
    if imports.modules:
        yield f"imports of other packages: {', '.join(each.module for each in imports.modules)}"
    if imports.unread:
        yield f"not read for imports, since it is no Python that this version understands: {', '.join(imports.unread)}"
    if packed.warning is not None:
        yield f"warning: {packed.warning}"
    yield f"written: {packed.archive} (sha256 {packed.sha256})"


def _left_out(selection: "Selection", *, list_all: bool) -> Iterator[str]:
    """Name what was left out, kind by kind, those first that a user may miss."""
    from diagnoser.packages.leaving_out import Kind
    from diagnoser.packages.names import printable

    if selection.left_out:
        yield "left out:"
    for kind in Kind:
        found = selection.of_kind(kind)
        shown = found if list_all or kind is Kind.SECRET else found[:MOST_SHOWN]
        names = [printable(each.path) + (f" ({printable(each.because)})" if each.because else "") for each in shown]
        if len(found) > len(shown):
            names.append(f"and {len(found) - len(shown):,} more")
        if found:
            yield f"  {kind}: {', '.join(names)}"


def _record(selection: "Selection", packed: "Packed", imports: "Imports") -> dict[str, Any]:
    return {
        "archive": packed.archive,
        "sha256": packed.sha256,
        "content": packed.manifest.content,
        "packed_bytes": packed.bytes,
        "unpacked_bytes": selection.bytes,
        "files": [{"path": file.path, "bytes": file.bytes} for file in selection.files],
        "largest": [file.path for file in selection.largest],
        "left_out": [each.model_dump(mode="json") for each in selection.left_out],
        "taken_back": list(selection.taken_back),
        "imports": imports.model_dump(mode="json"),
        "warnings": [packed.warning] if packed.warning is not None else [],
    }
