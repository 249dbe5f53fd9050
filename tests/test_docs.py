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
    if "segformer" in command:
        pytest.importorskip("transformers", reason="transformers is not installed: pip install a2u-bench[networks]")
    assert refresh.output(command) == shown, "run `make readme` to write the present output"
