"""Operator strings are split, read and written as the command line promises."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from a2u_bench import opstrings
from a2u_bench.errors import UsageError


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a2u", ["a2u"]),
        ("a2u carafe;nearest,bilinear", ["a2u", "carafe", "nearest", "bilinear"]),
        ("a2u:rank=4,sharing=unshared", ["a2u:rank=4,sharing=unshared"]),
        ("a2u:rank=4, sharing=unshared", ["a2u:rank=4,sharing=unshared"]),
        ("a2u:rank=4,sharing=unshared,carafe", ["a2u:rank=4,sharing=unshared", "carafe"]),
        ("a2u:rank=4,carafe:groups=2,kernel_size=3", ["a2u:rank=4", "carafe:groups=2,kernel_size=3"]),
        ("my.ops:Mine,a2u", ["my.ops:Mine", "a2u"]),
        (["a2u,carafe", "all"], ["a2u", "carafe", "all"]),
        (" , ;", []),
    ],
)
def test_operators_are_split_at_spaces_semicolons_and_commas_that_no_key_follows(text, parts):
    assert opstrings.split(text) == parts


def test_a_string_is_read_into_its_name_and_typed_options():
    read = opstrings.parse("a2u:rank=4,sharing=unshared,twin=true,x=0.5,guide=none,encoder-kernel-size=6")
    assert read.name == "a2u"
    assert read.options == {
        "rank": 4,
        "sharing": "unshared",
        "twin": True,
        "x": 0.5,
        "guide": None,
        "encoder_kernel_size": 6,
    }


def test_an_operator_of_one_s_own_keeps_its_module():
    assert opstrings.parse("my.ops:Mine").name == "my.ops:Mine"
    assert opstrings.parse("my.ops:Mine:rank=2") == opstrings.OperatorString("my.ops:Mine", {"rank": 2})


@pytest.mark.parametrize("text", ["a2u:", ":rank=4", "a2u:rank=", "a2u:=4", "a2u:rank=1,rank=2", "a2u:rank=4,x", ":x"])
def test_what_cannot_be_read_is_wrong_usage_in_one_line(text):
    with pytest.raises(UsageError) as caught:
        opstrings.parse(text)
    assert "\n" not in str(caught.value)


def test_the_canonical_string_sorts_options_and_leaves_defaults_out():
    defaults: dict[str, opstrings.OptionValue] = {"rank": 1, "sharing": "shared", "twin": False}
    assert opstrings.canonical("a2u", {"sharing": "unshared", "rank": 4}, defaults) == "a2u:rank=4,sharing=unshared"
    assert opstrings.canonical("a2u", {"sharing": "shared", "rank": 1}, defaults) == "a2u"
    assert opstrings.canonical("a2u", {"twin": True}, defaults) == "a2u:twin=true"
    assert opstrings.canonical("a2u", {"twin": 0}, defaults) == "a2u:twin=0"


_values = st.one_of(st.booleans(), st.integers(-(10**9), 10**9), st.none(), st.sampled_from(["lp", "m2o", "x.y"]))


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), _values, max_size=4))
def test_what_is_written_is_read_back_the_same(options):
    text = opstrings.canonical("a2u", options, {})
    assert opstrings.split(text) == [text]
    assert opstrings.parse(text) == opstrings.OperatorString("a2u", options)
