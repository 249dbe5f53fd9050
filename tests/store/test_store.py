"""Nothing that was measured is lost, doubled or read wrongly, whatever happens to the run's folder."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from a2u_bench import columns
from a2u_bench.case import Case
from a2u_bench.cli import main
from a2u_bench.columns import BY_NAME, make_row
from a2u_bench.errors import BenchError, UsageError
from a2u_bench.store import disk, migrate
from a2u_bench.store import read as runs
from a2u_bench.store import write as store
from a2u_bench.store.read import each_curve, newest_run, read_run, read_samples
from a2u_bench.store.write import BusyError, Store

MANIFEST = {"suite": "quick"}
CASE = Case("nearest", "nearest", "nearest", 1, 8, 4, 4)
OTHER = Case("bilinear", "bilinear", "bilinear", 1, 8, 4, 4)


def row(case: Case = CASE, **measures):
    return make_row(case, "ok", "", {"params": 0, "latency": 0.001, **measures})


def sample(case: Case = CASE, number: int = 0):
    return {"case": case.id, "process": 0, "round": number, "latency": [0.001, 0.002]}


def finished_run(folder: Path) -> Path:
    with Store.create(folder, MANIFEST) as store:
        store.append_samples([sample()])
        store.append_row(row())
    return folder


def test_what_is_stored_is_read_back(tmp_path):
    run = read_run(finished_run(tmp_path / "run"))
    assert list(run.rows) == [row()]
    assert run.samples == (sample(),)
    assert run.manifest["suite"] == "quick"
    assert run.manifest["version"] == 1
    assert run.problems == ()


def test_every_line_says_its_version(tmp_path):
    folder = finished_run(tmp_path)
    for name in ("rows.jsonl", "samples.jsonl"):
        for line in (folder / name).read_text().splitlines():
            assert json.loads(line)["version"] == 1


def test_a_folder_with_something_in_it_is_refused_and_left_as_it_was(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    for resume in (False, True):
        with pytest.raises(UsageError, match="not empty"):
            Store.open(tmp_path, MANIFEST, resume=resume)
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_finished_run_is_not_begun_anew(tmp_path):
    finished_run(tmp_path)
    with pytest.raises(UsageError, match="--resume"):
        Store.create(tmp_path, MANIFEST)


@pytest.mark.parametrize("name", ["file", "nul\0"])
def test_a_path_that_can_be_no_folder_is_wrong_usage(tmp_path, name):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError):
        Store.create(tmp_path / name, MANIFEST)
    with pytest.raises(UsageError):
        read_run(tmp_path / name)


def test_resume_on_a_missing_folder_starts_it(tmp_path):
    with Store.open(tmp_path / "deep" / "run", MANIFEST, resume=True) as store:
        assert store.finished == set()
    assert (tmp_path / "deep" / "run" / "manifest.json").exists()


def test_resume_knows_finished_rows_and_the_rounds_of_the_others(tmp_path):
    with Store.create(tmp_path, MANIFEST) as store:
        store.append_samples([sample(CASE), sample(OTHER)])
        store.append_samples([sample(CASE, 1), sample(OTHER, 1)])
        store.append_row(row())
    with Store.open(tmp_path, {"suite": "another"}, resume=True) as store:
        assert store.finished == {CASE.id}
        assert store.rounds == {OTHER.id: [sample(OTHER), sample(OTHER, 1)]}
        assert store.rows == [row()]
        assert store.manifest["suite"] == "quick"
        assert store.problems == ()


def test_a_curve_whose_row_was_not_written_any_more_is_not_there_twice(tmp_path):
    with Store.create(tmp_path, MANIFEST) as store:
        store.append_curve({"case": "x", "loss": [1.0]})
    with Store.open(tmp_path, MANIFEST, resume=True) as store:
        for case in ("x", "y"):
            store.append_curve({"case": case, "loss": [1.0]})
    assert [curve["case"] for curve in each_curve(tmp_path)] == ["x", "y"]


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_torn_last_line_is_set_aside_and_said(tmp_path, cut):
    finished_run(tmp_path)
    path = tmp_path / "rows.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:cut])
    assert any("torn" in text for text in read_run(tmp_path).problems)
    with Store.open(tmp_path, MANIFEST, resume=True) as store:
        assert any("set aside in rows.torn" in text for text in store.problems)
        store.append_row(row(OTHER))
    assert (tmp_path / "rows.torn").read_bytes() == whole[:cut] + b"\n"
    run = read_run(tmp_path)
    assert [r["case"] for r in run.rows] == [CASE.id, OTHER.id]
    assert run.problems == ()


@pytest.mark.parametrize("cut", [0, 1, 100, -2])
def test_a_row_that_takes_the_place_of_another_does_so_whole_or_not_at_all(tmp_path, cut):
    late = make_row(CASE, "timeout", "no time", {"stopped": "budget"})
    with Store.create(tmp_path, MANIFEST) as store:
        store.append_row(late)
        size = (tmp_path / "rows.jsonl").stat().st_size
        assert store.finished == set()
        store.append_row(row())
        assert store.finished == {CASE.id}
        assert store.rows == [row()]
    path = tmp_path / "rows.jsonl"
    whole = path.read_bytes()
    assert read_run(tmp_path).rows == [row()]
    path.write_bytes(whole[: size + cut] if cut >= 0 else whole[:cut])
    assert read_run(tmp_path).rows == [late]
    with Store.open(tmp_path, MANIFEST, resume=True) as store:
        assert store.finished == set()
        assert store.rows == [late]
        store.append_row(row())
    run = read_run(tmp_path)
    assert (run.rows, run.problems) == ([row()], ())


def test_a_last_line_that_lacks_only_its_end_is_kept(tmp_path):
    finished_run(tmp_path)
    path = tmp_path / "rows.jsonl"
    path.write_bytes(path.read_bytes()[:-1])
    assert len(read_run(tmp_path).rows) == 1
    with Store.open(tmp_path, MANIFEST, resume=True) as store:
        store.append_row(row(OTHER))
    assert len(read_run(tmp_path).rows) == 2


def test_a_run_that_died_before_its_manifest_was_whole_is_started(tmp_path):
    (tmp_path / "manifest.json.tmp").write_text('{"vers')
    with Store.create(tmp_path, MANIFEST) as store:
        assert store.manifest["suite"] == "quick"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_refused_on_writing(tmp_path, value):
    with Store.create(tmp_path, MANIFEST) as store:
        with pytest.raises(ValueError, match="JSON"):
            store.append_row(row(latency=value))
        assert store.finished == set()
    assert not (tmp_path / "rows.jsonl").exists()


def test_two_processes_never_write_to_one_run(tmp_path):
    with Store.create(tmp_path, MANIFEST):
        code = (
            "import sys; from pathlib import Path; from a2u_bench.store.write import Store\n"
            "Store.open(Path(sys.argv[1]), {}, resume=True)"
        )
        second = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert "BusyError" in second.stderr
    with Store.open(tmp_path, MANIFEST, resume=True):
        pass
    assert issubclass(BusyError, BenchError)


def test_a_full_disk_raises_and_leaves_only_whole_lines(tmp_path):
    pid = os.fork()
    if pid == 0:  # the limit must not outlive the test
        code = 1
        with Store.create(tmp_path, MANIFEST) as store:
            store.append_row(row())
            size = (tmp_path / "rows.jsonl").stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 30, size + 30))
            try:
                store.append_row(row(OTHER))
            except OSError:
                code = 0 if (tmp_path / "rows.jsonl").stat().st_size == size and len(store.rows) == 1 else 2
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert len(read_run(tmp_path).rows) == 1


BROKEN_ROWS = {
    "not JSON": (b"{nonsense}\n", "not a JSON object"),
    "not an object": (b"[1]\n", "not a JSON object"),
    "binary": (b"\xff\xfe\x00\n", "not a JSON object"),
    "deeply nested": (b"[" * 100_000 + b"\n", "not a JSON object"),
    "a newer version": (b'{"version": 2, "case": "x", "status": "ok"}\n', "schema version 2"),
    "no case": (b'{"status": "ok"}\n', "no case"),
    "a strange status": (b'{"case": "x", "status": "splendid"}\n', "no known status"),
    "a number too long": (b'{"case": "x", "params": ' + b"9" * 5000 + b"}\n", "not a JSON object"),
}


@pytest.mark.parametrize("name", BROKEN_ROWS)
def test_a_broken_line_is_left_out_and_said_while_the_rest_is_read(tmp_path, name):
    content, said = BROKEN_ROWS[name]
    finished_run(tmp_path)
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content + path.read_bytes())
    run = read_run(tmp_path)
    assert [r["case"] for r in run.rows] == [CASE.id]
    assert len(run.problems) == 1
    assert said in run.problems[0]
    assert "line 1" in run.problems[0]


@pytest.mark.parametrize("name", BROKEN_ROWS)
def test_a_run_with_nothing_readable_is_wrong_usage(tmp_path, name):
    finished_run(tmp_path)
    (tmp_path / "rows.jsonl").write_bytes(BROKEN_ROWS[name][0])
    with pytest.raises(UsageError, match="nothing readable") as caught:
        read_run(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("latency", "NaN"),
        ("latency", "-Infinity"),
        ("latency", "1e999"),
        ("latency", "true"),
        ("latency", '"fast"'),
        ("params", "1.5"),
        ("params", "9223372036854775808"),
        ("params", "1" + "0" * 400),
        ("params", "[1]"),
        ("variant", "3"),
    ],
)
def test_a_value_of_the_wrong_kind_is_unknown(tmp_path, name, value):
    finished_run(tmp_path)
    content = {key: json.dumps(entry) for key, entry in row().items()} | {name: value}
    line = "{" + ", ".join(f'"{key}": {text}' for key, text in content.items()) + "}\n"
    (tmp_path / "rows.jsonl").write_text(line)
    run = read_run(tmp_path)
    assert run.rows[0][name] is None
    assert run.problems == (f"rows.jsonl: {name} is no {BY_NAME[name].dtype}, taken as unknown (line 1)",)


def test_unknown_columns_are_set_aside_and_missing_ones_unknown(tmp_path):
    finished_run(tmp_path)
    line = {"case": "x", "status": "ok", "colour": "blue", "latency": 2}
    (tmp_path / "rows.jsonl").write_text(json.dumps(line) + "\n")
    run = read_run(tmp_path)
    assert set(run.rows[0]) == set(BY_NAME)
    assert run.rows[0]["latency"] == 2.0
    assert run.rows[0]["params"] is None
    assert run.problems == ("rows.jsonl: unknown column 'colour', set aside (line 1)",)


def test_ten_thousand_broken_lines_make_one_sentence(tmp_path):
    finished_run(tmp_path)
    with (tmp_path / "rows.jsonl").open("ab") as file:
        file.write(b"?\n" * 10_000)
    assert read_run(tmp_path).problems == ("rows.jsonl: not a JSON object, left out (line 2 and 9999 more)",)


def test_a_run_that_has_only_begun_is_read_as_empty(tmp_path):
    with Store.create(tmp_path, MANIFEST):
        pass
    run = read_run(tmp_path)
    assert run.rows == ()
    assert run.problems == ("rows.jsonl: missing; no case has ended yet",)


def test_a_run_that_died_within_its_first_row_is_read_as_empty_and_goes_on(tmp_path):
    path = finished_run(tmp_path) / "rows.jsonl"
    path.write_bytes(path.read_bytes()[:40])
    run = read_run(tmp_path)
    assert list(run.rows) == []
    assert run.problems == ("rows.jsonl: the last line is torn, left out (line 1)",)
    with Store.open(tmp_path, MANIFEST, resume=True) as opened:
        opened.append_row(row())
    assert len(read_run(tmp_path).rows) == 1


def test_rows_without_their_manifest_are_read_and_that_is_said(tmp_path):
    (finished_run(tmp_path) / "manifest.json").unlink()
    run = read_run(tmp_path)
    assert len(run.rows) == 1
    assert run.problems == ("manifest.json: missing",)


@pytest.mark.parametrize("content", ["", "{}", "[]", "{", '{"version": 1}', "\x00"])
def test_a_foreign_folder_is_wrong_usage(tmp_path, content):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(UsageError, match="not a run"):
        read_run(tmp_path)


def test_a_newer_run_is_refused_in_one_line(tmp_path):
    path = finished_run(tmp_path) / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 99}))
    for action in (lambda: read_run(tmp_path), lambda: Store.open(tmp_path, MANIFEST, resume=True)):
        with pytest.raises(UsageError, match="schema version 99 is newer than this program's 1"):
            action()


GOLDEN = Path(__file__).parents[1] / "golden" / "runs" / "version-1"


def test_a_run_of_the_first_version_is_still_read():
    run = read_run(GOLDEN)
    assert run.problems == ()
    assert [(row["options"], row["status"], row["latency"]) for row in run.rows] == [
        ("bilinear", "ok", 0.001),
        ("a2u:rank=2", "failed", None),
    ]
    assert [sample["latency"] for sample in run.samples] == [[0.001], [0.002]]
    assert [curve["loss"] for curve in each_curve(GOLDEN)] == [[0.5, 0.25]]


def test_there_is_a_step_and_a_golden_run_for_every_version_that_was():
    older = list(range(migrate.FIRST_VERSION, columns.SCHEMA_VERSION))
    assert sorted(migrate.STEPS) == older
    for version in [*older, columns.SCHEMA_VERSION]:
        assert read_run(GOLDEN.with_name(f"version-{version}")).rows


def test_older_files_are_rewritten_step_by_step_as_they_are_read(tmp_path, monkeypatch):
    def to_two(name: str, content: dict) -> dict:
        times = [key for key in ("latency", "latency_low", "latency_high") if name == "rows" and content.get(key)]
        return {**content, **{key: content[key] * 1e-3 for key in times}}

    def to_three(name: str, content: dict) -> dict:
        return {**content, "suite": content["suite"].upper()} if name == "manifest" else content

    shutil.copytree(GOLDEN, tmp_path / "run")
    for module in (disk, columns, runs, store):
        monkeypatch.setattr(module, "SCHEMA_VERSION", 3)
    monkeypatch.setattr(migrate, "STEPS", {1: to_two, 2: to_three})
    run = read_run(tmp_path / "run")
    assert run.problems == ()
    assert run.rows[0]["latency"] == 1e-6
    assert run.manifest["suite"] == "QUICK"
    with Store.open(tmp_path / "run", {}, resume=True) as opened:
        opened.append_row(row())
    assert [r["latency"] for r in read_run(tmp_path / "run").rows] == [1e-6, None, 0.001]
    monkeypatch.undo()
    with pytest.raises(UsageError, match="schema version 3 is newer"):
        read_run(tmp_path / "run")


@pytest.mark.parametrize("version", [0, -1, True, "1", 1.0, None])
def test_a_version_that_never_was_is_said(tmp_path, version):
    (finished_run(tmp_path) / "rows.jsonl").write_text(json.dumps({**row(), "version": version}) + "\n")
    with pytest.raises(UsageError, match=r"schema version .* this program reads 1"):
        read_run(tmp_path)


def test_a_folder_in_the_place_of_a_file_is_called_one(tmp_path, capsys):
    for name in ("rows.jsonl", "samples.jsonl", "manifest.json"):
        folder = finished_run(tmp_path / name)
        (folder / name).unlink()
        (folder / name).mkdir()
        run = read_run(folder)
        problems = run.problems if name != "samples.jsonl" else run.sample_problems
        assert problems == (f"{name}: is a folder, not a file",)
    assert main(["compare", str(tmp_path / "rows.jsonl")]) == 2
    assert "its rows.jsonl is a folder, not a file, so there is nothing to show" in capsys.readouterr().err


def test_a_pipe_in_the_place_of_rows_does_not_hang(tmp_path):
    (finished_run(tmp_path) / "rows.jsonl").unlink()
    os.mkfifo(tmp_path / "rows.jsonl")
    assert read_run(tmp_path).rows == ()


def test_broken_samples_are_left_out_and_said(tmp_path):
    finished_run(tmp_path)
    with (tmp_path / "samples.jsonl").open("a") as file:
        file.write('{"case": "x", "process": 0, "round": 0, "latency": ["fast"]}\n{"case": "x"}\n')
        file.writelines(
            json.dumps({**sample(), "latency_cold": cold}) + "\n" for cold in ("slow", [True], [-1.0], None)
        )
    samples, problems = read_samples(tmp_path)
    assert samples == (sample(),)
    assert problems == ("samples.jsonl: not a sample, left out (line 2 and 5 more)",)


def test_the_newest_run_is_the_one_whose_manifest_was_made_last(tmp_path):
    for name, created in (("b", "2024-05-01T10:00:00+00:00"), ("a", "2024-05-01T11:30:00+02:00"), ("c", "broken")):
        path = finished_run(tmp_path / name) / "manifest.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"created": created}))
    (tmp_path / "notes.txt").write_text("x")
    assert newest_run(tmp_path) == tmp_path / "b"


def test_no_run_at_all_says_how_to_make_one(tmp_path):
    for root in (tmp_path, tmp_path / "missing"):
        with pytest.raises(UsageError, match="a2u-bench run"):
            newest_run(root)
