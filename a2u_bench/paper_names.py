"""What papers call operators and where they were published, as tables, figures and BibTeX need it: plain data, so that
whoever reads a run's folder loads nothing to measure with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

ORIGINAL = "original"
"""The operator's name where a network was measured as it is."""

BENCH = "a2u_bench."
"""What begins the names of operators that only the bench has."""


@dataclass(frozen=True)
class Publication:
    """Where an operator was published; family names of its authors, joined by commas."""

    authors: str
    title: str
    venue: str
    year: int
    arxiv: str = ""


@dataclass(frozen=True)
class Known:
    """What a paper's table calls an operator, and its publication; None where there is none that we know of."""

    label: str
    paper: Publication | None = None


def is_own(operator: str, known: Mapping[str, Known]) -> bool:
    """Whether an operator is a person's own: neither one of ours nor a network as it is."""
    ours = operator in known and known[operator].paper is not None
    return not (ours or operator == ORIGINAL or operator.startswith(BENCH))


def label(operator: str, known: Mapping[str, Known]) -> str:
    """The operator's name in a paper; of one that is not known the class, or the name itself."""
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
    """The label of each operator; of those that share one, the operator itself."""
    found = {operator: label(operator, known) for operator in operators}
    twice = {text for text in found.values() if list(found.values()).count(text) > 1}
    return {operator: operator if text in twice else text for operator, text in found.items()}
