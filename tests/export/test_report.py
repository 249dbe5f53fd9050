"""The page: what stands in it, that nothing from a file becomes part of it, and how it works in a real browser."""

from __future__ import annotations

import html
import json
import re
import sys
from pathlib import Path

import pytest
from browser import dom, needs_browser, screenshot
from example_rows import COSTS, MACHINE, case, make_quality, make_run, measures
from PIL import Image

from a2u_bench.cli import main
from a2u_bench.columns import make_row
from a2u_bench.export._looks import SHAPES, looks
from a2u_bench.export.report import content as report_content
from a2u_bench.export.report.content import gather
from a2u_bench.export.report.page import as_script
from a2u_bench.judge.reading import read
from a2u_bench.store.read import read_run
from a2u_bench.store.write import Store
from a2u_bench.tables.request import Request
from a2u_bench.tables.view import make

pytest.importorskip("jinja2")
plotly = pytest.importorskip("plotly")

HOSTILE = (
    "<b>x</b></script><script>document.title='owned'</script>"
    "<img src=x onerror=\"document.title='owned'\">&lt;b&gt;{{7*7}}"
)


def write(tmp_path: Path, *runs: Path, arguments: tuple[str, ...] = ()) -> str:
    out = tmp_path / "report.html"
    assert main(["report", *map(str, runs), "--out", str(out), *arguments]) == 0
    return out.read_text(encoding="utf-8")


def own(page: str) -> str:
    """The page without plotly's script."""
    from plotly.offline import get_plotlyjs

    assert page.count(get_plotlyjs()) == 1  # once
    return page.replace(get_plotlyjs(), "")


def hostile_run(folder: Path) -> Path:
    one = case("nearest")
    row = make_row(one, "ok", "", measures(1, one)) | {"operator": HOSTILE, "variant": HOSTILE, "options": HOSTILE}
    row |= {"dtype": HOSTILE, "note": HOSTILE}
    with Store.create(folder, {"machine": {HOSTILE: HOSTILE}, "suite": HOSTILE}) as store:
        store.append_row(row)
        store.append_row(make_row(case("a2u"), "failed", HOSTILE, {}))
    return folder


def test_every_number_links_to_its_case_with_raw_samples(tmp_path):
    page = own(write(tmp_path, make_run(tmp_path / "run")))
    rows = re.findall(r'<tr data-case="(\d+)".*?</tr>', page, re.DOTALL)
    assert rows == [str(number) for number in range(len(COSTS) + 1)]
    numbers = re.findall(r'<td class="number" data-value="([^"]+)"><a href="#case-(\d+)">', page)
    assert len(numbers) >= 6 * len(COSTS)
    assert all(f'id="case-{number}"' in page for _, number in numbers)
    row, samples = read([read_run(tmp_path / "run")]).frame.iloc[0], read_run(tmp_path / "run").samples
    assert f"<td>{float(row['latency'])!r} s</td>" in page  # every digit
    assert f"<th>latency_ratio_low</th><td>{float(row['latency_ratio_low'])!r}</td>" in page
    assert f"process 2, round 0</th><td>{samples[1]['latency'][0]!r} " in page
    assert "No raw samples are stored of it." in page  # the one that failed
    assert "out of patience" in page
    assert "<summary>A2U, rank 4, sharing unshared</summary>" in page  # as in the table


def test_the_page_has_environment_problems_and_certificate(tmp_path):
    run = make_run(tmp_path / "run")
    with (run / "rows.jsonl").open("a") as file:
        file.write('{"version": 1, "case": "torn')
    assert "None is in the run" in own(write(tmp_path, run))
    (run / "certificate.json").write_text(json.dumps({"passed": True, "false_alarms": {"share": 0.005}}))
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["machine"] |= {"command": ["a2u-bench", "run", "--ops", "all mine:Soft"]}
    (run / "manifest.json").write_text(json.dumps(manifest))
    page = own(write(tmp_path, run))
    assert "<th>machine.cpu</th><td>Imaginary 9000</td>" in page
    assert "<td>a2u-bench run --ops &#39;all mine:Soft&#39;</td>" in page  # as it is to be typed again
    assert "<th>machine.torch.version</th><td>2.13.0</td>" in page
    assert "the last line is torn, left out" in page
    assert "<th>false_alarms.share</th><td>0.005</td>" in page
    for broken in (b"\xff", b"[1", b"[" * 100_000):
        (run / "certificate.json").write_bytes(broken)
        assert "None is in the run" in own(write(tmp_path, run))


