"""Reproduce: what a table printed, beside what the modules themselves count, with a verdict and the rule behind it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from a2u_bench import operators
from a2u_bench.audit.published import UNITS, Misprint, PublishedCell, PublishedSite, PublishedTable, parse_printed
from a2u_bench.audit.published.whole import at_its_sites, own_lines
from a2u_bench.errors import UsageError
from a2u_bench.operators import strings
from a2u_bench.units import ratio

if TYPE_CHECKING:
    from torch import nn

    from a2u_bench.operators.networks.counted import CountedPart
    from upsamplers import Upsampler

AGREES = "agrees"
TRUNCATED = "truncated"
MISPRINT = "known misprint"
DIFFERS = "differs"
NOT_REPRODUCED = "not reproduced"
SKIPPED = "skipped"
VERDICTS = {
    AGREES: "rounds to the printed digits",
    TRUNCATED: "the printed digits are cut, not rounded",
    MISPRINT: "the printed value is wrong, and why is known",
    DIFFERS: "neither",
    NOT_REPRODUCED: "no count, of no variant, has the printed digits, and why is not known",
    SKIPPED: "what makes the network is not installed",
}

_WIDTHS = re.compile(r"\{(\d{0,3})c\}")  # {2c}: twice the channels of each site


@dataclass(frozen=True)
class Reproduced:
    """One printed cost with what the modules count by its rule: parameters, multiply-adds, or a share in per cent.

    A whole network of another library has the lines of which its count is the sum, and the sites that were found in it;
    without that library nothing is recomputed, and `why` says what to install.
    """

    cell: PublishedCell
    recomputed: int | Fraction | None
    verdict: str
    why: str
    lines: tuple[CountedPart, ...] = ()
    sites: tuple[PublishedSite, ...] = ()


@dataclass(frozen=True)
class OperatorCost:
    """What an operator costs at all sites together; unknown, with the reason, where it cannot serve one of them."""

    operator: str
    params: int | None
    macs: int | None
    reason: str = ""


def reproduce(table: PublishedTable) -> list[Reproduced]:
    """Every cell of the table, recomputed. UsageError for an operator that does not exist or cannot serve a site."""
    return [_reproduce(cell, table) for cell in table.cells]


def costs(table: PublishedTable) -> list[OperatorCost]:
    """The costs of the operators that the table names, or of every variant where it names none and has no cells.

    Under `all` an operator that cannot serve a site has a reason in place of numbers; UsageError for one that is named.
    A user's own operator that fails has its error as the reason, so that the others are still counted.
    """
    found = []
    for text in table.operators or (() if table.cells else ("all",)):
        if text != "all":
            found.append(_named_cost(text, table))
            continue
        for operator in operators.every_variant():
            try:
                found.append(_cost(operator.text, table))
            except UsageError as error:
                found.append(OperatorCost(operator.text, None, None, str(error)))
    return found


def shown(operator: str) -> str:
    """An operator string as a person reads it: `hidden=2c` for ``hidden={2c}``."""
    return _WIDTHS.sub(r"\1c", operator)


def params(operator: str, table: PublishedTable, without: tuple[str, ...] = ()) -> int:
    """Parameters at all sites, but those whose own name or whose module's class is in `without`."""
    return sum(site.count * _params(module, without) for module, site in _placed(operator, table))


def macs(operator: str, table: PublishedTable, sampled: int = 0) -> int:
    """Multiply-adds of one upsampling at every site, by the operator's own formula.

    `sampled`: those for each value that is read between pixels, where they are not to be four.
    """
    total = 0
    for module, site in _placed(operator, table):
        total += site.count * module.macs(site.height, site.width)
        if sampled:
            total += site.count * (sampled - 4) * module.sampled_values(site.height, site.width)
    return total


def _cost(operator: str, table: PublishedTable) -> OperatorCost:
    return OperatorCost(operator, params(operator, table), macs(operator, table))


def _named_cost(operator: str, table: PublishedTable) -> OperatorCost:
    try:
        return _cost(operator, table)
    except UsageError:
        raise
    except Exception as error:  # whatever a stranger's class raises
        if ":" not in strings.parse(shown(operator)).name:
            raise
        return OperatorCost(operator, None, None, f"{type(error).__name__}: {' '.join(str(error).split())}")


def _placed(operator: str, table: PublishedTable) -> Iterator[tuple[Upsampler, PublishedSite]]:
    """The operator's module at each site, without its values."""
    for site in table.sites:
        try:
            yield operators.outline(_at(operator, site), site.channels, site.guide_channels, site.scale), site
        except operators.Impossible as error:
            raise UsageError(f"{error} (at {site.channels}×{site.height}×{site.width}, scale {site.scale})") from None


def _at(operator: str, site: PublishedSite) -> str:
    return _WIDTHS.sub(lambda found: str(int(found[1] or 1) * site.channels), operator)


def _params(module: nn.Module, without: tuple[str, ...]) -> int:
    counted = {}
    for owner in module.modules():
        kinds = {kind.__name__ for kind in type(owner).__mro__}
        for name, parameter in owner.named_parameters(recurse=False):
            if name not in without and not kinds.intersection(without):
                counted[id(parameter)] = parameter.numel()
    return sum(counted.values())


