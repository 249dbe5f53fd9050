"""The command line: one file a command; a file whose name starts with an underscore is none."""

from a2u_bench.cli._app import main

__all__ = ["main"]