def test_the_certificate_that_check_stores_is_the_one_that_a_report_shows(tmp_path, monkeypatch, capsys):
    from a2u_bench.audit import calibration
    from a2u_bench.audit.calibration.alarms import Criterion
    from a2u_bench.audit.calibration.pairs import ABComparison

    finding = Criterion("A/A false alarms", "at most 16 of 208", "9 (4.3 %)", True)
    compared = ABComparison("nearest", True, 1.0, 0.99, 1.01, 0.5, "same")
    given = calibration.Certificate((finding,), (compared,) * 208, (), 1.0)
    monkeypatch.setattr(calibration, "certify", lambda size, listen: given)
    monkeypatch.setattr("a2u_bench.machine.record.record", lambda **_: MACHINE)
    monkeypatch.chdir(tmp_path)
    run = make_run(Path("results") / "run")
    assert main(["check", "--self"]) == 0
    assert "None is in the run" in own(write(tmp_path, run))  # what lies beside a run says nothing of it
    assert main(["check", "--self", "--out", str(run / "certificate.json")]) == 0
    page = own(write(tmp_path, run))
    said = "demanded: at most 16 of 208, found: 9 (4.3 %), holds: True"
    assert f"<th>A/A false alarms</th><td>{said}</td>" in page
    assert "<th>alike</th><td>208 entries, in the file</td>" in page
    assert str(run / "certificate.json") in page


def test_under_the_table_stand_the_environment_s_grade_and_what_the_floor_is(tmp_path):
    run = make_run(tmp_path / "run")
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps(manifest | {"doctor": {"grade": "D", "findings": []}}))
    notes = re.findall(r'<p class="note">(.*?)</p>', own(write(tmp_path, run)))
    assert any(note.startswith("environment: grade D") for note in notes)
    assert any(note.startswith("speed of light: ") for note in notes)


def test_costs_and_trainings_are_tables_of_their_own(tmp_path):
    page = own(write(tmp_path, make_run(tmp_path / "c"), make_quality(tmp_path / "q", {"twin/a2u": 29})))
    assert page.count('<table class="results">') == 2
    assert "PSNR [dB]" in page
    assert page.count('data-value="29.1"') == 1


def test_rows_stand_in_the_order_of_compare(tmp_path):
    runs = [read_run(make_run(tmp_path / "run"))]
    view = make(runs, Request(variants=True))
    (compared,) = view.tables()
    shown = gather(make(runs, Request(columns=report_content.SHOWN))).tables[0]
    assert [line.cells[0].text for line in shown.lines] == [row[0] for row in compared.cells]
    assert [row[0] for row in compared.cells] != list(view.named(view.frame)["options"])


def test_a_filter_keeps_rows_and_says_so(tmp_path):
    page = own(write(tmp_path, make_run(tmp_path / "run"), arguments=("--filter", "operator=a2u")))
    assert page.count("<tr data-case=") == 2
    assert "2 of 7 rows kept by --filter operator=a2u" in page


def test_nothing_is_loaded_from_anywhere(tmp_path):
    page = own(write(tmp_path, make_run(tmp_path / "run")))
    assert "default-src 'none'" in page
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?!#)""", page.replace('href="#', ""))
    assert not re.search(r"https?://|@import|url\(", page)


def test_nothing_from_a_file_becomes_part_of_the_page(tmp_path):
    page = own(write(tmp_path, hostile_run(tmp_path / "run")))
    assert page.count("<script") == page.count("</script>") == 3
    assert "<img" not in page
    assert HOSTILE in html.unescape(page)  # shown as it is: neither run nor filled in


def test_json_in_a_script_ends_at_its_own_end():
    text = as_script({"a": "</script><!--&"})
    assert json.loads(text) == {"a": "</script><!--&"}
    assert not set("<>&") & set(text)


