"""Figures: what stands on them, how wide they are, that no name covers another, and each wrong request in one line."""

from __future__ import annotations

import json
import random
import re
import struct
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from example_rows import COSTS, case, make_quality, make_run, measures
from matplotlib.axis import Axis
from matplotlib.collections import PolyCollection
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch
from matplotlib.text import Text

import upsamplers
from a2u_bench.cli import main
from a2u_bench.columns import make_row
from a2u_bench.export import plots
from a2u_bench.export._looks import COLOURS, ORDER, looks
from a2u_bench.export.plots import latency, memory, page, pareto, share
from a2u_bench.export.plots.labels import Named, apart, beside, wrapped
from a2u_bench.export.plots.numbers import numbers
from a2u_bench.judge.scores import with_quality
from a2u_bench.store.frames import derive, runs_to_frame, to_frame
from a2u_bench.store.read import read_run


def example():
    return to_frame(
        [make_row(case(options), "ok", "", measures(cost, case(options))) for options, cost in COSTS.items()]
    )


def over(**axes: list[Any]):
    """Rows of two operators along one axis."""
    ((name, values),) = axes.items()
    cases = [case(options, **{name: value}) for options in ("nearest", "a2u") for value in values]
    return to_frame([make_row(one, "ok", "", measures(COSTS[one.options], one)) for one in cases])


def svg(frame, kind: str) -> str:
    (picture,) = plots.pictures(frame, kind, ["svg"], settings=True)
    return picture.data.decode()


def texts(drawn: str) -> set[str]:
    """Every text of an SVG: matplotlib draws letters as outlines and keeps the words in comments."""
    return {text.strip() for text in re.findall(r"<!-- (.*?) -->", drawn, re.DOTALL)}


def test_the_costs_figure_names_what_was_measured_and_in_which_unit():
    found = texts(svg(example(), "pareto"))
    assert {"latency [µs]", "peak memory [MB]", "nearest", "bilinear", "dysample", "carafe", "a2u"} <= found
    assert {"a2u rank 4, sharing", "unshared"} <= found
    assert any(text.startswith("z 1×64×32×32, scale 2") for text in found)


def test_work_is_counted_as_asked(tmp_path):
    (once,) = plots.pictures(example(), "pareto", ["svg"])
    (twice,) = plots.pictures(example(), "pareto", ["svg"], "flop")
    assert "MACs [M]" in texts(once.data.decode())
    assert "FLOPs [M]" in texts(twice.data.decode())


def test_quality_is_a_panel_of_its_own_where_networks_were_trained(tmp_path):
    runs = [make_run(tmp_path / "c"), make_quality(tmp_path / "q", {"conv/nearest": 21, "twin/a2u": 29})]
    frame, _ = with_quality(runs_to_frame([read_run(run) for run in runs]))
    assert "PSNR [dB]" in texts(svg(frame, "pareto"))
    assert "PSNR [dB]" not in texts(svg(example(), "pareto"))


@pytest.mark.parametrize(
    ("kind", "frame", "label"),
    [
        ("scale", over(scale=[2, 3, 4]), "scale"),
        ("channels", over(channels=[32, 64, 128]), "channels of z"),
        ("size", over(height=[16, 32, 64]), "size of z: B·H·W [points]"),
    ],
    ids=["scale", "channels", "size"],
)
def test_latency_along_an_axis_is_a_line_an_operator_over_the_floor(kind, frame, label):
    found = texts(svg(frame, kind))
    assert {label, "nearest", "a2u", "speed of light, least of these"} <= found
    without = frame.assign(floor=frame["floor"].mask(frame["floor"] > 0))
    assert "speed of light, least of these" not in texts(svg(without, kind))


