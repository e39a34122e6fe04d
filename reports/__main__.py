"""`python -m reports --format html FILE`: a diagnosis in, a report out. `-` reads standard input."""

import gc
import sys
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from diagnoser.errors import UsageError

if TYPE_CHECKING:
    from diagnoser.findings import Diagnosis

FORMATS = ("html", "json", "markdown", "junit", "notebook")


def main() -> int:
    """Print one report on stdout; 2 with one line on stderr when the file cannot be read as a diagnosis."""
    parser = ArgumentParser(prog="reports", description="Print a diagnosis.")
    parser.add_argument("--format", choices=FORMATS, default="html")
    parser.add_argument("file", help="a diagnosis.json, or - for standard input")
    arguments = parser.parse_args()
    try:
        text = sys.stdin.read() if arguments.file == "-" else Path(arguments.file).read_text(encoding="utf-8")
        diagnosis = _read(text)
    except (OSError, ValueError, UsageError) as error:
        sys.stderr.write(f"reports: {arguments.file}: {str(error).splitlines()[0]}\n")
        return 2
    sys.stdout.write(_renderer(arguments.format)(diagnosis))
    return 0


def program() -> int:
    """Print in a process of its own: it is over before rubbish matters, and looking for it takes a tenth."""
    gc.disable()
    try:
        return main()
    finally:
        gc.freeze()  # else the interpreter looks through everything once more on its way out


def _read(text: str) -> "Diagnosis":
    from diagnoser.evidence.reading import read_diagnosis

    return read_diagnosis(text)


def _renderer(form: str) -> Callable[["Diagnosis"], str]:
    """The function of a format; each is imported when it is asked for."""
    match form:
        case "html":
            from reports import html

            return html.render
        case "notebook":
            from reports import html

            return html.render_cell
        case "markdown":
            from reports import markdown

            return markdown.render
        case "junit":
            from reports import junit

            return junit.render
        case _:
            return lambda diagnosis: diagnosis.model_dump_json(indent=1) + "\n"


if __name__ == "__main__":
    sys.exit(program())
