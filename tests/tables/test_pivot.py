"""A grid has a place for each case and loses none."""

from __future__ import annotations

from a2u_bench.case import Case
from a2u_bench.columns import make_row
from a2u_bench.store.frames import to_frame
from a2u_bench.tables.pivot import grid, pivot

FRAME = to_frame(
    [
        make_row(Case(name, "", name, 1, 8, height, 4, dtype=dtype), "ok", "", {"params": number})
        for number, (name, height, dtype) in enumerate(
            [("b", 8, "float32"), ("a", 4, "float32"), ("a", 8, "float16"), ("b", 8, "float32")]
        )
    ]
)


def test_lines_and_columns_stand_in_the_order_of_the_rows():
    where = grid(FRAME, ["options"], ["height"])
    assert where.line.tolist() == [0, 1, 1, 2]
    assert where.column.tolist() == [0, 1, 0, 0]
    assert where.lines.tolist() == [0, 1, 3]
    assert where.columns.tolist() == [0, 1]


def test_a_grid_of_values_has_unknown_ones_where_there_is_no_case():
    made = pivot(FRAME, ["options"], ["shape", "dtype"], ["params"])
    assert list(made) == [
        "options",
        "params shape=1x8x8x4 dtype=float32",
        "params shape=1x8x4x4 dtype=float32",
        "params shape=1x8x8x4 dtype=float16",
    ]
    rows = made.astype(object).where(made.notna(), None).values.tolist()
    assert rows == [["b", 0, None, None], ["a", None, 1, 2], ["b", 3, None, None]]
    assert [str(kind) for kind in made.dtypes][1:] == ["Int64"] * 3


def test_an_empty_grid_is_empty():
    assert len(pivot(FRAME.iloc[:0], ["options"], ["dtype"], ["params"])) == 0