def test_runtimes_stand_side_by_side_in_the_order_of_the_run_and_a_line_that_lacks_one_ends_early():
    runtimes = ["eager", "openvino", "onnxruntime"]
    ((_, figure),) = latency.draw(over(runtime=runtimes).iloc[:-1], "runtime")
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == runtimes
    lines = [line for line in axes.lines if line.get_marker() not in ("None", "|", "_", "")]
    assert [np.asarray(line.get_xdata()).tolist() for line in lines] == [[1, 2, 3], [1, 2]]


def test_the_share_of_the_floor_is_floor_over_latency():
    found = texts(svg(example(), "floor"))
    assert {"50 %", "25 %", "7.1 %"} <= found  # floors of 0.5 where latency is 1, 2 and 7
    assert "above the speed of light" not in " ".join(found)


@pytest.mark.parametrize(("least", "most"), [(0.288, 0.419), (21, 21), (6.1, 9.9), (0.3, 1.1), (1, 4000), (2e-4, 3e-4)])
@pytest.mark.parametrize("letter", ["x", "y"])
def test_a_logarithmic_axis_has_numbers_however_short_it_is(least, most, letter):
    figure = Figure(figsize=(3.3, 2))
    axis = getattr(figure.subplots(), f"{letter}axis")
    page.logarithmic(axis, least, most)
    figure.draw_without_rendering()
    places = numbered(axis)
    written = axis.get_major_formatter().format_ticks(places)
    assert len(set(written)) > 1
    assert [float(text.replace(",", "")) for text in written] == pytest.approx(places)


@pytest.mark.parametrize(("kind", "frame"), [("floor", example()), ("scale", over(scale=[2, 4]))])
def test_figures_and_tables_call_the_speed_of_light_by_one_name(kind, frame):
    words = " ".join(texts(svg(frame, kind)))
    assert "speed of light" in words
    assert "floor" not in words


def numbered(axis: Axis) -> list[float]:
    """Where an axis has numbers."""
    low, high = axis.get_view_interval()
    return [place for place in axis.get_majorticklocs() if low <= place <= high]


def test_an_axis_has_numbers_over_the_intervals_that_it_shows_and_not_over_the_values_alone():
    wide = {"latency_low": 1e-3 / 12, "latency_high": 3e-2}
    rows = example().assign(latency=[1e-3 * (1 + 0.1 * place) for place in range(len(COSTS))], **wide)
    curves = over(scale=[2, 4]).assign(latency=1e-3, floor=None, **wide)
    with page.style():
        ((_, figure),) = pareto.draw(rows)
        assert numbered(figure.axes[-1].xaxis) == pytest.approx([0.1, 1, 10])
        ((_, figure),) = latency.draw(curves, "scale")
        assert numbered(figure.axes[0].yaxis) == pytest.approx([0.1, 1, 10])


def test_a_share_above_100_percent_is_drawn_with_its_reason():
    frame = example()
    found = texts(svg(derive(frame.assign(floor=frame["floor"] * 6)), "floor"))
    assert "300 %" in found
    assert "above the speed of light: nearest; bilinear" in " ".join(sorted(found, key=len, reverse=True))


def test_memory_says_the_peak_and_its_parts():
    found = texts(svg(example(), "memory"))
    assert {"output", "workspace (peak − output)", "1.049", "memory above the inputs [MB]"} <= found
    assert "saved for backward" not in found
    trained = example().assign(saved_memory=example()["peak_memory"])
    assert "saved for backward" in texts(svg(trained, "memory"))


@pytest.mark.parametrize("kind", ["pareto", "floor", "memory"])
def test_a_figure_is_one_column_wide_and_the_same_each_time(kind):
    first, again = (list(plots.pictures(example(), kind, plots.FORMATS)) for _ in range(2))
    by_form = {picture.name.rpartition(".")[2]: picture.data for picture in first}
    assert [picture.data for picture in first] == [picture.data for picture in again]
    assert by_form["png"][:8] == b"\x89PNG\r\n\x1a\n"
    (width,) = struct.unpack(">I", by_form["png"][16:20])
    assert width == int(85 / 25.4 * 300)
    points = re.search(rb'width="([\d.]+)pt"', by_form["svg"])
    assert points is not None
    assert float(points[1]) == pytest.approx(85 / 25.4 * 72, abs=0.01)
    assert by_form["pdf"].startswith(b"%PDF")
    assert b"/Type3" not in by_form["pdf"]


