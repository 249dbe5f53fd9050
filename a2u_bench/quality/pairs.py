"""Pairs: how a network goes down and how it comes up again, named `DOWN/OPERATOR`.

Down is `conv` (3×3, stride 2), `s2d` (space to depth), `pool` (max pooling) or `twin`: the downsampling that the
operator itself defines, with the parameters that both directions share. Which of these a network has is its task's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

from a2u_bench import operators
from a2u_bench.errors import UsageError, unknown
from a2u_bench.operators import strings


@dataclass(frozen=True)
class Pair:
    """One way down, and the operator that goes up: canonical text, without the twin, as in a table of costs."""

    down: str
    operator: operators.Operator

    @property
    def name(self) -> str:
        """`DOWN/OPERATOR`; the operator alone where nothing goes down."""
        return f"{self.down}/{self.operator.text}" if self.down else self.operator.text


@dataclass(frozen=True)
class Ways:
    """The pairs of a task: the ways down of its network, what `core` means, and an operator's usual way down.

    `always` are those that stand beside whatever was asked for; `untrained` are names that are no operator's.
    """

    downs: tuple[str, ...]
    core: tuple[str, ...]
    usual: Callable[[str], str]
    always: tuple[str, ...] = ()
    untrained: tuple[str, ...] = ()


def usual_down(operator: str) -> str:
    """How the reconstruction network goes down for an operator string, as the papers pair them."""
    facts = operators.facts(operators.operator(operator).name)
    if facts.name == "pixel_shuffle":
        return "s2d"
    if facts.twin and facts.guide != "none":
        return "twin"
    return "conv" if facts.family in ("distance-based", "learned static") else "pool"


RECONSTRUCTION = Ways(
    ("conv", "s2d", "pool", "twin"),
    (
        *("conv/nearest", "conv/bilinear", "conv/deconv", "s2d/pixel_shuffle"),
        *("twin/max_unpool", "pool/carafe", "twin/index_net", "twin/a2u"),
    ),
    usual_down,
)
"""Its core is the eight of the papers' first experiment. The twin of max-unpooling is max pooling."""


def read(text: str | Sequence[str], ways: Ways = RECONSTRUCTION) -> tuple[Pair, ...]:
    """The pairs that `core`, `a2u` or a list means; in a list an operator alone has its usual way down.

    `a2u` by itself is every setting of it, in a list the default one. UsageError for an unknown word, a pair that
    cannot be, or none at all.
    """
    parts = strings.split(text)
    meant = [ways.core if part == "core" else (part,) for part in parts]
    names = (
        [name.removeprefix("" if ways.downs else "twin/") for name in every_a2u()]
        if parts == ["a2u"]
        else [name for several in meant for name in several]
    )
    found = {pair.name: pair for pair in (_pair(name, ways) for name in (*ways.always, *names))}
    if not names:
        raise UsageError("--pairs names none; allowed: core, a2u, or DOWN/OPERATOR,… such as conv/nearest,twin/a2u")
    return tuple(found.values())


def differing_downs(text: str | Sequence[str], ways: Ways) -> str:
    """A sentence where operators of a list stand without a way down and do not all have the same one; "" elsewhere."""
    parts = strings.split(text)
    alone = [part for part in parts if part not in ("core", *ways.untrained) and "/" not in part]
    if parts == ["a2u"] or not ways.downs:
        return ""
    found = [_pair(part, ways) for part in alone]
    if len({pair.down for pair in found}) < 2:
        return ""
    names = ", ".join(pair.name for pair in found)
    return f"each operator has the way down that papers give it: {names}; to compare them alone, name one for all"


def every_a2u() -> tuple[str, ...]:
    """Every sharing mode at rank 1, 2 and 4, each dynamics, k = 3 and k = 1."""
    axes = product((3, 1), ("dynamic", "hybrid", "static"), (1, 2, 4), ("shared", "semi-shared", "unshared"))
    return tuple(f"twin/a2u:kernel_size={k},dynamics={d},rank={r},sharing={s}" for k, d, r, s in axes)


def _pair(text: str, ways: Ways) -> Pair:
    if text in ways.untrained:
        return Pair("", operators.Operator(text, {}, text, text))
    down, slash, rest = text.partition("/")
    if not slash:
        rest, down = text, ""
    elif not ways.downs:
        raise UsageError(f"--pairs {text}: nothing is halved by a network here; allowed: an operator alone, {rest}")
    elif down not in ways.downs:
        raise unknown("way down", down, ways.downs)
    operator = operators.operator(rest)
    if "twin" in operator.options:  # the way down says it
        operator = operators.operator(_without_twin(operator))
    if not down:
        down = ways.usual(operator.text)
    if down == "twin" and not operators.facts(operator.name).twin:
        others = ", ".join(f"{other}/" for other in ways.downs if other != "twin")
        raise UsageError(f"{rest!r} has no downsampling twin; allowed before it: {others}")
    return Pair(down, operator)


def _without_twin(operator: operators.Operator) -> str:
    options = {key: value for key, value in operator.options.items() if key != "twin"}
    return strings.canonical(operator.name, options, {})
