"""The facts of our operators that papers and tables need, read from their files without running them: no torch."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from a2u_bench.paper_names import Known, Publication


@cache
def known() -> dict[str, Known]:
    """Every operator of ours by name: what a paper's table calls it, and its paper."""
    return dict(sorted(entry for path in _files() for entry in _read(path.read_text(encoding="utf-8"))))


def known_in(manifests: Iterable[Mapping[str, Any]]) -> dict[str, Known]:
    """The same, and each person's own operator of runs with these manifests, by the name that its facts had then."""
    found, waiting = dict(known()), list(manifests)
    for manifest in waiting:
        own, origins = manifest.get("own"), manifest.get("origins")
        for operator, name in own.items() if isinstance(own, dict) else ():
            if isinstance(name, str) and name.strip():
                found.setdefault(operator, Known(name))
        waiting += [one for one in origins.values() if isinstance(one, dict)] if isinstance(origins, dict) else []
    return found


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