def test_no_type_is_smaller_than_six_points():
    with page.style():
        drawn = [*pareto.draw(example()), *share.draw(example()), *memory.draw(example())]
        drawn += latency.draw(over(scale=[2, 4]), "scale")
        for _, figure in drawn:
            figure.draw_without_rendering()
            written = [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_text()]
            sizes = {float(text.get_fontsize()) for text in written}
            assert min(sizes) >= page.SMALLEST == 6


def test_every_operator_of_ours_has_a_look_of_its_own_in_every_figure():
    names = [*upsamplers.names(), "original"]
    assert set(names) == set(ORDER)  # a new one is added at the end of ORDER
    assert len(set(looks(names).values())) == len(names)
    for figure in (["a2u", "carafe"], ["carafe", "lab:Up"], names):
        assert {name: looks(figure)[name] for name in figure if name in ORDER} == {
            name: looks(names)[name] for name in figure if name in ORDER
        }


def test_an_own_operator_has_a_look_that_none_of_ours_has():
    left = 49 - len(ORDER)
    own = [f"lab:Up{number:02}" for number in range(left)]
    found = looks([*own, "a2u"])
    assert len(set(found.values())) == left + 1
    assert not {found[name] for name in own} & set(looks(ORDER).values())
    assert len(looks([*own, "lab:One", "lab:Two"])) == left + 2  # beyond them looks come again


def test_an_own_operator_has_a_colour_that_no_other_of_the_figure_has_while_there_is_one():
    ours = ["a2u", "carafe", "bilinear", "dysample"]
    for number in range(30):
        own = [f"lab:Up{number}", f"lab:Other{number}", f"lab:Third{number}"]
        assert len({colour for colour, _ in looks([*ours, *own]).values()}) == len(COLOURS)
        look = looks(own[:1])[own[0]]
        others = [name for name in ours if looks([name])[name][0] != look[0]]
        assert looks([*others, own[0]])[own[0]] == look  # which it keeps where nobody has its colour


def test_a_figure_says_what_was_measured_only_where_that_is_asked_for():
    (plain,) = plots.pictures(example(), "memory", ["svg"])
    (asked,) = plots.pictures(example(), "memory", ["svg"], settings=True)
    words = "z 1×64×32×32, scale 2"
    assert not any(text.startswith(words) for text in texts(plain.data.decode()))
    assert any(text.startswith(words) for text in texts(asked.data.decode()))
    assert plain.title.startswith(words)  # which is printed with --json


@pytest.mark.parametrize("kind", ["pareto", "floor", "memory"])
def test_a_figure_for_a_talk_is_as_wide_as_a_slide_and_no_higher(kind):
    (picture,) = plots.pictures(example(), kind, ["svg"], style="talk")
    width, height = (float(size) for size in re.findall(rb'(?:width|height)="([\d.]+)pt"', picture.data)[:2])
    assert width == pytest.approx(254 / 25.4 * 72, abs=0.01)
    assert height <= 143 / 25.4 * 72 + 0.01
    with page.style("talk"):
        assert page.small() == pytest.approx(13.8)
    with page.style():
        assert page.small() == 6


def test_every_point_of_a_line_has_its_interval():
    with page.style():
        ((_, figure),) = latency.draw(over(scale=[2, 4]), "scale")
    bars = [one for axes in figure.axes for one in axes.containers if isinstance(one, ErrorbarContainer)]
    assert len(bars) == 2  # an operator each
    assert all(len(bar.lines[2][0].get_segments()) == 2 for bar in bars)


