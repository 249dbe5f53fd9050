"""The words of `recommend`: the answer with its reason, what each alternative gains and costs, and who was left out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from a2u_bench import units
from a2u_bench.columns import BY_NAME
from a2u_bench.judge.budget import Limit
from a2u_bench.judge.recommend import EDGE, FITS, FRONT, Advice, Difference
from a2u_bench.sanitize import plain, some
from a2u_bench.tables.column import column
from a2u_bench.tables.layout import in_common
from a2u_bench.tables.table import Heading, Table

_EXPORTS = {
    ("onnx", "yes"): "exports to ONNX",
    ("onnx", "no"): "does not export to ONNX",
    ("compiles", "yes"): "compiles",
    ("compiles", "no"): "does not compile",
}
CALLED = "called"
"""The column that says what each row's operator is called in the words."""

ASK_QUALITY = "name a run of `a2u-bench quality` as well, and quality decides"


def answer(advice: Advice, limits: Sequence[Limit], convention: str = "mac") -> str:
    """`Use X: its costs, because …`; where nothing fits, the nearest miss."""
    asked = ", ".join(limit.text for limit in limits)
    if advice.use is None:
        return _nothing(advice, asked, convention)
    name, typed = _name(advice.rows, advice.use), _name(advice.rows, advice.use, "options")
    name = name if name == typed else f"{name} ({typed})"
    shown = ["latency", "peak_memory", *(limit.name for limit in limits), *advice.quality]
    facts = [_fact(advice.rows, one, advice.use, convention) for one in dict.fromkeys(shown)]
    facts += [_EXPORTS.get((one, str(advice.rows[one].iloc[advice.use])), "") for one in ("onnx", "compiles")]
    return plain(f"Use {name}: {', '.join(filter(None, facts))}, because {_reason(advice, asked)}.")


def alternatives(advice: Advice, convention: str = "mac") -> Table:
    """What each alternative gains and what it costs more, against the answer."""
    headings = (
        Heading("options", "or instead", right=False),
        Heading("gains", "gains", right=False),
        Heading("costs", "costs more", right=False),
    )
    rows = []
    for one in advice.alternatives:
        gains = difference_texts(one.gains, convention)
        gains = gains or ["nothing significant"]
        costs = difference_texts(one.costs, convention)
        if advice.rows[FITS].iloc[one.place] == EDGE:
            costs.append("perhaps over the budget")
        costs = costs or ["nothing significant"]
        rows.append((plain(_name(advice.rows, one.place)), ", ".join(gains), ", ".join(costs)))
    return Table("", headings, tuple(rows))


def difference_texts(differences: Sequence[Difference], convention: str = "mac") -> list[str]:
    """Each as `latency ×0.54 ±0.02` or `PSNR -5.1 ±0.5 dB`."""
    return [_difference(one, convention) for one in differences]


def notes(advice: Advice, everything: bool) -> list[str]:
    """Whose costs these are, and each operator that is no alternative, with why."""
    said = [f"measured: {in_common(advice.rows if len(advice.rows) else advice.judged)}"]
    if advice.alternatives and advice.use is not None:
        base = _name(advice.rows, advice.use)
        said.append(f"× and differences: against {base}, only where they are significant (5 %, each by itself)")
    shown = {one.place for one in advice.alternatives} | {advice.use}
    rest = advice.rows.drop(advice.unscored.index)
    rest = rest[[place not in shown for place in advice.rows.index.get_indexer(rest.index)]]
    if advice.quality:
        beaten = rest[~rest[FRONT].astype(bool)]
        said += _named("fit too, but another is nowhere worse and significantly better somewhere", beaten)
        said += _named("fit too, and gain nothing significant", rest.drop(beaten.index))
    elif not everything:
        said += _named("fit too (--all shows them)", rest)
    said += _named("fit too, but their quality is not known", advice.unscored)
    said += _named("variants that fit too (--variants counts them in)", advice.variants)
    said += _named("over the budget", advice.over)
    said += _named("not judged, since they did not end ok", advice.ended)
    said += _named("not judged, since a quantity of the budget is unknown", advice.lacking)
    if not advice.quality and len(advice.rows):
        said.append(f"no quality is known: {ASK_QUALITY}")
    if (advice.rows[FITS].iloc[[place for place in shown if place is not None]] == EDGE).any():
        said.append(f"{EDGE}: the value fits, the far end of its interval does not")
    for name, how in (("onnx", "run --onnx"), ("compiles", "run --runtime compile")):
        if advice.use is not None and pd.isna(advice.rows[name].iloc[advice.use]):
            said.append(f"{BY_NAME[name].label}: not stored; `a2u-bench {how}` tells")
    return [plain(text) for text in said]


