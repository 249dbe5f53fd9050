"""What the pages under docs/ show is what the commands print from the committed results."""

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


def test_a_block_waits_for_the_run_that_it_shows() -> None:
    waiting = "<!-- once there is {}: a2u-bench doctor -->\n"
    assert refresh.refreshed(waiting.format("results")) == "```console\n$ a2u-bench doctor\n```\n"
    assert refresh.refreshed(waiting.format("results/gone")) == waiting.format("results/gone")


CODE = re.compile(r"```python\n(.*?)```", re.DOTALL)


def test_the_code_beside_the_formula_of_a2u_makes_its_kernels() -> None:
    (code,) = CODE.findall((ROOT / "docs" / "reading-a2u.md").read_text(encoding="utf-8"))
    assert code.count("assert_close") == 2
    exec(code, {})


NAMED = re.compile(
    r"`((?:a2u_bench|tests|docs|upsamplers|cli|suites|operators|measure|run|machine|store|judge|tables|export)/[\w./]*)`"
)


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_every_file_that_a_page_names_is_there(page: str) -> None:
    named = NAMED.findall((ROOT / page).read_text(encoding="utf-8"))
    assert len(named) > 5
    gone = [
        name for name in named if not any((ROOT / part / name).exists() for part in ("", "a2u_bench", "upsamplers"))
    ]
    assert [name for name in gone if "NAME" not in name and "FORMAT" not in name] == []


FILE = re.compile(r"\b(?:tests|docs|results)/[\w./-]+\.(?:py|md|toml|txt|svg|png)\b")


@pytest.mark.parametrize(
    "page", sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]), ids=lambda path: path.name
)
def test_a_file_of_ours_that_a_page_speaks_of_is_there(page: Path) -> None:
    named = set(FILE.findall(page.read_text(encoding="utf-8")))
    assert [name for name in sorted(named) if not any((ROOT / part / name).exists() for part in ("", "docs"))] == []


def test_every_folder_of_the_bench_stands_in_the_table_of_rooms() -> None:
    rows = re.findall(r"^\| `(\w+)/` \|", (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"), re.MULTILINE)
    folders = {path.name for path in (ROOT / "a2u_bench").iterdir() if (path / "__init__.py").exists()}
    assert set(rows) == folders
