"""Numbers become text: one prefix a column, digits that follow the spread."""

from __future__ import annotations

import pytest

from a2u_bench.units import (
    UNSCALED,
    Scale,
    counts,
    exact,
    measured,
    ratio,
    read,
    scale_for,
    whole,
    with_spread,
)

MILLI, KILO, MEGA = Scale(-3, "m"), Scale(3, "k"), Scale(6, "M")


@pytest.mark.parametrize(
    ("values", "prefix"),
    [
        ([], ""),
        ([0.0, 0.0], ""),
        ([1.0], ""),
        ([999.0], ""),
        ([1000.0], "k"),
        ([0.0, 0.0, 2e6], "M"),
        ([1e-3], "m"),
        ([2e-5, 8e-5, 3e-3], "µ"),
        ([1e-30], "p"),
        ([1e30], "P"),
        ([-5e9], "G"),
    ],
)
def test_a_column_takes_the_prefix_of_its_middle_value(values, prefix):
    assert scale_for(values).prefix == prefix


@pytest.mark.parametrize(
    ("value", "scale", "text"),
    [
        (0, MEGA, "0"),
        (9999, UNSCALED, "9999"),
        (0.25, UNSCALED, "0.2500"),
        (36928, KILO, "36.93"),
        (131072, KILO, "131.1"),
        (999_960, KILO, "1000"),
        (12_345_678, KILO, "12346"),
        (65_536, MEGA, "0.06554"),
    ],
)
def test_a_value_without_a_spread_has_four_digits(value, scale, text):
    assert exact(value, scale) == text


@pytest.mark.parametrize(
    ("value", "low", "high", "texts"),
    [
        (1.2345e-3, 1.2245e-3, 1.2445e-3, ("1.234", "0.010")),
        (1.2345e-3, 1.1845e-3, 1.2845e-3, ("1.23", "0.05")),
        (12.345e-3, 10e-3, 14e-3, ("12", "2")),
        (12.345e-3, 11e-3, 13e-3, ("12.3", "1.0")),
        (523.4e-3, 423e-3, 623e-3, ("523", "100")),
        (1e-3, 1e-3, 1e-3, ("1.000", "0")),
        (1e-3, 1e-3 - 1e-12, 1e-3 + 1e-12, ("1.00000", "0.00000")),
    ],
)
def test_the_digits_follow_the_spread(value, low, high, texts):
    assert with_spread(value, low, high, MILLI) == texts


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (4e-3, 0.1e-3, 406e-3, "0.10–406"),  # ± would reach below zero
        (16e-3, 1.03e-3, 235e-3, "1.0–235"),
        (4e-3, 0.4e-6, 40e-3, "0.000–40"),
        (11e-3, 5.1e-3, 22.8e-3, "5.1–23"),
        (1.5e-3, 0.82e-3, 2.75e-3, "0.82–2.8"),  # `1.5 ±1.0` would read as 0.5 to 2.5
        (4e-3, 1e-3, 8.4e-3, "4 ±4"),  # not half as far again above
        (4e-3, -1e-3, 90e-3, "4 ±46"),  # reaches below zero
        (4e-3, 4e-3, 10e-3, "4 ±3"),
    ],
)
def test_an_interval_that_is_too_wide_for_a_spread_is_told_by_its_ends(value, low, high, text):
    assert measured(value, low, high, MILLI) == text


@pytest.mark.parametrize(
    ("value", "text"), [(1.0, "1.00"), (0.25, "0.250"), (42.54, "42.5"), (1234.0, "1234"), (0.9996, "1.00"), (0.0, "0")]
)
def test_a_ratio_has_three_digits(value, text):
    assert ratio(value) == text


@pytest.mark.parametrize(
    ("values", "scale", "texts"),
    [
        ([262_144, 1_048_576, 151_000_000, None, 0], 6, ["0.26", "1.05", "151.0", "", "0"]),
        ([26_000, 1_048_576], 6, ["0.026", "1.049"]),  # two digits of the least
        ([1_054_720, 1_055_280], 6, ["1.05", "1.06"]),  # not 1.055 rounded again
        ([12, 5], 0, ["12", "5"]),
        ([], 0, []),
    ],
)
def test_counts_of_a_paper_have_few_decimals(values, scale, texts):
    assert counts(values, Scale(scale, "x"), 2) == texts


def test_a_whole_count_keeps_every_digit():
    assert whole(37748736) == "37,748,736"


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("2ms", "s", 2e-3),
        ("2 µs", "s", 2e-6),
        ("2us", "s", 2e-6),
        ("3e-3", "s", 3e-3),
        (".5ms", "s", 5e-4),
        ("1.5min", "s", 90),
        ("2 h", "s", 7200),
        ("64MB", "B", 64e6),
        ("64mb", "B", 64e6),
        ("64M", "B", 64e6),
        ("64MiB", "B", 64 * 2**20),
        ("1.5G", "", 1.5e9),
        ("30", "dB", 30),
        ("30 dB", "dB", 30),
    ],
)
def test_a_quantity_is_read_in_its_units(text, unit, value):
    assert read(text, unit) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("2 parsecs", "s"),
        ("", "s"),
        ("-2ms", "s"),
        ("2MB", "s"),
        ("2m", "s"),
        ("2min", ""),
        ("2h", "B"),
        ("nan", ""),
        ("1e999", "s"),
        ("1mdB", "dB"),
    ],
)
def test_what_is_no_quantity_is_refused_with_an_example(text, unit):
    with pytest.raises(ValueError, match="Allowed: a number, alone or with a unit, such as"):
        read(text, unit)
