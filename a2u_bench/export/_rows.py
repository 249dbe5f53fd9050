"""The rows of a view as other programs read them: every column, those chosen, or a grid."""

from __future__ import annotations

import pandas as pd

from a2u_bench.columns import ON_DEMAND, SHAPE, SIDES, SUBJECT, is_axis
from a2u_bench.store import frames
from a2u_bench.tables.layout import EVERY
from a2u_bench.tables.pivot import pivot
from a2u_bench.tables.view import View


def to_export(view: View) -> pd.DataFrame:
    """The rows as other programs read them: every column or those chosen, or a grid where several keys are named."""
    request, frame = view.request, view.frame
    if len(request.by) < 2:
        chosen = [*request.by, *request.columns] if request.columns and EVERY not in request.columns else []
        return frame[list(dict.fromkeys(chosen))] if chosen else frame.drop(columns=list(ON_DEMAND))
    keys = ["options" if name == "operator" else name for name in request.by]
    axes = [str(name) for name in frame.columns if is_axis(str(name)) and str(name) not in (*keys, *SUBJECT)]
    parts = SIDES if SHAPE in keys else ()
    varying = [name for name in axes if name not in parts and not frames.agree(frame[name])]
    side = [keys[0], *(["options"] if "options" not in keys else []), *varying]
    values = list(request.columns) or [name for name in ("latency", "latency_low", "latency_high") if name in frame]
    return pivot(frame, list(dict.fromkeys(side)), keys[1:], values)
