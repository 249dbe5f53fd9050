"""A TOML file with the upsamplers of a person's own network, for `run --suite FILE.toml` and for `reproduce` alike.

operators = ["a2u", "carafe:groups=4"]  # optional

[[site]]                                # one upsampler; repeat for more
channels = 256                          # of z, the low-resolution map
height = 16                             # of z
width = 16
count = 1                               # optional: how many such upsamplers
guide_channels = 64                     # optional: as many as z has; `reproduce` alone counts with it
scale = 2                               # optional
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from a2u_bench.errors import UsageError
from a2u_bench.suites.fields import check_keys, entries, texts, typed
from a2u_bench.suites.named import Suite
from a2u_bench.suites.plan import Site

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SUFFIX = ".toml"
LARGEST = 1 << 20
"""Bytes of a file."""

LIMITS = {"channels": 1 << 16, "guide_channels": 1 << 16, "height": 1 << 20, "width": 1 << 20}
LIMITS |= {"count": 1 << 20, "scale": 64}
OF_REPRODUCE = ("cell", "fact", "sources")
"""What such a file may have besides, which is not measured."""


def is_file(text: str) -> bool:
    """Whether a person means a file by this."""
    return text.endswith(SUFFIX) or Path(text).is_file()


def suite(text: str) -> Suite:
    """The suite of a file: its sites, each with its own scale. UsageError for one that cannot be measured."""
    content = load(text)
    try:
        found, ops, said = sites(content), operators(content), title(content, text)
        for number, site in enumerate(found, 1):
            guide = site.get("guide_channels", site["channels"])
            if guide != site["channels"]:
                raise UsageError(
                    f"site {number}: guide_channels = {guide}: `run` gives a guide as many channels as z has. "
                    "Allowed: as many, or none named"
                )
    except UsageError as error:
        raise UsageError(f"{text}: {error}") from None
    places = [
        Site((1, site["channels"], site["height"], site["width"]), site.get("count", 1), ops, site.get("scale", 2))
        for site in found
    ]
    return Suite(Path(text).stem, said, tuple(dict.fromkeys(places)))


def load(text: str) -> dict[str, Any]:
    """The content of a TOML file. UsageError, in one line, for one that cannot be read."""
    path = Path(text)
    try:
        if not path.is_file():
            raise UsageError(f"cannot read {text}: {'no file' if path.exists() else 'no such file'}")
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise UsageError(f"cannot read {text}: {getattr(error, 'strerror', None) or error}") from None
    if len(content) > LARGEST:
        raise UsageError(f"{text}: larger than {LARGEST} bytes; allowed: a file of [[site]] tables")
    return parse(content, text)


def parse(content: bytes, where: str) -> dict[str, Any]:
    """The content of TOML text. UsageError, which says where it is from, for text that is not sound."""
    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError:
        raise UsageError(f"{where}: not a text file in UTF-8") from None
    except (ValueError, RecursionError) as error:  # TOMLDecodeError, and numbers or nesting beyond what Python reads
        raise UsageError(f"{where}: not sound TOML: {error}") from None


def sites(content: dict[str, Any]) -> list[dict[str, int]]:
    """The checked [[site]] tables of a file. UsageError where there are none, or one is not sound."""
    check_keys(content, "the table", ("title", "operators", "site", *OF_REPRODUCE))
    found = [_site(entry, number) for number, entry in entries(content, "site")]
    if not found:
        raise UsageError("has no sites. Allowed: at least one [[site]] with channels, height and width")
    return found


def operators(content: dict[str, Any]) -> tuple[str, ...]:
    """The operators that a file names, as they are typed."""
    return texts(content, "the table", "operators")


def title(content: dict[str, Any], default: str) -> str:
    """What a file calls itself."""
    return typed(content, "the table", "title", default)


def _site(entry: dict[str, Any], number: int) -> dict[str, int]:
    what = f"site {number}"
    check_keys(entry, what, tuple(LIMITS), needed=("channels", "height", "width"))
    for key, value in entry.items():
        if type(value) is not int or not 1 <= value <= LIMITS[key]:
            raise UsageError(f"{what}: {key} = {value!r}. Allowed: an integer from 1 to {LIMITS[key]}")
    return entry
