"""A frame becomes lines, in parts; what all rows agree on, most columns of a run, is written once and repeated."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pandas as pd

from a2u_bench.frames import agree

LINES = 2000  # of a part
MARK = "\0"  # stands where values differ; no text of a file has one

Known = dict[object, str]
"""Each different text of a file, and what is written for it."""


def joined(
    frame: pd.DataFrame, texts: Callable[[pd.Series, Known], list[str]], between: str, before: Sequence[str] = ()
) -> Iterator[list[str]]:
    """A line for each row, as `texts` has the values, with `between` between them and each one's `before` before it."""
    if frame.empty:
        return
    known: Known = {}
    fields, varying = [], []
    for name, prefix in zip(frame.columns, before or [""] * frame.shape[1], strict=True):
        column = frame[name]
        same = _is_one(column)
        fields.append(f"{prefix}{texts(column.iloc[:1], known)[0] if same else MARK}")
        if not same:
            varying.append(column)
    line = between.join(field.replace("%", "%%").replace(MARK, "%s") for field in fields)
    for start in range(0, len(frame), LINES):
        if not varying:
            yield [line % ()] * min(LINES, len(frame) - start)
            continue
        columns = [texts(column.iloc[start : start + LINES], known) for column in varying]
        yield [line % values for values in zip(*columns, strict=True)]


def cleaned(values: Sequence[object], known: Known, clean: Callable[[object], str]) -> list[str]:
    """What `clean` makes of each, asked once for each different one of a file."""
    known.update((value, clean(value)) for value in set(values) if value not in known)
    return [known[value] for value in values]


def _is_one(column: pd.Series) -> bool:
    """Whether one text will do for every row."""
    if pd.api.types.is_float_dtype(column.dtype):  # 0.0 and -0.0 are equal and not the same
        return bool(column.isna().all())
    return agree(column)
