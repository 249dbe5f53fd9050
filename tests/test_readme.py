"""What the README shows is what the commands print from the committed results."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "docs"))
refresh: Any = importlib.import_module("refresh")

README = (ROOT / "README.md").read_text(encoding="utf-8")
SHOWN = [block for block in refresh.BLOCK.findall(README) if block[0].split()[1] not in refresh.MEASURING]


@pytest.mark.parametrize(("command", "shown"), SHOWN, ids=[command for command, _ in SHOWN])
def test_the_readme_shows_what_the_command_prints(command: str, shown: str) -> None:
    assert refresh.output(command) == shown, "run `make readme` to write the present output"


def test_the_readme_shows_commands_at_all() -> None:
    assert len(SHOWN) >= 3


def test_every_link_into_the_repository_leads_somewhere() -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", README)
    missing = [link for link in links if not (ROOT / link).exists()]
    assert links and not missing, missing
