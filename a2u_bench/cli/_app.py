"""Assembles the commands, renders every error as one line on standard error, and chooses the exit code.

0 done · 1 error · 2 wrong usage · 3 a regression was found · 4 inconclusive under --strict · 5 some cases did not end
ok under --strict · 130 interrupted
"""

from __future__ import annotations

import atexit
import gc
import os
import pkgutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from itertools import pairwise
from typing import Annotated, Any

import typer

import a2u_bench.cli
from a2u_bench.cli._output import replace_closed_streams
from a2u_bench.errors import BenchError, UsageError, nearest
from a2u_bench.sanitize import plain

# Newer typer carries its own copy of click, older ones use click itself: the class is found through typer either way.
ClickException: type[Exception] = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")

READERS = ("compare", "export", "plot", "recommend", "report")
"""Commands that read runs, print and end; none of them loads torch."""

NUMBERS = {"integer": "an integer", "number": "a number", "float": "a number"}
"""What the parser wants, by its own words for it, which differ from version to version."""


def command_names() -> list[str]:
    """Every command: the modules of this package, in alphabetical order."""
    names = (module.name for module in pkgutil.iter_modules(a2u_bench.cli.__path__))
    return sorted(name for name in names if not name.startswith("_"))


def assemble() -> typer.Typer:
    """The application; each command's module is imported, which loads none of its work."""
    app = typer.Typer(
        name="a2u-bench",
        help="Cost, speed and memory of every feature upsampler, on your own machine.",
        invoke_without_command=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_top)
    for name in command_names():
        app.command(name)(import_module(f"a2u_bench.cli.{name}").command)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; nothing but SystemExit of a shell's completion leaves it.

    Without `arguments` the process's own are meant, and the process is ours.
    """
    replace_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without ± is no reason to stop
    given = list(sys.argv[1:] if arguments is None else arguments)
    if arguments is None and given and given[0] in READERS:
        # It would look through all that was read, again and again and once more at the end, which frees it all at once.
        gc.disable()
        atexit.register(gc.freeze)
    try:
        command = typer.main.get_command(assemble())
        code = command.main(args=given, prog_name="a2u-bench", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except BrokenPipeError:
        _silence()  # the reader has seen enough, as `| head` has
        return 0
    except SystemExit as stop:
        if isinstance(stop.__context__, BrokenPipeError):  # typer turns it into exit code 1
            return 0
        raise
    except (KeyboardInterrupt, typer.Abort):
        _complain("interrupted")
        return 130
    except Exception as error:
        if os.environ.get("A2U_BENCH_DEBUG") == "1":
            raise
        _complain(_sentence(error, given))
        try:
            sys.stdout.flush()
        except OSError:  # a full disk, which would be told again
            _silence()
        return 2 if isinstance(error, (UsageError, ClickException)) else 1


def _top(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    if version:
        from importlib.metadata import PackageNotFoundError
        from importlib.metadata import version as installed

        try:
            typer.echo(f"a2u-bench {installed('a2u-bench')}")
        except PackageNotFoundError:
            typer.echo("a2u-bench (not installed)")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _sentence(error: Exception, given: Sequence[str]) -> str:
    """What to tell the person: one line, whatever the error."""
    if isinstance(error, ClickException):
        return _usage(error, given)
    if isinstance(error, (UsageError, BenchError)):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return f"{type(error).__name__}: {error} (A2U_BENCH_DEBUG=1 shows where)"


def _usage(error: Any, given: Sequence[str]) -> str:
    """A message of the parser, with the nearest match and what is allowed where the parser leaves them out."""
    message = error.format_message()
    context = getattr(error, "ctx", None)
    if context is None:
        return str(message)
    if hasattr(error, "option_name") and hasattr(error, "possibilities"):
        known = (item for item in context.command.params if not getattr(item, "hidden", False))
        allowed = sorted({name for item in known for name in item.opts if name.startswith("--")})
        return _unknown(f"no such option {error.option_name!r}", error.option_name, allowed)
    if hasattr(context.command, "list_commands") and "command" in message and context.invoked_subcommand is None:
        name = message.partition("'")[2].partition("'")[0]
        return _unknown(f"no such command {name!r}", name, context.command.list_commands(context))
    if "extra argument" in message and (option := next((one for one in given if one in ("--ops", "--op")), None)):
        return f"{message}; several operators are one text: {option} 'nearest bilinear' or {option} nearest,bilinear"
    names: Sequence[str] = getattr(getattr(error, "param", None), "opts", ())
    values = [after for before, after in pairwise(given) if before in names]
    values += [value for name, sign, value in (one.partition("=") for one in given) if sign and name in names]
    if values and (number := next((NUMBERS[kind] for kind in NUMBERS if f"valid {kind}" in message), "")):
        return f"{names[0]} {values[-1]!r}: allowed: {number}"
    shown = f" (given: {', '.join(map(repr, values))})" if values else ""
    return f"{message.removesuffix('.')}{shown}; a2u-bench {context.info_name} --help says more"


def _unknown(what: str, given: str, allowed: Sequence[str]) -> str:
    match = nearest(given, allowed)
    return f"{what}.{f' Did you mean {match!r}?' if match else ''} Allowed: {', '.join(allowed)}"


def _complain(message: str) -> None:
    print(f"error: {' '.join(plain(message).split())}", file=sys.stderr)  # noqa: T201


def _silence() -> None:
    """Nothing more can be written to standard output; without this the interpreter says so again when it ends."""
    with suppress(OSError):  # a standard output that is no file, as in a notebook, has nothing to say
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