def test_an_empty_run_is_a_page_that_says_so(tmp_path):
    with Store.create(tmp_path / "run", {"machine": MACHINE}):
        pass
    page = own(write(tmp_path, tmp_path / "run"))
    assert "no rows" in page
    assert "no case has ended yet" in page


def test_too_many_samples_are_shown_in_part_and_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(report_content, "MOST_SAMPLES", 2 * 3)
    made = gather(make([read_run(make_run(tmp_path / "run", [case("nearest"), case("a2u")]))], Request()))
    assert [one.left_out for one in made.cases] == [5, 5]
    assert [len(one.rounds[0][1].split()) for one in made.cases] == [3, 3]


def test_without_plotly_one_line_says_what_to_install(capsys, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    assert main(["report", str(make_run(tmp_path / "run")), "--out", str(tmp_path / "x.html")]) == 1
    assert "pip install 'a2u-bench[report]'" in capsys.readouterr().err
    assert not (tmp_path / "x.html").exists()


@pytest.mark.parametrize("name", ["x.pdf", "folder"])
def test_a_name_that_is_no_page_is_refused(name, capsys, tmp_path):
    (tmp_path / "folder").mkdir()
    assert main(["report", str(make_run(tmp_path / "run")), "--out", str(tmp_path / name)]) == 2
    assert re.search(r"\.html|is a folder", capsys.readouterr().err)


PROBE = """
<script>
const found = {};
const table = document.querySelector("table.results");
const first = () => [...table.querySelectorAll("tbody tr:not([hidden])")].map((row) => row.cells[0].textContent);
const head = (word) => [...table.querySelectorAll("th")].find((one) => one.textContent.startsWith(word));
found.ready = document.body.dataset.ready;
found.plots = [...document.querySelectorAll(".js-plotly-plot")].map((plot) => [plot.id, plot.data[0].x.length]);
found.buttons = [...document.querySelectorAll(".modebar-btn")].map((one) => one.dataset.title);
found.labels = [...document.querySelectorAll("#costs .textpoint")].map((one) => one.textContent);
found.axes = ["costs", "latency", "memory"].map((id) => document.getElementById(id).layout.xaxis.title.text);
found.up = document.querySelector("#costs").layout.yaxis.title.text;
found.ticks = document.querySelectorAll("#costs .xtick").length;
found.fastest = Math.min(...document.querySelector("#latency").data[0].x);
found.look = document.querySelector("#latency").data[0].marker;
found.before = first();
head("latency").querySelector("button").click();
found.rising = first();
head("latency").querySelector("button").click();
found.falling = first();
found.sorted = head("latency").getAttribute("aria-sort");
const filter = document.querySelector("#filter");
const type = (text) => { filter.value = text; filter.dispatchEvent(new Event("input")); };
type("A2U float32");
found.filtered = first();
found.count = document.querySelector("#count").textContent;
found.drawn = document.querySelector("#costs").data[0].text;
type("nothing has this");
found.hidden = document.querySelector("#costs").hidden;
type("");
const across = document.querySelector("#across");
across.value = "params";
across.dispatchEvent(new Event("change"));
found.across = document.querySelector("#costs").layout.xaxis.title.text;
location.hash = "case-1";
window.addEventListener("hashchange", () => setTimeout(() => {
  found.open = document.querySelector("#case-1").open;
  found.samples = document.querySelector("#case-1 .samples").data?.[0].y.length;
  found.title = document.title;
  const place = document.createElement("pre");
  place.id = "probe";
  place.textContent = JSON.stringify(found);
  document.body.append(place);
}, 500));
</script>
"""


WIDTHS = """
<script>
const values = [...document.querySelectorAll(".facts td")].map((one) => one.clientWidth);
const found = { page: document.documentElement.scrollWidth, window: innerWidth, values: values.filter(Boolean) };
const place = document.createElement("pre");
place.id = "probe";
place.textContent = JSON.stringify(found);
document.body.append(place);
</script>
"""


def probed(page: Path, profile: Path, probe: str = PROBE, width: int = 1200) -> dict:
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace("</body>", f"{probe}</body>"), encoding="utf-8")
    found = re.search(r'<pre id="probe">(.*?)</pre>', dom(page, profile, width=width), re.DOTALL)
    assert found, "the page's script did not come to its end"
    return json.loads(html.unescape(found[1]))


