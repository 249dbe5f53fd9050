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
sampled = 9                             # optional: multiply-adds counted for a value read between pixels, in place of 4

[sources.dai]                           # authors, title, venue, year; arxiv and where are optional
"""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

from a2u_bench.audit.published.fields import check_keys, entries, texts, typed
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

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SUFFIX = ".toml"
LIMITS = {"channels": 1 << 16, "guide_channels": 1 << 16, "height": 1 << 20, "width": 1 << 20}
LIMITS |= {"count": 1 << 20, "scale": 64}
LARGEST = 1 << 20
"""Bytes of a table's file."""

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
        return _parse((files(__package__) / f"{text}{SUFFIX}").read_bytes(), text, text)
    path = Path(text)
    if path.suffix != SUFFIX and not path.is_file():
        match = nearest(text, names())
        hint = f" Did you mean {match!r}?" if match else ""
        raise UsageError(f"no table {text!r}.{hint} Allowed: {', '.join(names())}, or a file NAME{SUFFIX}")
    try:
        if not path.is_file():
            raise UsageError(f"cannot read {text}: {'no file' if path.exists() else 'no such file'}")
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise UsageError(f"cannot read {text}: {getattr(error, 'strerror', None) or error}") from None
    if len(content) > LARGEST:
        raise UsageError(f"{text}: larger than {LARGEST} bytes; this is no table of costs")
    return _parse(content, path.stem, text)


def _parse(content: bytes, name: str, where: str) -> PublishedTable:
    try:
        return _table(tomllib.loads(content.decode()), name)
    except UnicodeDecodeError:
        raise UsageError(f"{where}: not a text file in UTF-8") from None
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, and numbers or nesting beyond what Python reads
        raise UsageError(f"{where}: not sound TOML: {error}") from None
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None


def _table(content: dict[str, Any], name: str) -> PublishedTable:
    check_keys(content, "the table", ("title", "operators", "site", "cell", "fact", "sources"))
    sites = tuple(_site(entry, n) for n, entry in entries(content, "site"))
    if not sites:
        raise UsageError("has no sites. Allowed: at least one [[site]] with channels, height and width")
    sources = {}
    for key, entry in typed(content, "the table", "sources", {}).items():
        sources[key] = _source(key, entry)
    cells = tuple(cell for n, entry in entries(content, "cell") for cell in _cells(entry, n, sources))
    facts = tuple(fact for n, entry in entries(content, "fact") for fact in _facts(entry, n, sources))
    title = typed(content, "the table", "title", name)
    return PublishedTable(name, title, sites, cells, facts, texts(content, "the table", "operators"))


def _site(entry: dict[str, Any], number: int) -> PublishedSite:
    what = f"site {number}"
    check_keys(entry, what, tuple(LIMITS), needed=("channels", "height", "width"))
    for key, value in entry.items():
        if type(value) is not int or not 1 <= value <= LIMITS[key]:
            raise UsageError(f"{what}: {key} = {value!r}. Allowed: an integer from 1 to {LIMITS[key]}")
    return PublishedSite(**entry)


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
        *("label", "operator", *QUANTITIES, "unit", "without", "note", "source", "misprint", "whole"),
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
    claims = ("times", "copied", "unmatched")
    check_keys(claim, what, ("why", *claims), needed=("why",))
    if sum(key in claim for key in claims) != 1:
        raise UsageError(f"{what}: needs one claim that can be tested. Allowed: {', '.join(claims)}")
    return Misprint(
        typed(claim, what, "why", ""),
        typed(claim, what, "times", 0),
        typed(claim, what, "copied", ""),
        typed(claim, what, "unmatched", False),
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