@pytest.mark.parametrize("seed", range(3))
def test_names_cover_neither_each_other_nor_points(seed):
    random.seed(seed)
    with page.style():
        figure = page.sheet(60)
        axes = figure.subplots()
        points = [Named(random.random(), random.random(), f"name {number}", "#000000") for number in range(30)]
        axes.plot([p.x for p in points], [p.y for p in points], "o", markersize=3)
        left = beside(axes, [points[:10], points[10:]])
        figure.draw_without_rendering()
        boxes = [text.get_window_extent() for text in axes.texts]
    assert len(boxes) + len(left) == 30
    assert len(left) < 15
    assert not any(one.shrunk(0.99, 0.99).overlaps(other.shrunk(0.99, 0.99)) for one, other in combinations(boxes, 2))
    spots = axes.transData.transform([(p.x, p.y) for p in points])
    assert not any(box.shrunk(0.95, 0.95).contains(x, y) for box in boxes for x, y in spots)


RESULTS = Path(__file__).resolve().parents[2] / "results"


def drawn(kind: str, style: str, monkeypatch, *arguments: str) -> list[Figure]:
    """The figures that `plot` saves, laid out."""
    found: list[Figure] = []
    save = page.save

    def kept(figure: Figure, form: str) -> bytes:
        found.append(figure)
        return save(figure, form)

    monkeypatch.setattr(page, "save", kept)
    assert main(["plot", *arguments, "--kind", kind, "--style", style, "--format", "svg"]) == 0
    return found


def overlapping(figure: Figure) -> list[tuple[str, str]]:
    """Pairs of texts of a figure that are printed over each other."""
    figure.draw_without_rendering()  # saving as SVG left axes' labels where they are at its 72 dots an inch
    written = [text for axes in figure.axes for text in (*axes.texts, axes.xaxis.label, axes.yaxis.label)]
    written += [text for axes in figure.axes if (legend := axes.get_legend()) for text in legend.get_texts()]
    boxes = [
        (text.get_text(), text.get_window_extent().shrunk(0.95, 0.9))
        for text in (*written, *figure.texts)
        if text.get_text().strip()
    ]
    return [(one, other) for (one, a), (other, b) in combinations(boxes, 2) if a.overlaps(b)]


@pytest.mark.parametrize("style", page.STYLES)
def test_every_point_of_the_committed_run_has_its_name_and_nothing_is_over_another(style, tmp_path, monkeypatch):
    (figure,) = drawn("pareto", style, monkeypatch, str(RESULTS / "reference-cpu"), "--out", str(tmp_path))
    below = {}
    if figure.get_supxlabel():
        below = dict(re.findall(r"(\d+) (\S.*?)(?=   |\n|$)", figure.get_supxlabel()))
    assert len(below) <= 2  # a number is the last resort
    for axes in figure.axes:
        named = [" ".join(text.get_text().split()) for text in axes.texts]
        assert len(named) == 21
        assert len({below.get(name, name) for name in named}) == 21
    assert overlapping(figure) == []


@pytest.mark.parametrize("style", page.STYLES)
def test_no_line_of_the_front_or_to_a_name_runs_through_a_name_as_it_is_saved(style, tmp_path, monkeypatch):
    (figure,) = drawn("pareto", style, monkeypatch, str(RESULTS / "reference-cpu"), "--out", str(tmp_path))
    figure.dpi = page.DOTS
    figure.draw_without_rendering()
    for axes in figure.axes:
        lines = [line for line in axes.lines if line.get_color() == page.GREY]
        paths = [axes.transData.transform_path(line.get_path()) for line in lines]
        boxes = {text.get_text(): text.get_window_extent().padded(-2) for text in axes.texts}
        assert len(paths) > 1
        assert [name for name, box in boxes.items() if any(path.intersects_bbox(box, False) for path in paths)] == []