@needs_browser
def test_in_a_browser_the_table_sorts_filters_and_redraws_the_plots(tmp_path):
    write(tmp_path, make_run(tmp_path / "run"))
    found = probed(tmp_path / "report.html", tmp_path / "profile")
    assert found["ready"] == "yes"
    assert found["plots"] == [["costs", 6], ["latency", 6], ["memory", 6]]
    assert [axis.rpartition("[")[2] for axis in found["axes"]] == ["ratio", "ms]", "MB]"]
    assert found["up"] == "peak memory [MB]"
    assert found["ticks"] > 1
    assert found["fastest"] == pytest.approx(1e3 * min(read([read_run(tmp_path / "run")]).frame["latency"].dropna()))
    assert {tuple(look) for look in zip(found["look"]["color"], found["look"]["symbol"], strict=True)} == {
        (colour, SHAPES[marker]) for colour, marker in looks(name.partition(":")[0] for name in COSTS).values()
    }
    assert not [title for title in found["buttons"] if re.search("cloud|share|chart studio", title, re.IGNORECASE)]
    called = {"carafe": "CARAFE", "a2u": "A2U", "a2u:rank=4,sharing=unshared": "A2U, rank 4, sharing unshared"}
    called |= {"dysample": "DySample"}
    fastest_first = ["nearest", "bilinear", "dysample", "a2u", "a2u:rank=4,sharing=unshared", "carafe"]
    assert found["before"] == [*(called.get(one, one) for one in fastest_first), "FADE"]
    slowest_last = [called.get(one, one) for one, _ in sorted(COSTS.items(), key=lambda one: one[1])]
    assert found["rising"] == [*slowest_last, "FADE"]  # what is unknown stays last
    assert found["falling"] == [*reversed(slowest_last), "FADE"]
    assert found["sorted"] == "descending"
    assert found["filtered"] == ["A2U, rank 4, sharing unshared", "A2U"]
    assert found["count"] == "2 of 7 cases"
    assert found["drawn"] == ["A2U", "A2U, rank 4, sharing unshared"]
    assert found["hidden"] is True
    assert found["across"] == "params"
    assert found["open"] is True
    assert found["samples"] == 8


@needs_browser
def test_in_a_browser_an_axis_too_short_for_a_1_2_or_5_has_numbers_all_the_same(tmp_path):
    cases = [case("carafe"), case("a2u:rank=4,sharing=unshared")]  # 0.288 and 0.419 ms
    write(tmp_path, make_run(tmp_path / "run", cases))
    assert probed(tmp_path / "report.html", tmp_path / "profile")["ticks"] > 1


@needs_browser
def test_in_a_narrow_browser_tables_scroll_by_themselves_and_values_keep_their_width(tmp_path):
    run = make_run(tmp_path / "run")
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps(manifest | {"a_name_of_many_letters_" * 4: "a value " * 9}))
    write(tmp_path, run)
    found = probed(tmp_path / "report.html", tmp_path / "profile", WIDTHS, width=420)
    assert found["window"] < 640
    assert found["page"] <= found["window"]
    assert min(found["values"]) > found["window"] / 2


@needs_browser
def test_in_a_browser_nothing_from_a_file_runs(tmp_path):
    write(tmp_path, hostile_run(tmp_path / "run"))
    found = probed(tmp_path / "report.html", tmp_path / "profile")
    assert found["ready"] == "yes"
    assert found["title"] == "a2u-bench: run"
    assert found["before"][0] == HOSTILE
    assert found["labels"][0].startswith("<b>x</b></script")  # plotly would have set it in bold


@needs_browser
def test_in_a_browser_there_is_something_to_see(tmp_path):
    write(tmp_path, make_run(tmp_path / "run"))
    screenshot(tmp_path / "report.html", tmp_path / "profile", tmp_path / "seen.png")
    with Image.open(tmp_path / "seen.png") as seen:
        colours = {colour for _, colour in seen.convert("RGB").getcolors(1 << 24)}  # type: ignore[union-attr]
    assert {(0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)} <= colours  # points of the plots
