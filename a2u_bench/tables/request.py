"""What is asked of a table: the flags of `compare` and `export`, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from a2u_bench.columns import RATIO, VERDICT
from a2u_bench.paper_names import Known
from a2u_bench.tables.layout import EVERY


@dataclass(frozen=True)
class Request:
    """The flags of `compare` and `export`: what to keep, to compare with, to show, and in which order."""

    convention: str = "mac"
    baseline: str | None = None
    by: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    fail_if: tuple[str, ...] = ()
    absolute: bool = False  # times of two runs are compared as they are, the machine's own change among them
    changes: bool = True  # two runs are compared as before and after
    variants: bool = False  # operators at other options than their defaults stand in tables though nobody named them
    known: Mapping[str, Known] = field(default_factory=dict)  # what is known of operators beside their rows
    as_typed: bool = False  # operators are named as they are typed, though more is known
    notes: str = "full"  # one of table.NOTES: "short" is what must be known and one line on the measuring
    caption: str = ""  # over a table in a document; "": what its rows have in common
    label: str = ""  # by which a document refers to it; "": as the file is called
    file: str = ""  # the name of the file that it is written to, without its ending
    cited: Mapping[str, str] = field(default_factory=dict)  # keys of operators' papers
    bibliography: str = ""  # the file that has them
    separators: tuple[str, str] = (",", ".")  # between the cells of CSV, and of decimals
    in_document: bool = False  # a person's own operators stand last, pairs are named after their operators in papers
    decimals: int | None = None  # that counts have at most
    indent: bool = False  # variants show only what differs from the operator above them

    @property
    def has_ratios(self) -> bool:
        """Whether ratios, or verdicts, which are of them, are shown."""
        return not {RATIO, VERDICT, EVERY}.isdisjoint(self.columns) or not (self.by or self.columns)
