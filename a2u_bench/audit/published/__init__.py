"""Published cost tables as data: one TOML file a table, in the format that a user's own tables have."""

from a2u_bench.audit.published.printed import FLOPS, MACS, UNITS, Printed, parse_printed
from a2u_bench.audit.published.read import find, names
from a2u_bench.audit.published.table import Fact, Misprint, PublishedCell, PublishedSite, PublishedTable, Source, Whole

__all__ = [
    "FLOPS",
    "MACS",
    "UNITS",
    "Fact",
    "Misprint",
    "Printed",
    "PublishedCell",
    "PublishedSite",
    "PublishedTable",
    "Source",
    "Whole",
    "find",
    "names",
    "parse_printed",
]
