"""Several runs become one, and each row still says where it is from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from a2u_bench.case import Case
from a2u_bench.cli import main
from a2u_bench.columns import make_row
from a2u_bench.errors import UsageError
from a2u_bench.judge.reading import read
from a2u_bench.store import merge as module
from a2u_bench.store.merge import merge
from a2u_bench.store.read import each_curve, read_run
from a2u_bench.store.write import Store


def case(operator: str) -> Case:
    return Case(operator, "default", operator, 1, 8, 4, 4)


def made(folder: Path, seconds: float = 0.001, cpu: str = "one", **manifest: Any) -> Path:
    """A run of two operators, `b` twice as slow as `a`, in three processes of two rounds."""
    with Store.create(folder, {"suite": "quick", "planned": 2, "machine": {"cpu": cpu}, **manifest}) as store:
        for process in range(3):
            for index in range(2):
                store.append_samples(
                    {"case": case(name).id, "process": process, "round": index, "latency": [seconds * factor]}
                    for name, factor in (("a", 1), ("b", 2))
                )
        for name, factor in (("a", 1), ("b", 2)):
            latency = seconds * factor
            low, high = latency * 0.99, latency * 1.01
            measures = {
                "latency": latency,
                "latency_low": low,
                "latency_high": high,
                "processes": 3,
                "node": folder.name,
            }
            store.append_row(make_row(case(name), "ok", "", measures))
        store.append_curve({"case": case("a").id, "loss": [1.0]})
    return folder


def test_the_same_case_of_two_runs_stays_two_rows_each_with_its_origin(tmp_path):
    merged = merge([made(tmp_path / "x"), made(tmp_path / "y", 0.003)], tmp_path / "m")
    run = read_run(tmp_path / "m")
    assert run.problems == ()
    assert [(row["operator"], row["origin"], row["node"], row["latency"]) for row in run.rows] == [
        ("a", "x", "x", 0.001),
        ("b", "x", "x", 0.002),
        ("a", "y", "y", 0.003),
        ("b", "y", "y", 0.006),
    ]
    assert len(run.samples) == 24
    assert {sample["origin"] for sample in run.samples} == {"x", "y"}
    assert [curve["origin"] for curve in each_curve(tmp_path / "m")] == ["x", "y"]
    assert merged.rows == {"x": 2, "y": 2}
    assert (run.manifest["suite"], run.manifest["planned"]) == ("quick", 4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m", "x", "y"]


def test_operators_are_compared_within_one_origin_only(tmp_path):
    merge([made(tmp_path / "x"), made(tmp_path / "y", 0.003)], tmp_path / "m")
    run = read_run(tmp_path / "m")
    frame = read([run], "a").frame
    assert frame["run"].tolist() == ["x", "x", "y", "y"]
    assert frame["latency_ratio"].tolist() == pytest.approx([1, 2, 1, 2])
    assert frame["verdict"].tolist() == ["baseline", "slower", "baseline", "slower"]


def test_machines_and_settings_that_differ_are_said_and_kept(tmp_path, capsys):
    made(tmp_path / "x", settings={"seed": 1}), made(tmp_path / "y", cpu="two", settings={"seed": 2})
    assert main(["merge", str(tmp_path / "x"), str(tmp_path / "y"), "--out", str(tmp_path / "m")]) == 0
    out, err = capsys.readouterr()
    assert out == f"4 rows in {tmp_path / 'm'}: 2 of x, 2 of y\n"
    assert err == "note: the runs differ in cpu: one / two\nnote: the runs differ in seed: 1 / 2\n"
    assert read_run(tmp_path / "m").manifest["differences"] == ["cpu: one / two", "seed: 1 / 2"]
    assert main(["compare", str(tmp_path / "m")]) == 0
    table = capsys.readouterr().out
    assert "machines that differ: cpu: one / two" in table
    assert table.count(" x ") + table.count("x  ") >= 2


def test_a_merged_run_can_be_merged_again(tmp_path):
    merge([made(tmp_path / "x"), made(tmp_path / "y")], tmp_path / "m")
    merge([tmp_path / "m", tmp_path / "x"], tmp_path / "n")
    run = read_run(tmp_path / "n")
    assert [row["origin"] for row in run.rows] == ["m/x", "m/x", "m/y", "m/y", "x", "x"]
    assert [curve["origin"] for curve in each_curve(tmp_path / "n")] == ["m/x", "m/y", "x"]
    assert run.problems == ()


def test_folders_of_one_name_are_numbered(tmp_path):
    merged = merge([made(tmp_path / "x" / "r"), made(tmp_path / "y" / "r")], tmp_path / "m")
    assert list(merged.rows) == ["r", "r-2"]


def test_other_data_under_the_same_name_is_refused(tmp_path):
    made(tmp_path / "x", data={"name": "d", "sha256": {"f": "1"}})
    made(tmp_path / "y", data={"name": "d", "sha256": {"f": "2"}})
    with pytest.raises(UsageError, match="different data under the name 'd'"):
        merge([tmp_path / "x", tmp_path / "y"], tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_what_cannot_be_read_is_left_out_and_said(tmp_path, capsys):
    with (made(tmp_path / "x") / "rows.jsonl").open("a") as file:
        file.write('{"torn')
    with (made(tmp_path / "y") / "samples.jsonl").open("a") as file:
        file.write("nonsense\n")
    assert main(["merge", str(tmp_path / "x"), str(tmp_path / "y"), "--out", str(tmp_path / "m"), "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["rows"] == {"x": 2, "y": 2}
    assert "x: rows.jsonl: the last line is torn" in err
    assert "y: samples.jsonl: not a JSON object" in err


def test_a_merge_that_dies_leaves_nothing_behind(tmp_path, monkeypatch):
    def dies(run, name, store, problems):
        raise OSError(28, "No space left on device")

    made(tmp_path / "x"), made(tmp_path / "y")
    monkeypatch.setattr(module, "_copy", dies)
    assert main(["merge", str(tmp_path / "x"), str(tmp_path / "y"), "--out", str(tmp_path / "m")]) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x", "y"]


def test_numbers_of_a_manifest_that_are_not_finite_are_unknown(tmp_path):
    path = made(tmp_path / "x") / "manifest.json"
    path.write_text(path.read_text().replace('"cpu": "one"', '"cpu": [-Infinity, NaN, 1e999, 0.5]'))
    merge([tmp_path / "x", made(tmp_path / "y")], tmp_path / "m")
    assert read_run(tmp_path / "m").manifest["origins"]["x"]["machine"]["cpu"] == [None, None, None, 0.5]


WRONG = {
    "one run": (["x"], "m", "two runs"),
    "a run twice": (["x", "y/../x"], "m", "named twice"),
    "no run": (["x", "nowhere"], "m", "no such folder"),
    "a run in the place of the new one": (["x", "y"], "x", "something is there"),
    "a NUL": (["x", "y"], "m\0", "null byte"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_request_is_one_line(name, tmp_path, capsys):
    given, out, said = WRONG[name]
    made(tmp_path / "x"), made(tmp_path / "y")
    assert main(["merge", *(f"{tmp_path}/{one}" for one in given), "--out", f"{tmp_path}/{out}"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error
