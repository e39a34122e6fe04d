"""What commands are there, and how does a failure end? Errors become one message and an exit code (DESIGN 8)."""

import os
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from types import FrameType

import click

from diagnoser.cli import gating, measuring, packing, reading, writing
from diagnoser.errors import DiagnoserError, EngineError, UserCodeError
from diagnoser.version import ENGINE_VERSION

INTERRUPTED = 130  # as shells say: 128 + SIGINT
TERMINATED = 143  # 128 + SIGTERM


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(ENGINE_VERSION, prog_name="diagnoser")
def cli() -> None:
    """Find out why a neural network does not train, and prove the cure.

    Write a diagnose.yaml (`diagnoser init` helps), then `diagnoser run diagnose.yaml`.

    Exit codes: 0 done, 1 the gate failed, 2 the call or the spec is wrong, 3 your code failed, 4 our failure,
    5 inconclusive with --strict.
    """


for command in (
    measuring.run,
    measuring.demo,
    measuring.plan,
    gating.check,
    gating.gate,
    reading.report,
    reading.rules,
    reading.curves,
    packing.pack,
    writing.init,
    writing.validate,
    writing.schema,
):
    cli.add_command(command)


def main() -> None:
    """Run the command line; every failure ends in a message and its exit code, never in our traceback."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        code = cli.main(prog_name="diagnoser", standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except DiagnoserError as error:
        _show(error)
        code = error.exit_code
    except BrokenPipeError:  # the reader went away: `diagnoser rules | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it flushes at exit
        code = 0
    except Exception as error:  # noqa: BLE001 (the border: a bug of ours)
        click.echo(f"diagnoser: a failure of ours, {type(error).__name__}: {error}\n{_kept(error)}", err=True)
        code = EngineError.exit_code
    sys.exit(code if isinstance(code, int) else 0)


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    """End as after an exception, so that children and temporary folders go too."""
    sys.exit(TERMINATED)


def _kept(error: Exception) -> str:
    """Keep our traceback where a report of the bug can attach it, and say where."""
    try:
        with tempfile.NamedTemporaryFile("w", prefix="diagnoser-bug-", suffix=".txt", delete=False) as file:
            file.write(f"diagnoser {ENGINE_VERSION}, Python {sys.version}\n{' '.join(sys.argv)}\n\n")
            traceback.print_exception(error, file=file)
    except OSError:
        return "its details could not be kept"
    return f"its details are in {Path(file.name)}; please report them"


def _show(error: DiagnoserError) -> None:
    if isinstance(error, UserCodeError):
        click.echo(f"diagnoser: your code failed before a first batch went through: {error}", err=True)
        if error.remote_traceback:
            click.echo("\n" + error.remote_traceback.rstrip(), err=True)
        return
    click.echo(f"diagnoser: {error}", err=True)
