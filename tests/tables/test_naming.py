"""What tables call operators: by the facts in their files, which are read without running them."""

from __future__ import annotations

import subprocess
import sys

import pytest

import upsamplers
from a2u_bench.operators import papers
from a2u_bench.paper_names import Known, Publication, is_own, names, setting
from a2u_bench.store.frames import to_frame
from a2u_bench.tables.naming import in_papers, indented, with_pairs


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
    paper = Publication("You", "Your paper", "arXiv", 2026)
    known = {**papers.known_in([]), "lab:Up": Known("ours", own=True), "lab:Cited": Known("ours", paper, own=True)}
    assert [is_own(name, known) for name in ("lab:Up", "lab:Cited", "other.lab:Up", "plugin")] == [True] * 4
    ours = ("a2u", "original", "a2u_bench.ways:Unfold", "references:Constant", "ceiling:simplex")
    assert [is_own(name, known) for name in ours] == [False] * 5


def frame(*rows: tuple[str | None, str | None, str | None]):
    return to_frame([dict(zip(("operator", "variant", "options"), row, strict=True)) for row in rows])


def test_of_two_that_would_share_a_name_ours_keeps_it_and_others_have_their_module_behind_it():
    assert names(["a:Up", "b.c:Up", "a2u"], papers.known()) == {"a:Up": "Up (a)", "b.c:Up": "Up (c)", "a2u": "A2U"}
    assert names(["a2u", "peers:A2U"], papers.known()) == {"a2u": "A2U", "peers:A2U": "A2U (peers)"}
    assert names(["a.c:Up", "b.c:Up"], papers.known()) == {"a.c:Up": "a.c:Up", "b.c:Up": "b.c:Up"}
    plugins = {"up": Known("Up", own=True), "up2": Known("Up", own=True)}
    assert names(plugins, plugins) == {"up": "up", "up2": "up2"}


def test_settings_that_would_share_a_name_are_called_as_they_are_typed():
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


def test_pairs_are_named_after_their_operators():
    rows = frame(
        ("pixel_shuffle", "default", "pixel_shuffle"),
        ("a2u", "k 1", "a2u:kernel_size=1"),
        ("ceiling:simplex", "x", "ceiling:simplex"),
        ("carafe", "default", "carafe"),
        (None, None, None),
    ).assign(pair=["s2d/pixel_shuffle", "twin/a2u:kernel_size=1", "ceiling:simplex", "of another kind", None])
    assert with_pairs(rows, papers.known_in([]))["pair"].fillna("").tolist() == [
        *("S2D / pixel shuffle", "twin / A2U, k 1", "any convex 3×3 kernel", "of another kind", "")
    ]
