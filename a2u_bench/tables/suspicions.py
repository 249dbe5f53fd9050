"""Results that a reader should look at twice, each with its figure: what is slower, farther off or more alike than it
should be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from a2u_bench import stats, units
from a2u_bench.columns import FLOOR_SHARE, SUBJECT
from a2u_bench.judge import verdicts
from a2u_bench.judge.reading import Reading
from a2u_bench.judge.verdicts import numbers
from a2u_bench.paper_names import BENCH
from a2u_bench.sanitize import plain
from a2u_bench.store.frames import workloads

HALVES, WHOLE = ("float16", "bfloat16"), "float32"

FAR = 100.0
"""Times the speed of light from which a latency is far above it."""

FIRST = 100.0
"""Times a later call from which the first one is worth a note."""

ODD = 10.0
"""Times by which two counts of work differ from which one of them is wrong: a step that fvcore cannot see is less."""

MOST = 3
"""Names in a note; a count tells of the others."""


def of_rows(frame: pd.DataFrame, reading: Reading | None = None, bound: bool = True) -> list[str]:
    """A sentence for each kind of result that is suspicious among these rows, the worst first in each; without `bound`
    nothing on the speed of light, from which small maps are always far."""
    frame = frame[(frame["status"] == "ok").fillna(False).astype(bool)]
    far = _far_from_the_bound(frame) if bound else ""
    said = [_slow_halves(frame, reading), far, _first_calls(frame), _odd_macs(frame), _equal_variants(frame)]
    return [plain(text) for text in said if text]


def _slow_halves(frame: pd.DataFrame, reading: Reading | None) -> str:
    """Operators that take significantly longer in a half type than in float32 on the same workload."""
    apart = workloads(frame.assign(dtype=WHOLE), SUBJECT).to_numpy()
    keys = list(zip(apart, frame["options"].fillna(""), strict=True))
    dtypes = frame["dtype"].fillna("").to_numpy(dtype=object)
    timed = frame["latency"].notna().to_numpy()
    whole = {key: place for place, key in enumerate(keys) if dtypes[place] == WHOLE and timed[place]}
    rows = np.array([n for n, key in enumerate(keys) if dtypes[n] in HALVES and timed[n] and key in whole], dtype=int)
    if not len(rows):
        return ""
    found = verdicts.difference(frame, "latency", rows, np.array([whole[keys[row]] for row in rows]), reading)
    slower = (found.log > 0) & (stats.holm(found.probability) <= verdicts.LEVEL)
    names = [f"{_name(frame, row)} in {dtypes[row]}" for row in rows]
    return _said("slower in a half type than in float32", names, found.value, slower)


def _far_from_the_bound(frame: pd.DataFrame) -> str:
    times = 1 / numbers(frame, FLOOR_SHARE)
    names = [_name(frame, row) for row in range(len(frame))]
    return _said(f"more than {FAR:g} times the time at the speed of light", names, times, times > FAR)


def _first_calls(frame: pd.DataFrame) -> str:
    if "first_call" not in frame:
        return ""
    first = numbers(frame, "first_call")
    times = 1 + first / numbers(frame, "latency")
    apart = frame["dtype"].nunique() > 1
    names = [
        f"{_name(frame, row)}{f' in {dtype}' if apart else ''} ({units.exact(first[row])} s)"
        for row, dtype in enumerate(frame["dtype"].fillna("an unknown dtype"))
    ]
    what = f"a first call, which may compile or load, took more than {FIRST:g} times a later one"
    return _said(what, names, times, times > FIRST)


def _odd_macs(frame: pd.DataFrame) -> str:
    """Persons' own operators whose `macs` says much more or much less than fvcore counted."""
    if "macs_fvcore" not in frame:
        return ""
    counted, stated = numbers(frame, "macs_fvcore"), numbers(frame, "macs")
    with np.errstate(divide="ignore", invalid="ignore"):
        times = np.exp(np.abs(np.log(counted / stated)))
    names = [_name(frame, row) for row in range(len(frame))]
    own = np.array([":" in str(name) and not str(name).startswith(BENCH) for name in frame["operator"]], dtype=bool)
    what = f"macs() and what fvcore counts are more than {ODD:g} times apart"
    return _said(what, names, times, own & (times > ODD))


def _equal_variants(frame: pd.DataFrame) -> str:
    """Variants of one operator whose outputs are equal to the last bit, so that an option changes nothing."""
    if "digest" not in frame:
        return ""
    known = frame[frame["digest"].notna()]
    found: dict[tuple[object, ...], dict[str, None]] = {}
    keys = zip(workloads(known, SUBJECT), known["operator"], known["digest"], strict=True)
    for key, options in zip(keys, known["options"].astype(str), strict=True):
        found.setdefault(key, {})[options] = None
    alike = dict.fromkeys(" = ".join(names) for names in found.values() if len(names) > 1)
    if not alike:
        return ""
    return f"variants whose outputs are equal to the last bit: {_some(list(alike))}"


def _said(what: str, names: Sequence[str], times: Iterable[float], chosen: Iterable[bool]) -> str:
    """`what: a 3.1 times, b 2.0 times and 4 more`, the largest first; "" where nothing is chosen."""
    worst: dict[str, float] = {}
    for name, value, is_meant in zip(names, times, chosen, strict=True):
        if is_meant:
            worst[name] = max(float(value), worst.get(name, 0.0))
    ordered = sorted(worst, key=lambda name: -worst[name])
    return f"{what}: {_some([f'{name} {units.ratio(worst[name])} times' for name in ordered])}" if ordered else ""


def _some(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - MOST} more" if len(texts) > MOST else ""
    return f"{'; '.join(texts[:MOST])}{more}"


def _name(frame: pd.DataFrame, row: int) -> str:
    name = frame["options"].iloc[row]
    return "unknown" if pd.isna(name) else str(name)
