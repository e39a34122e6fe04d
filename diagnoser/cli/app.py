"""What commands are there, and how does a failure end? Errors become one message and an exit code (DESIGN 8)."""

import sys

import click

from diagnoser.cli import gating, measuring, reading, writing
from diagnoser.errors import DiagnoserError, UserCodeError
from diagnoser.version import ENGINE_VERSION

INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(ENGINE_VERSION, prog_name="diagnoser")
def cli() -> None:
    """Find out why a neural network does not train, and prove the cure.

    Write a diagnose.yaml (`diagnoser init` helps), then `diagnoser run diagnose.yaml`.
    Exit codes: 0 done, 1 the gate failed, 2 the call or the spec is wrong, 3 your code failed,
    4 our failure, 5 inconclusive with --strict.
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
    writing.init,
    writing.validate,
    writing.schema,
):
    cli.add_command(command)


def main() -> None:
    """Run the command line; every expected failure ends in a message and its exit code, never in our traceback."""
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        code = INTERRUPTED
    except KeyboardInterrupt:
        click.echo("interrupted; what was measured is kept, and the same command goes on from there", err=True)
        code = INTERRUPTED
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except DiagnoserError as error:
        _show(error)
        code = error.exit_code
    except BrokenPipeError:  # the reader went away: `diagnoser rules | head`
        sys.stderr.close()
        code = 0
    sys.exit(code if isinstance(code, int) else 0)


def _show(error: DiagnoserError) -> None:
    if isinstance(error, UserCodeError):
        click.echo(f"diagnoser: your code failed before a first batch went through: {error}", err=True)
        if error.remote_traceback:
            click.echo("\n" + error.remote_traceback.rstrip(), err=True)
        return
    click.echo(f"diagnoser: {error}", err=True)
