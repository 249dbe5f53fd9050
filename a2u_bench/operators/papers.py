"""The facts of our operators that papers and tables need, read from their files without running them: no torch."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from a2u_bench.paper_names import Known, Publication, is_own

BENCH_ONLY = {
    "ceiling:simplex": Known("any convex 3×3 kernel"),
    "ceiling:sigmoid-softmax": Known("any sigmoid-softmax 3×3 kernel"),
    "references:Constant": Known("constant kernel"),
    "references:JointBilateral": Known("joint bilateral"),
    "ablated:A2U": Known("A2U (ablated)"),
}
"""What stands beside operators in trainings, by the names that stored runs have for it."""


@cache
def known() -> dict[str, Known]:
    """Every operator of ours by name: what a paper's table calls it, and its paper."""
    return dict(sorted(entry for path in _files() for entry in _read(path.read_text(encoding="utf-8"))))


def known_in(manifests: Iterable[Mapping[str, Any]]) -> dict[str, Known]:
    """The same, what the bench alone has, and each person's own operator of runs with these manifests, by the name and
    with the paper that its facts had then."""
    found, waiting = {**known(), **BENCH_ONLY}, list(manifests)
    for manifest in waiting:
        own, origins, cited = (_mapping(manifest.get(name)) for name in ("own", "origins", "papers"))
        for operator, name in own.items():
            if isinstance(name, str) and name.strip():
                found.setdefault(operator, Known(name, _publication(cited.get(operator)), own=True))
        waiting += [one for one in origins.values() if isinstance(one, dict)]
    return found


def of_own(operators: Iterable[str]) -> dict[str, Known]:
    """A person's own among these operators, with what their facts say now."""
    from a2u_bench.operators.catalogue import facts

    found, ours = {}, known_in(())
    for operator in sorted(set(operators)):
        if ":" in operator and is_own(operator, ours):
            stated = facts(operator)
            paper = _publication(vars(stated.paper)) if stated.paper else None
            found[operator] = Known(stated.label or stated.name, paper, own=True)
    return found


def _publication(stored: Any) -> Publication | None:
    """A paper as a manifest has it; None of what is no paper."""
    texts = {name: _mapping(stored).get(name, "") for name in ("authors", "title", "venue", "arxiv")}
    year = _mapping(stored).get("year")
    if not all(isinstance(text, str) for text in texts.values()) or type(year) is not int or not texts["title"].strip():
        return None
    return Publication(**texts, year=year)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


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
