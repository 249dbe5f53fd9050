"""Reads a cost table from TOML: those of the package, and a user's own in the same format.

title = "my network"                    # optional
operators = ["a2u", "carafe:groups=4"]  # optional; every registered operator where neither it nor a cell is given

[[site]]                                # one upsampler; repeat for more
channels = 256                          # of z, the low-resolution map
height = 16                             # of z
width = 16
count = 1                               # optional: how many such upsamplers
guide_channels = 64                     # optional: as many as z has
scale = 2                               # optional

[[cell]]                                # optional: what somebody printed, to be compared
label = "A2U"                           # optional: the name in print
operator = "a2u:twin=true"
params = "38K"                          # as printed, with K, M or G
macs = "0.66"                           # as printed, in `unit`
unit = "GMACs"                          # optional: GMACs, GFLOPs (two a multiply-add) or GiMACs (1024³)
without = ["GroupNorm"]                 # optional: parameters not counted, by their name or their module's class
note = "up and down"                    # optional
source = "dai"                          # optional: a key of sources
whole = { network = "matting-unet", height = 224, width = 224 }  # optional: of that network, not of the sites;
                                        # of a library's as it is with operator = "original", "+0.44M" is what one adds
base = "46.80M"                         # optional: what else the printed number has in it
than = "carafe"                         # optional: printed is how much less than this operator's the cost is, as 91%
unmatched = true                        # optional: known to be the cost of no variant in any unit
sampled = 9                             # optional: multiply-adds counted for a value read between pixels, in place of 4

[sources.dai]                           # authors, title, venue, year; arxiv and where are optional
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from a2u_bench.audit.published.printed import MACS, UNITS, Printed, parse_printed
from a2u_bench.audit.published.table import (
    OF_LIBRARIES,
    Fact,
    Misprint,
    PublishedCell,
    PublishedSite,
    PublishedTable,
    Quantity,
    Source,
    Whole,
)
from a2u_bench.errors import UsageError, nearest, unknown
from a2u_bench.suites import sites_file
from a2u_bench.suites.fields import check_keys, entries, texts, typed
from a2u_bench.suites.sites_file import LIMITS, SUFFIX

NETWORKS = {"matting-unet": 16, **dict.fromkeys(OF_LIBRARIES, 32)}
"""Networks of the bench and of other libraries, and what their images' sides are multiples of."""

QUANTITIES: tuple[Quantity, ...] = ("params", "macs")


def names() -> tuple[str, ...]:
    """The tables of the package, sorted."""
    found = (file.name for file in files(__package__).iterdir())
    return tuple(sorted(name.removesuffix(SUFFIX) for name in found if name.endswith(SUFFIX)))


def find(text: str) -> PublishedTable:
    """The table of that name, or the one in that TOML file. UsageError, in one line, where there is no sound one."""
    if text in names():
        packaged = (files(__package__) / f"{text}{SUFFIX}").read_bytes()
        return _sound(sites_file.parse(packaged, text), text, text)
    if not sites_file.is_file(text):
        match = nearest(text, names())
        hint = f" Did you mean {match!r}?" if match else ""
        raise UsageError(f"no table {text!r}.{hint} Allowed: {', '.join(names())}, or a file NAME{SUFFIX}")
    return _sound(sites_file.load(text), Path(text).stem, text)


def _sound(content: dict[str, Any], name: str, where: str) -> PublishedTable:
    try:
        return _table(content, name)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None


def _table(content: dict[str, Any], name: str) -> PublishedTable:
    sites = tuple(PublishedSite(**site) for site in sites_file.sites(content))
    sources = {}
    for key, entry in typed(content, "the table", "sources", {}).items():
        sources[key] = _source(key, entry)
    cells = tuple(cell for n, entry in entries(content, "cell") for cell in _cells(entry, n, sources))
    facts = tuple(fact for n, entry in entries(content, "fact") for fact in _facts(entry, n, sources))
    return PublishedTable(name, sites_file.title(content, name), sites, cells, facts, sites_file.operators(content))


def _source(key: str, entry: Any) -> Source:
    what = f"source {key!r}"
    if not isinstance(entry, dict):
        raise UsageError(f"{what}: must be a table, [sources.{key}]")
    needed = ("authors", "title", "venue", "year")
    check_keys(entry, what, (*needed, "arxiv", "where"), needed)
    said = {name: typed(entry, what, name, "") for name in ("authors", "title", "venue", "arxiv", "where")}
    return Source(key, year=typed(entry, what, "year", 0), **said)