def _reason(advice: Advice, asked: str) -> str:
    assert advice.use is not None
    count = len(advice.rows) - len(advice.unscored)
    row = advice.rows.iloc[advice.use]
    edge = "" if row[FITS] == "yes" else f" ({EDGE}: the far end of its interval is over the limit)"
    if len(advice.rows) == 1:
        return f"nothing else fits {asked}{edge}"
    by = "fastest" if pd.notna(row["latency"]) else "cheapest"
    if not advice.quality:
        return f"it is the {by} of the {count} that fit {asked}{edge}"
    label = " and ".join(BY_NAME[name].label for name in advice.quality)
    known = f" and have a known {label}" if len(advice.unscored) else ""
    if count == 1:
        return f"it alone of those that fit {asked} has a known {label}{edge}"
    if len(advice.level) == 1:
        return f"its {label} is the best of the {count} that fit {asked}{known}{edge}"
    return (
        f"it is the {by} of {len(advice.level)} whose {label} is not significantly worse than another's, among the "
        f"{count} that fit {asked}{known}{edge}"
    )


def _nothing(advice: Advice, asked: str, convention: str) -> str:
    if advice.nearest is None:
        known = "fits" if advice.variants.empty else "but a variant fits"
        if len(advice.unscored):
            return plain(f"nothing whose quality is known fits {asked}")
        return plain(f"nothing {known} {asked}{'' if len(advice.judged) else ': no case has all of these quantities'}")
    miss = advice.nearest
    value = _fact(advice.judged, miss.limit.name, miss.place, convention)
    times = f", {units.ratio(miss.times)} times the limit" if np.isfinite(miss.times) else ""
    if miss.limit.at_least:
        times = ""
    return plain(f"nothing fits {asked}; the nearest miss is {_name(advice.judged, miss.place)}: {value}{times}")


def _fact(rows: pd.DataFrame, name: str, place: int, convention: str) -> str:
    """A measure of one row with its unit: `1.97 ±0.15 ms`, `PSNR 26.3 ±0.6 dB`; "" where it is unknown."""
    heading, (text,) = column(rows.iloc[[place]], name, convention)
    if not text:
        return ""
    label = "" if name in ("latency", "peak_memory") else f"{heading.label} "
    return f"{label}{text}{f' {heading.unit}' if heading.unit else ''}"


def _difference(one: Difference, convention: str) -> str:
    label = {"latency": "latency", "peak_memory": "memory"}.get(one.name, BY_NAME[one.name].label)
    has_spread = np.isfinite([one.low, one.high]).all() and one.low < one.high
    if one.relative:
        spread = units.measured(one.value, one.low, one.high) if has_spread else ""
        return f"{label} ×{spread or units.ratio(one.value)}"
    unit = BY_NAME[one.name].unit
    scale = units.UNSCALED if unit == "dB" else units.scale_for([one.value])
    size = abs(one.value)
    low, high = sorted((abs(one.low), abs(one.high))) if one.low * one.high > 0 else (size, size)
    text = units.measured(size, low, high, scale) if has_spread else units.exact(size, scale)
    return f"{label} {'+' if one.value > 0 else '-'}{text} {scale.prefix}{unit}".rstrip()


def _name(rows: pd.DataFrame, place: int, names: str = CALLED) -> str:
    name = rows[names].iloc[place]
    return "unknown" if pd.isna(name) else str(name)


def _named(words: str, rows: pd.DataFrame) -> list[str]:
    return [f"{words}: {some(rows[CALLED].fillna('unknown'))}"] if len(rows) else []
