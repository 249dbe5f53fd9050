"""What tables call operators: by the facts in their files, which are read without running them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import upsamplers
from a2u_bench.case import Case
from a2u_bench.columns import make_row
from a2u_bench.errors import UsageError
from a2u_bench.operators import papers
from a2u_bench.paper_names import Known, Publication, is_own, names, setting
from a2u_bench.store.frames import to_frame
from a2u_bench.store.read import Run, read_run
from a2u_bench.tables.naming import in_papers, indented, with_pairs
from a2u_bench.tables.request import Request
from a2u_bench.tables.view import make

RESULTS = Path(__file__).parents[2] / "results"


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


OWN = {name: Known("soft", own=True) for name in ("mine:Soft", "lab:Soft")}


SETTINGS = {"a2u:rank=4": "rank 4, shared", "a2u:rank=4,sharing=unshared": "rank 4, unshared", "a2u": "rank 1, shared"}


@pytest.fixture
def view_of(tmp_path):
    """The view of a run as it was asked for."""
    rows = []
    for options in ("bilinear", *SETTINGS, "carafe", *OWN):
        operator = options if options in OWN else options.partition(":")[0]
        case = Case(operator, SETTINGS.get(options, "default"), options, 1, 8, 4, 4)
        rows.append(make_row(case, "ok", "", {"latency": 1e-3}))
    run = Run(tmp_path, {"reference": "bilinear"}, rows, ())
    return lambda **asked: make([run], Request(known=papers.known_in([]) | OWN, **asked))


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ("operator=CARAFE", ["carafe"]),
        ("operator=Carafe,bilinear", ["bilinear", "carafe"]),
        ("operator=a2u", [*SETTINGS]),
        ("operator=Soft (mine)", ["mine:Soft"]),
        ("options=A2U", ["a2u"]),
        ("options=A2U, rank 4, CARAFE", ["a2u:rank=4", "carafe"]),
        ("options=a2u:rank=4,sharing=unshared,carafe", ["a2u:rank=4,sharing=unshared", "carafe"]),
        ("options=A2U, rank 4, unshared,dtype=float32", ["a2u:rank=4,sharing=unshared"]),
        ("operator!=A2U", ["bilinear", "carafe", "mine:Soft", "lab:Soft"]),
    ],
)
def test_a_filter_takes_operators_as_tables_name_them(view_of, condition, kept):
    assert view_of(filters=(condition,)).frame["options"].tolist() == kept


def test_a_baseline_is_taken_as_tables_name_it_and_known_as_it_is_typed(view_of):
    for name, typed in (
        ("CARAFE", "carafe"),
        ("a2u, RANK 4", "a2u:rank=4"),
        ("soft (lab)", "lab:Soft"),
        ("a2u", "a2u"),
    ):
        view = view_of(baseline=name)
        assert view.request.baseline == typed
        assert view.frame.loc[view.frame["options"] == typed, "verdict"].tolist() == ["baseline"]
    alone = view_of(baseline="A2U", filters=("options=a2u,carafe",))
    assert alone.frame["verdict"].iloc[0] == "baseline"


@pytest.mark.parametrize(
    "asked", [{"filters": ("operator=soft",)}, {"filters": ("operator=a2u,SOFT",)}, {"baseline": "soft"}]
)
def test_a_name_of_several_is_an_error_that_has_them(view_of, asked):
    with pytest.raises(UsageError, match="is the name of several operators; allowed: mine:Soft; lab:Soft"):
        view_of(**asked)


def test_a_name_that_no_table_prints_is_still_an_error(view_of):
    with pytest.raises(UsageError, match="no row has operator 'CARAF'"):
        view_of(filters=("operator=CARAF",))
    with pytest.raises(UsageError, match="'CARAF' is not in this table"):
        view_of(baseline="CARAF")


def test_an_error_on_a_baseline_names_operators_where_their_variants_are_many():
    run = [read_run(RESULTS / "reference-cpu")]
    with pytest.raises(UsageError, match=r"table; allowed: a2u; bicubic; .*with its options$") as error:
        make(run, Request(baseline="original"))
    assert "rank=4" not in str(error.value)


def test_columns_are_known_by_their_headings_too(view_of):
    shown = view_of(columns=("options", "ratio", "Peak mem", "peak memory", "macs", "MACs", "FLOPs"))
    assert shown.request.columns == ("options", "latency_ratio", "peak_memory", "peak_memory", *["macs"] * 3)
    assert view_of(order=("-Ratio", "operator"), by=("B",)).request.order == ("-latency_ratio", "operator")
    assert view_of(by=("operator", "B")).request.by == ("operator", "batch")
    with pytest.raises(UsageError, match="unknown column 'ratios'"):
        view_of(columns=("ratios",))