def test_where_points_crowd_variants_have_numbers_that_are_explained_below(tmp_path, monkeypatch):
    run = str(RESULTS / "reference-cpu")
    (figure,) = drawn("pareto", "column", monkeypatch, run, "--variants", "--out", str(tmp_path))
    below = dict(re.findall(r"(\d+) (\S.*?)(?=   |\n|$)", figure.get_supxlabel()))
    assert {"A2U, rank 4, unshared", "IndexNet, O2O nonlinear context"} <= set(below.values())
    for axes in figure.axes:
        named = [" ".join(text.get_text().split()) for text in axes.texts]
        assert len(named) == len(set(named)) == 64
        assert {name for name in named if name.isdigit()} <= set(below)


def test_a_slide_explains_as_many_numbers_as_leave_room_for_its_axes():
    names = [f"a name of some letters {number}" for number in range(80)]
    with page.style("talk"):
        found = numbers([*names, names[0]])
        assert found.lines[-1] == "no room for the names of the others"
        assert 0 < len(found.given) < 80
        assert found.height <= 0.4 * 143 / 2.3
    with page.style():
        found = numbers(names)
        assert found.given == {name: number for number, name in enumerate(names, 1)}
        assert numbers([]).lines == ()


def test_points_at_one_place_have_numbers_that_lines_lead_to():
    with page.style():
        figure = page.sheet(60)
        axes = figure.subplots()
        points = [Named(0.5, 0.5, f"a name that is long {number}", "#000000") for number in range(12)]
        axes.plot([0.5], [0.5], "o")
        assert beside(axes, [points], numbers={point.text: n for n, point in enumerate(points, 1)}) == []
        assert sorted(int(text.get_text()) for text in axes.texts) == list(range(1, 13))
        assert overlapping(figure) == []


def test_names_keep_clear_of_what_is_written_already():
    with page.style():
        figure = page.sheet(40)
        axes = figure.subplots()
        for _ in range(4):
            axes.plot([0.1], [0.5], "o", label="a legend of some letters")
        axes.set(xlim=(0, 1), ylim=(0, 1))
        axes.legend(loc="lower left", bbox_to_anchor=(0, 0.55), borderpad=0, frameon=False)
        axes.annotate("a remark of some letters that is there", (0.14, 0.5), va="center")
        assert beside(axes, [[Named(0.1, 0.5, "a name", "#000000")]]) == []
        assert len(axes.texts) == 2
        assert overlapping(figure) == []


def test_the_least_speed_of_light_is_a_thin_line_under_all_others(tmp_path, monkeypatch):
    (figure,) = drawn("runtime", "column", monkeypatch, str(RESULTS / "engines-cpu"), "--out", str(tmp_path))
    axes = figure.axes[0]
    assert not any(isinstance(one, PolyCollection) for one in axes.collections)
    (floor,) = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert floor.get_linewidth() < 1
    assert floor.get_zorder() < 2
    lines = [line for line in axes.lines if line.get_marker() not in ("None", "|", "_", "")]
    assert max(np.asarray(floor.get_ydata())) < min(np.asarray(line.get_ydata()).min() for line in lines)
    assert overlapping(figure) == []


def test_a_hair_line_leads_from_the_end_of_each_curve_to_its_name(tmp_path, monkeypatch):
    (figure,) = drawn("runtime", "column", monkeypatch, str(RESULTS / "engines-cpu"), "--out", str(tmp_path))
    axes, margin = figure.axes
    lines = [line for line in axes.lines if line.get_marker() not in ("None", "|", "_", "")]
    curves = {tuple(axes.transData.transform(np.asarray(line.get_xydata())[-1]).round(3)) for line in lines}
    leads = [one for one in figure.findobj(ConnectionPatch) if isinstance(one, ConnectionPatch)]
    paths = [one.get_transform().transform(one.get_path().vertices) for one in leads]
    assert {tuple(path[0].round(3)) for path in paths} == curves
    names = [text.get_transform().transform(text.get_position())[1] for text in margin.texts]
    assert [path[-1][1] for path in paths] == pytest.approx(names)
    at = {text.get_text(): height for text, height in zip(margin.texts, names, strict=True)}
    assert at["bilinear"] == pytest.approx(min(y for _, y in curves), abs=1)  # which has room