def _cells(entry: dict[str, Any], number: int, sources: dict[str, Source]) -> list[PublishedCell]:
    what = f"cell {number}"
    allowed = (
        *("label", "operator", *QUANTITIES, "unit", "without", "note", "source", "misprint", "unmatched", "whole"),
        *("than", "base", "sampled"),
    )
    check_keys(entry, what, allowed, needed=("operator",))
    operator = typed(entry, what, "operator", "")
    unit = typed(entry, what, "unit", MACS)
    if unit not in UNITS:
        raise UsageError(f"{what}: {unknown('unit', unit, UNITS)}")
    built = []
    for quantity in QUANTITIES:
        if quantity not in entry:
            continue
        than = typed(entry, what, "than", "")
        own_unit = unit if quantity == "macs" and not than else ""
        printed = _printed(typed(entry, what, quantity, ""), own_unit, what)
        if (printed.suffix == "%") != bool(than):
            raise UsageError(f"{what}: {printed.text!r}: a share is printed with % and has a than, nothing else has")
        built.append(
            PublishedCell(
                label=typed(entry, what, "label", operator),
                operator=operator,
                quantity=quantity,
                printed=printed,
                unit=own_unit,
                source=_cited(entry, what, sources),
                without=texts(entry, what, "without") if quantity == "params" else (),
                note=typed(entry, what, "note", ""),
                misprint=_misprint(entry, what),
                unmatched=typed(entry, what, "unmatched", False),
                whole=_whole(entry, what),
                than=than,
                base=_printed(entry["base"], own_unit, what) if typed(entry, what, "base", "") else None,
                sampled=typed(entry, what, "sampled", 0),
            )
        )
    if not built:
        raise UsageError(f"{what}: has nothing printed. Allowed: {' and '.join(QUANTITIES)}, as texts")
    return built


def _printed(text: str, unit: str, what: str) -> Printed:
    try:
        return parse_printed(text, unit)
    except UsageError as error:
        raise UsageError(f"{what}: {error}") from None


def _misprint(entry: dict[str, Any], what: str) -> Misprint | None:
    if "misprint" not in entry:
        return None
    claim, what = typed(entry, what, "misprint", {}), f"{what}, misprint"
    claims = ("times", "copied")
    check_keys(claim, what, ("why", *claims), needed=("why",))
    if sum(key in claim for key in claims) != 1:
        raise UsageError(f"{what}: needs one claim that can be tested. Allowed: {', '.join(claims)}")
    return Misprint(
        typed(claim, what, "why", ""),
        typed(claim, what, "times", 0),
        typed(claim, what, "copied", ""),
    )


def _whole(entry: dict[str, Any], what: str) -> Whole | None:
    if "whole" not in entry:
        return None
    found, what = typed(entry, what, "whole", {}), f"{what}, whole"
    names = ("network", "height", "width")
    check_keys(found, what, names, needed=names)
    network = typed(found, what, "network", "")
    if network not in NETWORKS:
        raise UsageError(f"{what}: {unknown('network', network, NETWORKS)}")
    for side in ("height", "width"):
        value = found[side]
        if type(value) is not int or not 1 <= value <= LIMITS[side] or value % NETWORKS[network]:
            allowed = f"a multiple of {NETWORKS[network]} up to {LIMITS[side]}"
            raise UsageError(f"{what}: {side} = {value!r}. Allowed: {allowed}")
    return Whole(network, found["height"], found["width"])


def _facts(entry: dict[str, Any], number: int, sources: dict[str, Source]) -> list[Fact]:
    what = f"fact {number}"
    check_keys(entry, what, ("quantity", "printed", "source", "note"), needed=("quantity", "printed"))
    quantity, note = typed(entry, what, "quantity", ""), typed(entry, what, "note", "")
    printed = typed(entry, what, "printed", {})
    source = _cited(entry, what, sources)
    return [Fact(key, quantity, typed(printed, what, key, ""), source, note) for key in printed]


def _cited(entry: dict[str, Any], what: str, sources: dict[str, Source]) -> Source | None:
    key = typed(entry, what, "source", "")
    if key and key not in sources:
        raise UsageError(f"{what}: {unknown('source', key, sources)}")
    return sources.get(key)
