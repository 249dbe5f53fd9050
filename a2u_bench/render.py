"""A table of text on a terminal, by rich: no colour and no cut where standard output is no terminal."""

from __future__ import annotations

import sys

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from a2u_bench.cells import Table

STATUS_STYLES = {"ok": "green", "skipped": "yellow", "faster": "green", "slower": "red", "baseline": "bold"}
ATTENTION = {"oom": "red", "timeout": "red", "failed": "red", "incorrect": "bold red"}
WIDEST = 500  # columns of text where there is no terminal to fit


def console() -> Console:
    """The console of standard output; as wide as its content needs where it is not a terminal."""
    terminal = sys.stdout.isatty()
    return Console(file=sys.stdout, width=None if terminal else WIDEST, highlight=False, markup=False, emoji=False)


def print_table(table: Table, to: Console | None = None) -> None:
    """Title, headings, cells and notes on standard output, without blanks at the ends of lines."""
    to = to or console()
    with to.capture() as captured:
        _print(table, to)
    lines = captured.get().splitlines()
    to.file.write("".join(f"{line.rstrip()}\n" for line in lines))


def _print(table: Table, to: Console) -> None:
    named = any(heading.label for heading in table.headings)
    rich_table = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, padding=0, show_edge=False, show_header=named)
    units = any(heading.unit for heading in table.headings)
    for heading in table.headings:
        label = heading.label + (f"\n[{heading.unit}]" if heading.unit else "\n" if units else "")
        rich_table.add_column(
            Text(label),
            justify="right" if heading.right else "left",
            overflow="fold",
            no_wrap=heading.right or heading.whole,
            max_width=heading.most,
        )
    for row in table.cells:
        rich_table.add_row(*(_styled(text) for text in row))
    if table.title:
        to.print(Text(table.title, style="bold"))
    to.print(rich_table)
    for note in table.notes:
        to.print(Text(note), soft_wrap=not to.is_terminal)


def _styled(text: str) -> Text:
    return Text(text, style=STATUS_STYLES.get(text, ATTENTION.get(text, "")))
