"""Parquet: the same rows as CSV with their types, for pandas, Polars, DuckDB and Spark; needs pyarrow."""

from __future__ import annotations

import io
from collections.abc import Iterator

from a2u_bench.errors import BenchError
from a2u_bench.export._rows import to_export
from a2u_bench.tables.view import View


def write(view: View) -> Iterator[bytes]:
    """The rows of the view as one parquet file. Raises BenchError, in one line, where pyarrow is missing."""
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise BenchError("parquet needs pyarrow, which is not installed: pip install 'a2u-bench[parquet]'") from None
    out = io.BytesIO()
    to_export(view).to_parquet(out, engine="pyarrow", index=False)
    yield out.getvalue()
