"""Writes what the pages say of other libraries' networks: ``python tests/networks_page.py``.

The networks of the tests with their sites, and what a command prints that needs a torchvision which can be imported.
"""

from __future__ import annotations

import io
import re
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import redirect_stdout
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # before this folder, whose `upsamplers` are tests

from real_networks import NETWORKS, seeded, torchvision

from a2u_bench.cli import main as command
from upsamplers import Site, find_sites

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE, PUBLISHED = DOCS / "your-network.md", DOCS / "published.md"
SHOWN = re.compile(r"```text\n\$ a2u-bench reproduce faster-rcnn-whole\n(.*?)```", re.DOTALL)
PLACE = re.compile(r"(<!-- python tests/networks_page\.py writes this -->\n).*?(<!-- until here -->\n)", re.DOTALL)
HEAD = "| network | sites | swapped | left alone |\n|---|---|---|---|\n"
LIBRARIES = {"transformers": "transformers", "smp": "segmentation-models-pytorch", "torchvision": "torchvision"}


def row(name: str, sites: Sequence[Site]) -> str:
    """One network's line: how many sites it has, in how many an operator is put, and why not in the others."""
    left = Counter(site.reason.split(":")[0].split(";")[0] for site in sites if site.reason)
    why = ", ".join(f"{count} {reason}" for reason, count in left.items())
    return f"| {name} | {len(sites)} | {len(sites) - left.total()} | {why} |\n"


def versions() -> str:
    """The libraries with which the table was written."""
    return ", ".join(f"{short} {version(full)}" for short, full in LIBRARIES.items()) + ".\n"


def printed() -> str:
    """What `a2u-bench reproduce faster-rcnn-whole` prints where torchvision can be imported."""
    torchvision()
    with redirect_stdout(io.StringIO()) as out:
        assert command(["reproduce", "faster-rcnn-whole"]) == 0
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def main() -> None:
    """Puts both into the pages."""
    shown = f"```text\n$ a2u-bench reproduce faster-rcnn-whole\n{printed()}```"
    PUBLISHED.write_text(SHOWN.sub(lambda found: shown, PUBLISHED.read_text(encoding="utf-8")), encoding="utf-8")
    rows = []
    for name in NETWORKS:
        network, inputs = seeded(name)
        rows.append(row(name, find_sites(network, *inputs)))
    text = f"{HEAD}{''.join(rows)}\nWritten with {versions()}"
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(PLACE.sub(lambda found: f"{found[1]}{text}{found[2]}", page), encoding="utf-8")


if __name__ == "__main__":
    main()