def _reproduce(cell: PublishedCell, table: PublishedTable) -> Reproduced:
    if not cell.is_of_library:
        return _judged(cell, table)
    try:
        there = at_its_sites(cell, table)
        found, lines = _judged(cell, there), own_lines(cell)
    except operators.Impossible as error:
        return Reproduced(cell, None, SKIPPED, str(error))
    found = replace(found, lines=lines, sites=there.sites)
    if found.verdict != DIFFERS or found.recomputed is None:
        return found
    difference = found.recomputed - cell.printed.value
    text = f"{'+' if difference > 0 else '-'}{cell.printed.write(abs(difference))}"
    return replace(found, verdict=NOT_REPRODUCED, why=f"{found.why}; recomputed - published = {text}")


def _judged(cell: PublishedCell, table: PublishedTable) -> Reproduced:
    recomputed = _count(cell, cell.operator, table)
    verdict = cell.printed.compare(recomputed)
    if cell.unmatched and verdict != AGREES:
        return _unmatched(cell, recomputed, table)
    if cell.misprint is None or verdict == AGREES:
        return Reproduced(cell, recomputed, verdict, _rule(cell, recomputed, verdict))
    evidence = _evidence(cell, cell.misprint, recomputed, table)
    if evidence:
        return Reproduced(cell, recomputed, MISPRINT, f"{cell.misprint.why}{evidence}")
    return Reproduced(cell, recomputed, DIFFERS, f"taken for a misprint, but it is not so: {cell.misprint.why}")


def _count(cell: PublishedCell, operator: str, table: PublishedTable) -> int | Fraction:
    if cell.than:
        whole, part = (_count(replace(cell, than=""), one, table) for one in (cell.than, operator))
        return 100 * Fraction(whole - part, whole)
    if cell.base is not None:
        return int(cell.base.value) + _count(replace(cell, base=None), operator, table)
    if cell.is_of_library:
        added = 0 if operator == operators.ORIGINAL else _count(replace(cell, whole=None), operator, table)
        return sum(line.count for line in own_lines(cell)) + added
    if cell.whole is not None:
        try:
            network = operators.network_outline(cell.whole.network, operator)
        except operators.Impossible as error:
            raise UsageError(f"{error} (in {cell.whole.network})") from None
        if cell.quantity == "params":
            return _params(network, cell.without)
        convolutions: int = network.convolutions(cell.whole.height, cell.whole.width)
        return convolutions
    return params(operator, table, cell.without) if cell.quantity == "params" else macs(operator, table, cell.sampled)


def _rule(cell: PublishedCell, recomputed: int | Fraction, verdict: str) -> str:
    """What was counted, and the ratio to what was printed where the two differ."""
    if cell.than:
        rule = f"less than {shown(cell.than)}"
    elif cell.quantity == "macs":
        rule = UNITS[cell.unit][1] + (" of convolutions" if cell.whole and not cell.is_of_library else "")
    elif cell.without == ("bias",):
        rule = "weights only, without biases"
    else:
        rule = f"without {', '.join(cell.without)}" if cell.without else "all parameters"
    counted = f"{cell.sampled} for a value read between pixels" if cell.sampled else ""
    base = f"{cell.base.text} and the upsamplers" if cell.base else ""
    whole = "added to the network" if cell.printed.is_added else "the whole network, in the lines below"
    parts = [part for part in (cell.note, base, whole if cell.is_of_library else "", rule, counted) if part]
    if verdict == DIFFERS and cell.printed.value:
        parts.append(f"recomputed / published = {ratio(float(recomputed / cell.printed.value))}")
    return "; ".join(parts)


def _evidence(cell: PublishedCell, claim: Misprint, recomputed: int | Fraction, table: PublishedTable) -> str:
    """The end of a sentence that bears the claim out, or "" where the modules do not."""
    printed = cell.printed
    if claim.times:
        text = f", {claim.times} times the true {printed.write(recomputed, 1)}"
        return text if printed.compare(claim.times * recomputed) == AGREES else ""
    other = _count(cell, claim.copied, table)
    return f", {printed.write(other)}" if printed.compare(other) == AGREES else ""


def _unmatched(cell: PublishedCell, recomputed: int | Fraction, table: PublishedTable) -> Reproduced:
    """A cell that is said to match no variant, with how many were tried; `differs` where one of them does match."""
    printed = cell.printed
    name = strings.parse(shown(cell.operator)).name
    variants = [cell.operator, *(one.text for one in operators.every_variant() if one.name == name)]
    readings = [parse_printed(printed.text, unit) for unit in UNITS] if cell.unit else [printed]
    counts = [_count(cell, variant, table) for variant in variants]
    tried = zip(variants, counts, strict=True)
    matches = [text for text, count in tried if any(reading.compare(count) == AGREES for reading in readings)]
    if matches:
        return Reproduced(cell, recomputed, DIFFERS, f"said to match no variant, but {matches[0]} does")
    why = f"none of {len(variants)} variants has this cost in any unit"
    return Reproduced(cell, recomputed, NOT_REPRODUCED, f"{why}; {cell.note}" if cell.note else why)
