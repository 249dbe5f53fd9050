"""What tables and figures call the rows: an operator by its name in papers, a variant by what differs from it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from a2u_bench.paper_names import Known, label, names, setting
from a2u_bench.sanitize import plain
from a2u_bench.store.frames import to_values
from a2u_bench.store.read import Run

INDENT = "\u00a0\u00a0"

DOWNS = {"s2d": "S2D"}
"""Ways down that papers write otherwise than they are typed."""


def whole(operators: Iterable[str]) -> re.Pattern[str]:
    """What finds these operator strings in a text, each only as a whole."""
    longest_first = sorted(map(re.escape, set(operators)), key=len, reverse=True)
    return re.compile(rf"(?<![\w:.-])(?:{'|'.join(longest_first) or '(?!)'})(?![\w:=-]|\.\w|,\w+=)")


def in_papers(frame: pd.DataFrame, known: Mapping[str, Known]) -> pd.Series:
    """The operator of each row as a paper names it, `A2U, rank 4, unshared`; where two would share a name, as typed."""
    called: dict[str, str] = {}
    usual, labels = _usual(frame), names(_operators(frame), known)
    for operator, variant, options in _subjects(frame):
        label = labels[operator]
        called[options] = label if options == operator else f"{label}, {_setting(operator, variant, options, usual)}"
    twice = {text for text in called.values() if list(called.values()).count(text) > 1}
    by_options = {options: options if text in twice else text for options, text in called.items()}
    texts = [options if options is None else plain(by_options.get(options, options)) for _, _, options in _rows(frame)]
    return pd.Series(texts, index=frame.index, dtype="string")


def typed_names(runs: Iterable[Run], known: Mapping[str, Known]) -> dict[str, dict[str, list[str]]]:
    """What is typed for the names that tables of these runs may print, in small letters: for those of `operator`, and
    for those of `options`. A name of several has all of them."""
    columns = ("operator", "variant", "options")
    rows = dict.fromkeys(tuple(row[name] for name in columns) for run in runs for row in run.rows)
    frame = pd.DataFrame(list(rows), columns=columns, dtype="string")
    subjects, operators = _subjects(frame), _operators(frame)
    alone = ((f"{label(one, known)}, {_setting(one, told, text, {})}", text) for one, told, text in subjects)
    printed = zip(to_values(in_papers(frame, known)), to_values(frame["options"]), strict=True)
    return {
        "operator": _gathered((label(one, known), one) for one in operators)
        | _gathered((name, one) for one, name in names(operators, known).items()),
        "options": _gathered(alone) | _gathered((name, text) for name, text in printed if name and text),
    }


def _gathered(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, text in pairs:
        texts = found.setdefault(name.casefold(), [])
        texts += [] if text in texts else [text]
    return found


def with_pairs(frame: pd.DataFrame, known: Mapping[str, Known]) -> pd.DataFrame:
    """The frame with pairs named after their operators in papers: `pool / CARAFE`, or the operator alone."""
    names = [
        pair if not pair or not options or not pair.endswith(options) else _paired(pair.removesuffix(options), name)
        for pair, options, name in zip(
            to_values(frame["pair"]), to_values(frame["options"]), to_values(in_papers(frame, known)), strict=True
        )
    ]
    return frame.assign(pair=pd.Series(names, index=frame.index, dtype="string"))


def _paired(way: str, name: str) -> str:
    down = way.removesuffix("/")
    return f"{plain(DOWNS.get(down, down))} / {name}" if down else name


def indented(frame: pd.DataFrame, called: pd.Series) -> pd.Series:
    """The same names, but of a variant that stands below its operator only what differs, moved in."""
    texts, usual, above = list(called), _usual(frame), ""
    for row, (operator, variant, options) in enumerate(_rows(frame)):
        if options is not None and options == operator:
            above = operator
        elif operator is not None and options is not None and operator == above:
            typed = texts[row] == options  # as it is typed rather than as papers name it
            told = options.removeprefix(f"{operator}:") if typed else _setting(operator, variant, options, usual)
            texts[row] = f"{INDENT}{plain(told)}"
        else:
            above = ""
    return pd.Series(texts, index=frame.index, dtype="string")


def _setting(operator: str, variant: str | None, options: str, usual: Mapping[str, str]) -> str:
    return setting(variant or options.removeprefix(f"{operator}:"), usual.get(operator, ""))


def _usual(frame: pd.DataFrame) -> dict[str, str]:
    """The label of each operator's default variant, where the frame has it."""
    return {operator: variant or "" for operator, variant, options in _subjects(frame) if options == operator}


def _operators(frame: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(operator for operator, _, _ in _subjects(frame)))


def _subjects(frame: pd.DataFrame) -> list[tuple[str, str | None, str]]:
    """Each different operator, variant and options; none that lacks its operator or its options."""
    different = dict.fromkeys(_rows(frame))
    return [(operator, variant, options) for operator, variant, options in different if operator and options]


def _rows(frame: pd.DataFrame) -> Sequence[tuple[str | None, str | None, str | None]]:
    return list(zip(*(to_values(frame[name]) for name in ("operator", "variant", "options")), strict=True))
