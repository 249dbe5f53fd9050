"""Operator strings are split, read and written as the command line promises."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from a2u_bench.errors import UsageError
from a2u_bench.operators import strings


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
    assert strings.split(text) == parts


def test_a_string_is_read_into_its_name_and_typed_options():
    read = strings.parse("a2u:rank=4,sharing=unshared,twin=true,x=0.5,guide=none,encoder-kernel-size=6")
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
    assert strings.parse("my.ops:Mine").name == "my.ops:Mine"
    assert strings.parse("my.ops:Mine:rank=2") == strings.OperatorString("my.ops:Mine", {"rank": 2})


@pytest.mark.parametrize("text", ["mine.py:Soft", "./mine.py:Soft", "{here}/mine.py:Soft"])
def test_a_file_of_this_folder_means_its_module(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = text.format(here=tmp_path)
    assert strings.parse(text) == strings.OperatorString("mine:Soft")
    assert strings.parse(f"{text}:rank=2") == strings.OperatorString("mine:Soft", {"rank": 2})


@pytest.mark.parametrize("text", ["lab/mine.py:Soft", "../mine.py:Soft", "./lab/mine.py:Soft:rank=2"])
def test_a_file_of_another_folder_is_answered_with_what_to_type(text):
    with pytest.raises(UsageError, match=r"Allowed: mine:Soft, with PYTHONPATH=(lab|\.\.)$"):
        strings.parse(text)


@pytest.mark.parametrize("text", ["a2u:", ":rank=4", "a2u:rank=", "a2u:=4", "a2u:rank=1,rank=2", "a2u:rank=4,x", ":x"])
def test_what_cannot_be_read_is_wrong_usage_in_one_line(text):
    with pytest.raises(UsageError) as caught:
        strings.parse(text)
    assert "\n" not in str(caught.value)


def test_the_canonical_string_sorts_options_and_leaves_defaults_out():
    defaults: dict[str, strings.OptionValue] = {"rank": 1, "sharing": "shared", "twin": False}
    assert strings.canonical("a2u", {"sharing": "unshared", "rank": 4}, defaults) == "a2u:rank=4,sharing=unshared"
    assert strings.canonical("a2u", {"sharing": "shared", "rank": 1}, defaults) == "a2u"
    assert strings.canonical("a2u", {"twin": True}, defaults) == "a2u:twin=true"
    assert strings.canonical("a2u", {"twin": 0}, defaults) == "a2u:twin=0"


_values = st.one_of(st.booleans(), st.integers(-(10**9), 10**9), st.none(), st.sampled_from(["lp", "m2o", "x.y"]))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault of theirs
@given(st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), _values, max_size=4))
def test_what_is_written_is_read_back_the_same(options):
    text = strings.canonical("a2u", options, {})
    assert strings.split(text) == [text]
    assert strings.parse(text) == strings.OperatorString("a2u", options)
