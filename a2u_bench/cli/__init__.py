"""The command line: one file a command; files whose names start with an underscore help them."""

from a2u_bench.cli._app import main

__all__ = ["main"]
