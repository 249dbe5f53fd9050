"""What tables call operators: by the facts in their files, which are read without running them."""

from __future__ import annotations

import subprocess
import sys

import pytest

import upsamplers
from a2u_bench.operators import papers
from a2u_bench.paper_names import Known, is_own, names, setting
from a2u_bench.store.frames import to_frame
from a2u_bench.tables.naming import in_papers, indented


def test_what_is_read_from_the_files_is_what_the_operators_state():
    known = papers.known()
    assert set(known) == set(upsamplers.names())
    for name, one in known.items():
        facts = upsamplers.facts(name)
        assert one.label == (facts.label or facts.title)
        assert vars(one.paper) == vars(facts.paper)
    assert len({one.label for one in known.values()}) == len(known)


def test_reading_them_loads_no_torch():
    code = "import sys; from a2u_bench.operators import papers; papers.known(); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


@pytest.mark.parametrize(
    ("variant", "usual", "said"),
    [
        ("rank 4, shared", "rank 1, shared", "rank 4"),
        ("rank 4, unshared", "rank 1, shared", "rank 4, unshared"),
        ("k 3", "default", "k 3"),
        ("same", "same", "same"),
        ("kernel_size=5,norm=false,twin=true", "", "kernel size 5, no norm, twin"),
        ("HIN linear", "HIN nonlinear context", "HIN linear"),
    ],
)
def test_a_variant_says_what_differs(variant, usual, said):
    assert setting(variant, usual) == said


def test_whose_an_operator_is():
    known = {**papers.known(), "lab:Up": Known("ours")}
    assert [is_own(name, known) for name in ("lab:Up", "other.lab:Up", "plugin")] == [True] * 3
    assert [is_own(name, known) for name in ("a2u", "original", "a2u_bench.ways:Unfold")] == [False] * 3


def frame(*rows: tuple[str | None, str | None, str | None]):
    return to_frame([dict(zip(("operator", "variant", "options"), row, strict=True)) for row in rows])


def test_two_that_would_share_a_name_keep_their_own():
    assert names(["a:Up", "b:Up", "a2u"], papers.known()) == {"a:Up": "a:Up", "b:Up": "b:Up", "a2u": "A2U"}
    rows = frame(("a2u", "x", "a2u:rank=7"), ("a2u", "x", "a2u:rank=8"), ("a2u", "rank 1, shared", "a2u"))
    assert in_papers(rows, papers.known()).tolist() == ["a2u:rank=7", "a2u:rank=8", "A2U"]


def test_only_what_stands_below_its_operator_is_moved_in():
    rows = frame(
        ("a2u", "rank 1, shared", "a2u"),
        ("a2u", "rank 2, shared", "a2u:rank=2"),
        ("carafe", "k 3", "carafe:kernel_size=3"),
        (None, None, None),
    )
    called = in_papers(rows, papers.known())
    assert indented(rows, called).fillna("").tolist() == ["A2U", "\u00a0\u00a0rank 2", "CARAFE, k 3", ""]
