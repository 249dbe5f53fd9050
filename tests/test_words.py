"""Words that readers did not understand stand in no message, help text, note, README or page."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NOT_UNDERSTOOD = re.compile(r"\b[Pp]ace\b|\b[Ss]urely\b|\b[Mm]end(?:s|ed|ing)?\b|\bis none\b|\bholds that\b")
SOURCES = sorted(path for room in ("a2u_bench", "upsamplers", "docs") for path in (ROOT / room).rglob("*.py"))
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "a2u_bench").rglob("*.toml")]
    + [path for path in (ROOT / "a2u_bench" / "export" / "report").iterdir() if path.suffix in (".html", ".js")]
)
COLUMNS_OF_OLD_ROWS = ("pace",)


def texts_of(source: str) -> Iterator[str]:
    """Every text in a program: messages, help, notes and docstrings, but not its comments."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value not in COLUMNS_OF_OLD_ROWS:
            yield " ".join(node.value.split())


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_text_of_the_program_is_in_words_that_readers_know(path: Path) -> None:
    found = [text for text in texts_of(path.read_text(encoding="utf-8")) if NOT_UNDERSTOOD.search(text)]
    assert found == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_page_is_in_words_that_readers_know(path: Path) -> None:
    text = " ".join(path.read_text(encoding="utf-8").split())
    assert [found.group() for found in NOT_UNDERSTOOD.finditer(text)] == []


@pytest.mark.parametrize("word", ["the pace", "Surely not", "mended", "a name that is none", "it holds that"])
def test_each_of_these_words_is_found(word: str) -> None:
    assert NOT_UNDERSTOOD.search(next(texts_of(f"raise ValueError({word!r})")))


def test_none_of_python_is_another_word() -> None:
    assert not NOT_UNDERSTOOD.search("What is unknown is None")
