"""What an error says of a name that is not known."""

from __future__ import annotations

from a2u_bench.columns import BY_NAME
from a2u_bench.errors import unknown


def test_an_unknown_column_is_answered_with_those_spelt_alike_and_the_usual_ones() -> None:
    said = str(unknown("column in --filter", "latenzy", BY_NAME))
    assert "Did you mean 'latency'?" in said and "peak_memory" in said
    assert f"and {len(BY_NAME) - said.count(', ') - 1} more; " in said
    assert "the first line of `a2u-bench export --columns all`" in said
    said = str(unknown("column in --filter", "colour", BY_NAME))
    assert "Allowed: operator, options, " in said and "latency" in said and "Did you mean" not in said
