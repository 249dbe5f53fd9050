"""What papers call operators and where they were published, as tables, figures and BibTeX need it: plain data, so that
whoever reads a run's folder loads nothing to measure with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

ORIGINAL = "original"
"""The operator's name where a network was measured as it is."""

BENCH = "a2u_bench."
"""What begins the names of operators that only the bench has."""

PEERS_MODULE = f"{BENCH}peers:"
"""Before the class of an operator's formula in plain PyTorch."""


@dataclass(frozen=True)
class Publication:
    """Where an operator was published; its authors' names, or family names alone, joined by commas."""

    authors: str
    title: str
    venue: str
    year: int
    arxiv: str = ""


@dataclass(frozen=True)
class Known:
    """What a paper's table calls an operator, and its publication; None where we know of no paper."""

    label: str
    paper: Publication | None = None
    own: bool = False  # a person's


def first_family(authors: str) -> str:
    """The family name of the first of these authors."""
    return (authors.partition(",")[0].split() or [""])[-1]


def to_manifest(own: Mapping[str, Known]) -> dict[str, dict[str, Any]]:
    """A person's own operators as the manifest of their run has them: what they call themselves, and their papers."""
    papers = {operator: asdict(one.paper) for operator, one in own.items() if one.paper}
    found: dict[str, dict[str, Any]] = {"own": {operator: one.label for operator, one in own.items()}, "papers": papers}
    return {name: entries for name, entries in found.items() if entries}


def is_own(operator: str, known: Mapping[str, Known]) -> bool:
    """Whether an operator is a person's own: neither one of ours nor a network as it is."""
    return not (_is_ours(operator, known) or operator == ORIGINAL or operator.startswith(BENCH))


def _is_ours(operator: str, known: Mapping[str, Known]) -> bool:
    return operator in known and not known[operator].own


def label(operator: str, known: Mapping[str, Known]) -> str:
    """The operator's name in a paper; of one that is not known the class, or the name itself."""
    if operator.startswith(PEERS_MODULE):
        formula = operator.removeprefix(PEERS_MODULE).lower()
        own = next((one.label for name, one in known.items() if name.replace("_", "") == formula), formula)
        return f"{own} (PyTorch)"
    return known[operator].label if operator in known else operator.rpartition(":")[2]


def setting(variant: str, usual: str = "") -> str:
    """What of a variant's label differs from the usual one: `rank 4, shared` beside `rank 1, shared` is `rank 4`.

    Options that no label describes are read: `kernel_size=5,norm=false` is `kernel size 5, no norm`.
    """
    parts = [_option(part) for part in (variant.split(",") if "=" in variant else variant.split(", ")) if part]
    common = set(usual.split(", "))
    return ", ".join([part for part in parts if part not in common] or parts)


def _option(text: str) -> str:
    name, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not name.isidentifier():
        return text.strip()
    words = name.replace("_", " ")
    return {"true": words, "false": f"no {words}"}.get(value, f"{words} {value}")


def names(operators: Iterable[str], known: Mapping[str, Known]) -> dict[str, str]:
    """The label of each operator. Of those that share one, ours keeps it and the others' modules stand behind it; where
    that does not tell them apart either, the operator itself."""
    found = {operator: label(operator, known) for operator in operators}
    for operator in _alike(found):
        module = operator.rpartition(":")[0].rpartition(".")[2]
        if module and not _is_ours(operator, known):
            found[operator] = f"{found[operator]} ({module})"
    return found | {operator: operator for operator in _alike(found)}


def _alike(found: Mapping[str, str]) -> list[str]:
    """The operators that share their name with another, but for capitals."""
    counts = Counter(text.casefold() for text in found.values())
    return [operator for operator, text in found.items() if counts[text.casefold()] > 1]
