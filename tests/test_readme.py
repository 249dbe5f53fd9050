"""What the README shows is what the commands print from the committed results."""

from __future__ import annotations

import importlib
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import matplotlib
import pytest

from a2u_bench.cli import main
from a2u_bench.columns import BY_NAME, FLOOR_SHARE, RATIO, RUN, SHAPE, VERDICT
from a2u_bench.store.frames import SEEDS

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "docs"))
refresh: Any = importlib.import_module("refresh")

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = [(command, shown) for command, shown in refresh.BLOCK.findall(README)]
DRAWABLE = [block for page in refresh.PAGES for block in refresh.BLOCK.findall(page.read_text(encoding="utf-8"))]
SHOWN = [block for block in BLOCKS if block[0].split()[1] not in (*refresh.MEASURING, "plot")]
DRAWN = [block for block in DRAWABLE if block[0].split()[1] == "plot"]
_CODE = re.compile(r"`(\w+)`")
COLUMNS = (ROOT / "docs" / "columns.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("command", "shown"), SHOWN, ids=[command for command, _ in SHOWN])
def test_the_readme_shows_what_the_command_prints(command: str, shown: str) -> None:
    if "segformer" in command:
        pytest.importorskip("transformers", reason="transformers is not installed: pip install a2u-bench[networks]")
    assert refresh.output(command) == shown, "run `make readme` to write the present output"


def test_the_readme_shows_commands_at_all() -> None:
    assert len(SHOWN) >= 2


def test_every_link_into_the_repository_leads_somewhere() -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", README)
    missing = [link for link in links if not (ROOT / link).exists()]
    assert links and not missing, missing


@pytest.mark.parametrize(("command", "shown"), DRAWN, ids=[shown.strip() for _, shown in DRAWN])
def test_a_figure_of_the_readme_is_what_its_command_draws(command, shown, tmp_path, monkeypatch):
    words = shlex.split(command)[1:]
    place = words.index("--out") + 1
    committed = ROOT / words[place]
    assert f"]({words[place]})" in README
    assert shown == f"{words[place]}\n"
    assert committed.stat().st_size < 100_000
    words[place] = str(tmp_path / committed.name)
    monkeypatch.chdir(ROOT)
    assert main(words) == 0
    made, kept = ((folder / committed.name).read_text(encoding="utf-8") for folder in (tmp_path, committed.parent))
    if f"Matplotlib v{matplotlib.__version__}," not in kept:
        pytest.skip("the figure is of another version of matplotlib, which sets letters elsewhere")
    assert made == kept, "run `make readme` to draw it anew"


def test_a_figure_is_shown_at_all():
    assert DRAWN


@pytest.mark.parametrize("name", [*BY_NAME, RUN, SHAPE, FLOOR_SHARE, RATIO, VERDICT, SEEDS])
def test_every_column_is_explained(name):
    assert re.search(rf"^\|[^|]*`{name}`[^|]*\|", COLUMNS, re.MULTILINE)


def test_no_column_is_explained_that_is_none():
    made = [RUN, SHAPE, FLOOR_SHARE, RATIO, f"{RATIO}_low", f"{RATIO}_high", VERDICT, SEEDS]
    named = [
        name for line in COLUMNS.splitlines() if line.startswith("| `") for name in _CODE.findall(line.split("|")[1])
    ]
    assert [name for name in named if name not in (*BY_NAME, *made)] == []
