"""What the first call of a case took beyond a later one, and a checksum of what it gave."""

from __future__ import annotations

from a2u_bench.case import Case
from a2u_bench.run.processes import Processes


def test_equal_outputs_have_equal_digests_and_a_first_call_takes_no_less_than_nothing():
    found: dict[str, list[object]] = {}
    with Processes({"cpu"}).start("cpu", 1, 0, 60.0) as worker:  # flushes subnormals, so in a process of its own
        for options in ("nearest", "bilinear", "nearest"):
            one = Case(options, "", options, 1, 4, 3, 5)
            worker.ask("build", one)
            worker.ask("check", one)
            measured = worker.ask("measure", one, None)
            assert measured["first_call"] >= 0
            found.setdefault(options, []).append(measured["digest"])
            worker.ask("drop", one)
    assert found["nearest"][0] == found["nearest"][1] != found["bilinear"][0]
    assert len(str(found["nearest"][0])) == 12
