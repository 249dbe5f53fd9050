"""The facts of our operators that papers and tables need, read from their files without running them: no torch."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from a2u_bench.paper_names import Known, Publication


@cache
def known() -> dict[str, Known]:
    """Every operator of ours by name: what a paper's table calls it, and its paper."""
    return dict(sorted(entry for path in _files() for entry in _read(path.read_text(encoding="utf-8"))))


def _files() -> list[Path]:
    spec = find_spec("upsamplers")  # finds the package and imports nothing
    places = spec.submodule_search_locations if spec else None
    return sorted(path for place in places or () for path in (Path(place) / "ops").glob("*.py"))


def _read(source: str) -> Iterator[tuple[str, Known]]:
    """The facts in one file: every call of `Facts`, whose name, title, label and paper are literals."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Facts":
            given = {word.arg: word.value for word in node.keywords}
            name, title = (ast.literal_eval(given[word]) for word in ("name", "title"))
            label = ast.literal_eval(given["label"]) if "label" in given else title
            paper = given["paper"]
            assert isinstance(paper, ast.Call)
            yield name, Known(label, Publication(*map(ast.literal_eval, paper.args)))
