"""What the pages under docs/ show is what the commands print from the committed results."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "docs"))
refresh: Any = importlib.import_module("refresh")

SHOWN = [
    (page.name, command, shown)
    for page in refresh.PAGES
    if page.parent.name == "docs"
    for command, shown in refresh.BLOCK.findall(page.read_text(encoding="utf-8"))
    if command.split()[1] not in refresh.MEASURING
]


@pytest.mark.parametrize(("page", "command", "shown"), SHOWN, ids=[command for _, command, _ in SHOWN])
def test_a_page_shows_what_the_command_prints(page: str, command: str, shown: str) -> None:
    assert refresh.output(command) == shown, "run `make readme` to write the present output"


def test_a_block_waits_for_the_run_that_it_shows() -> None:
    waiting = "<!-- once there is {}: a2u-bench doctor -->\n"
    assert refresh.refreshed(waiting.format("results")) == "```console\n$ a2u-bench doctor\n```\n"
    assert refresh.refreshed(waiting.format("results/gone")) == waiting.format("results/gone")
