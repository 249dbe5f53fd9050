"""A table of text on a terminal, by rich: no colour and no cut where standard output is no terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from itertools import chain

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from a2u_bench.sanitize import plain
from a2u_bench.tables.fitting import fit
from a2u_bench.tables.table import Table

STATUS_STYLES = {"ok": "green", "skipped": "yellow", "faster": "green", "slower": "red", "baseline": "bold"}
TONE_STYLES = {"better": "green", "worse": "red"}
"""Of numbers that are significantly better or worse than the reference's."""

ATTENTION = {"oom": "red", "timeout": "red", "failed": "red", "incorrect": "bold red"}
WIDEST = 500  # columns of text where there is no terminal to fit
LONGEST_BY_RICH = 1000  # lines: rich takes a tenth of a millisecond for each cell


def console() -> Console:
    """The console of standard output; where it is no terminal, as wide as COLUMNS says or as its content needs."""
    fits = sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit()
    return Console(file=sys.stdout, width=None if fits else WIDEST, highlight=False, markup=False, emoji=False)


def print_table(table: Table, to: Console | None = None) -> None:
    """Title, headings, cells and notes on standard output, without blanks at the ends of lines.

    A table whose numbers do not fit the terminal is printed in parts, each with the columns of text at its left.
    """
    to = to or console()
    is_long = len(table.cells) > LONGEST_BY_RICH
    parts = [table] if to.width >= WIDEST else fit(table, to.width, fold=not is_long)
    if is_long:
        for part in parts:
            to.file.writelines(f"{line}\n" for line in _long(part))
        return
    with to.capture() as captured:
        for part in parts:
            _print(part, to)
    lines = captured.get().splitlines()
    to.file.write("".join(f"{line.rstrip()}\n" for line in lines))


def print_lines(lines: Iterable[str], to: Console | None = None) -> None:
    """Sentences on standard output, wrapped between words where there is a width to fit."""
    to = to or console()
    for line in lines:
        to.print(Text(plain(line)), soft_wrap=to.width == WIDEST)


def _long(table: Table) -> Iterator[str]:
    """The same as plain lines: a hundred thousand of them in a second."""
    if table.title:
        yield table.title
    units = any(heading.unit for heading in table.headings)
    padded: list[dict[str, str]] = []
    heads, rule = [], []
    for place, heading in enumerate(table.headings):
        head = [heading.label, *([f"[{heading.unit}]" if heading.unit else ""] if units else [])]
        wide = {text: cell_len(text) for text in {*(row[place] for row in table.cells), *head}}
        width = max(wide.values())
        blanks = {text: " " * (width - length) for text, length in wide.items()}
        padded.append({text: blanks[text] + text if heading.right else text + blanks[text] for text in wide})
        heads.append(head)
        rule.append("─" * width)
    for line in chain(zip(*heads, strict=True), [None], table.cells):
        if line is None:
            yield "─".join(rule)
        else:
            yield " ".join(pads[text] for pads, text in zip(padded, line, strict=True)).rstrip()
    yield from table.notes


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
    for number, row in enumerate(table.cells):
        if table.rule == number:
            rich_table.add_section()
        rich_table.add_row(*(_styled(text, table, (number, place)) for place, text in enumerate(row)))
    if table.title:
        to.print(Text(table.title, style="bold"))
    to.print(rich_table)
    for note in table.notes:
        to.print(Text(note), soft_wrap=to.width == WIDEST)


def _styled(text: str, table: Table, at: tuple[int, int]) -> Text:
    word = STATUS_STYLES.get(text, ATTENTION.get(text, "")) if table.headings[at[1]].right is False else ""
    styles = ["bold" if at in table.bold else "", TONE_STYLES.get(table.tones.get(at, ""), word)]
    return Text(text, style=" ".join(filter(None, styles)))