def test_heights_are_moved_apart_and_stay_in_order():
    assert apart([1, 1, 1], [2, 2, 2], 0, 10) == [1, 3, 5]
    assert apart([9, 9], [2, 2], 0, 10) == [7, 9]
    assert apart([5, 1], [1, 1], 0, 10) == [5, 1]
    squeezed = apart([5, 5, 5, 5], [5, 5, 5, 5], 0, 10)
    assert squeezed == sorted(squeezed)
    assert squeezed[0] >= 0
    assert squeezed[-1] <= 10


def test_long_names_break_at_words():
    assert wrapped("a2u rank 4, semi-shared") == "a2u rank 4,\nsemi-shared"
    assert wrapped("") == "?"


@pytest.mark.parametrize(
    "name", [r"$\frac{a$", "<b>&amp;</b> --> x", "\x1b[31mred\x00", "测试 🐈", "x" * 300, "%s {0}"]
)
def test_names_from_strangers_are_drawn_as_they_are_and_run_nothing(name):
    rows = example().assign(operator=name, options=[f"{name}{n}" for n in range(len(COSTS))])
    for kind in ("pareto", "memory"):
        drawn = svg(rows, kind)
        assert "<b>" not in drawn
        assert "\x1b" not in drawn


def test_a_figure_of_one_case_or_of_equal_ones_can_be_drawn():
    one = case("nearest")
    alone = to_frame([make_row(one, "ok", "", measures(1, one))])
    for kind in ("floor", "memory"):
        assert svg(alone, kind)
    same = to_frame([make_row(case(options), "ok", "", measures(1, one)) for options in COSTS])
    for kind in ("pareto", "floor", "memory"):
        assert svg(same, kind)


def test_unknown_ends_of_an_interval_are_no_reason_to_stop():
    rows = over(scale=[2, 4])
    rows["latency_low"], rows["latency_high"] = rows["latency_low"].mask(rows["scale"] > 0), rows["latency_high"]
    for kind in ("scale", "floor", "pareto"):
        assert list(plots.pictures(rows, kind, ["svg"]))


@pytest.mark.parametrize("kind", plots.KINDS)
def test_rows_that_hold_nothing_for_a_kind_say_what_is_missing(kind):
    with pytest.raises(plots.Undrawable, match=f"^{kind}: "):
        list(plots.pictures(to_frame([make_row(case("a2u"), "failed", "boom", {})]), kind, ["svg"]))


def test_each_workload_is_a_figure_and_too_many_are_refused():
    rows = over(height=[16, 32])
    assert [picture.name for picture in plots.pictures(rows, "memory", ["svg"])] == ["memory.svg", "memory-2.svg"]
    many = over(height=list(range(8, 8 + plots.figures.MOST + 1)))
    with pytest.raises(plots.Undrawable, match="--filter"):
        list(plots.pictures(many, "memory", ["svg"]))


def test_nothing_is_left_in_pyplot():
    from matplotlib import pyplot

    list(plots.pictures(example(), "memory", ["png"]))
    assert pyplot.get_fignums() == []
    assert isinstance(page.sheet(50), Figure)


def test_the_command_draws_what_it_can_and_says_what_it_cannot(capsys, tmp_path):
    asked = ["--out", str(tmp_path / "figures"), "--format", "svg", "--variants"]
    assert main(["plot", str(make_run(tmp_path / "run")), *asked]) == 0
    out, err = capsys.readouterr()
    assert [Path(line).name for line in out.splitlines()] == ["pareto.svg", "floor.svg", "memory.svg"]
    assert all(Path(line).is_file() for line in out.splitlines())
    told = [line.split(":")[1] for line in err.splitlines()]
    assert told == [" not drawn, since they did not end ok"] + [" left out"] * 4
    assert "--scale 2,4" in err


def test_variants_that_nobody_named_are_not_drawn_unless_asked_for(capsys, tmp_path):
    run, figures = str(make_run(tmp_path / "run")), str(tmp_path / "figures")
    drawn = {}
    for asked in ((), ("--variants",)):
        assert main(["plot", run, "--kind", "memory", "--out", figures, "--format", "svg", *asked]) == 0
        drawn[asked] = texts((tmp_path / "figures" / "memory.svg").read_text())
        assert ("note: 1 variant not drawn (--variants)" in capsys.readouterr().err) == (not asked)
    assert {"A2U", "DySample"} <= drawn[()]
    assert "A2U, rank 4, sharing unshared" in drawn[("--variants",)] - drawn[()]


@pytest.mark.parametrize(("condition", "hides"), [("latency<9s", True), ("operator=a2u,nearest", False)])
def test_a_condition_shows_variants_only_where_it_is_about_operators(condition, hides, capsys, tmp_path):
    arguments = ["plot", str(make_run(tmp_path / "run")), "--kind", "pareto", "--out", str(tmp_path)]
    assert main([*arguments, "--filter", condition]) == 0
    assert ("1 variant not drawn (--variants)" in capsys.readouterr().err) == hides


@pytest.mark.parametrize(
    ("asked", "said"), [(["--style", "poster"], "column, talk"), (["--names", "x"], "paper, option")]
)
def test_a_style_or_names_that_there_are_not_are_one_line(asked, said, capsys, tmp_path):
    assert main(["plot", str(make_run(tmp_path / "run")), "--out", str(tmp_path), *asked]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_nothing_left_to_draw_is_one_line(capsys, tmp_path):
    assert main(["plot", str(make_run(tmp_path / "run")), "--out", str(tmp_path), "--filter", "latency<1ns"]) == 2
    assert "no row is left: 0 of " in capsys.readouterr().err


def test_one_kind_goes_into_one_file_of_the_format_that_its_name_says(capsys, tmp_path):
    run, out = make_run(tmp_path / "run"), tmp_path / "cost.png"
    arguments = ["plot", str(run), "--kind", "pareto", "--out", str(out), "--json", "--filter", "operator=a2u,nearest"]
    assert main(arguments) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told["file"] == str(out)
    assert told["shows"].startswith("z 1×64×32×32")
    assert out.read_bytes().startswith(b"\x89PNG")


WRONG = {
    "an unknown kind": (["--kind", "parreto"], ["parreto", "pareto"]),
    "an unknown format": (["--format", "gif"], ["gif", "png, svg, pdf"]),
    "one file for every kind": (["--out", "x.pdf"], ["--kind"]),
    "a format that is not the file's": (["--kind", "memory", "--out", "x.pdf", "--format", "png"], ["x.pdf"]),
    "a kind without rows": (["--kind", "scale"], ["fewer than two scales"]),
    "a filter that nothing meets": (["--filter", "operator=a3u"], ["a3u", "a2u"]),
    "an unknown convention": (["--convention", "macs"], ["mac, flop"]),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_usage_is_one_line_and_writes_nothing(name, capsys, tmp_path, monkeypatch):
    run = make_run(tmp_path / "run")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    arguments, says = WRONG[name]
    assert main(["plot", str(run), *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    for word in says:
        assert word in err
    assert list((tmp_path / "here").iterdir()) == []


def test_a_line_that_ends_early_is_named_where_it_ends():
    rows = over(scale=[2, 3, 4])
    short = rows[(rows["operator"] == "a2u") | (rows["scale"] == 2)]
    with page.style():
        ((_, figure),) = latency.draw(short, "scale")
    axes, margin = figure.axes
    assert [text.get_text() for text in axes.texts] == ["nearest"]
    assert [text.get_text() for text in margin.texts] == ["a2u"]
