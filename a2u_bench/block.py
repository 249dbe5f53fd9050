"""A block: up to eight cases that are examined, then timed in interleaved rounds by fresh processes, then rows.

Every process times all cases of the block in an order of its own, there and back (ABBA), so that a slow moment of
the machine falls on all of them. One case that fails ends alone: the others go on in a fresh process.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from a2u_bench.drift import NONE, Drift
from a2u_bench.measure.intervals import Estimate, estimate, is_tight, seed_of
from a2u_bench.plan import Settings
from a2u_bench.pool import CaseEnded, Worker, Workers
from a2u_bench.record import BUDGET, make_row
from a2u_bench.spec import Case

Sample = dict[str, Any]

MOST_PROCESSES = 3
"""Times the asked number of processes: where more would not bring the intervals to their target, nothing will."""

FEWEST_PROCESSES = 3
"""Where time is over, no fewer than these: two could not say how much processes differ."""

FEW_ROUNDS = 10
"""A process runs at least so many rounds, if its time allows, before its own spread may end it."""

AGAIN = "--resume with a larger --time-budget takes it up again"


@dataclass
class Block:
    """The cases of one block and what is known of them so far. Samples: case id -> process -> seconds."""

    cases: Sequence[Case]
    settings: Settings
    workers: Workers
    clock: Callable[[], float]
    keep: Callable[[list[Sample]], None]
    doing: Callable[[Case, str], None]
    progress: Callable[[], None]  # called when `part` has grown
    part: float = 0.0  # the share of the block that is done
    samples: dict[str, dict[int, list[float]]] = field(default_factory=dict)
    measures: dict[str, dict[str, Any]] = field(default_factory=dict)
    ended: dict[str, CaseEnded] = field(default_factory=dict)
    ceilings: dict[str, Any] | None = None
    paced: dict[int, dict[int, float]] = field(default_factory=dict)  # process -> round -> the machine's pace, seconds
    drift: Drift = NONE  # how far that pace may stray in a repeated run
    cold: dict[str, dict[int, list[float]]] = field(default_factory=dict)  # as `samples`, on a flushed cache
    notes: dict[str, dict[str, None]] = field(default_factory=dict)  # each once, in order
    stopped: str = BUDGET
    examining: float = 0.0  # seconds of checking and measuring what takes no clock, process starts apart
    compiling: float = 0.0  # of these, seconds in which kernels were compiled that later runs read from a cache

    def take_up(self, samples: Iterable[Mapping[str, Any]]) -> None:
        """Samples of an earlier run of this block, which count as those of earlier processes."""
        for sample in samples:
            processes = self.samples.setdefault(sample["case"], {})
            processes.setdefault(sample["process"], []).extend(sample["latency"])
            if sample.get("latency_cold"):
                cold = self.cold.setdefault(sample["case"], {})
                cold.setdefault(sample["process"], []).extend(sample["latency_cold"])
            if sample.get("pace"):
                self.paced.setdefault(sample["process"], {})[sample["round"]] = sample["pace"]

    @property
    def alive(self) -> list[Case]:
        """The cases that have not ended."""
        return [case for case in self.cases if case.id not in self.ended]

    @property
    def paces(self) -> list[float]:
        """The machine's pace in each process that timed this block, in seconds."""
        return [median(rounds.values()) for rounds in self.paced.values()]

    @property
    def pace(self) -> float | None:
        """The machine's pace while this block was timed; None where nothing was."""
        return median(self.paces) if self.paced else None

    @property
    def done(self) -> int:
        """Processes that timed every case."""
        return min((len(self.samples.get(case.id, ())) for case in self.alive), default=0)

    def is_over(self, late: bool) -> bool:
        """Whether it is measured closely enough, or as closely as it will be; `late`: the time budget is used up."""
        least = self.settings.processes
        if self.done >= least * MOST_PROCESSES:
            self.stopped = "limit"
        enough = self.done >= (min(FEWEST_PROCESSES, least) if late else least)
        return not self.alive or self.stopped == "limit" or (enough and (late or self._is_tight()))

    def give_up(self) -> None:
        """End every case that has no sample: the time of the run is over."""
        self._leave([case for case in self.alive if case.id not in self.samples], "timed")

    def _leave(self, cases: Iterable[Case], what: str) -> None:
        """End cases that the run had no time for; their rows say so in `stopped`, so that they are taken up again."""
        for case in cases:
            why = f"the time of the run was over before it was {what}; {AGAIN}"
            self.ended[case.id] = CaseEnded("timeout", why, lost=False)
            self.measures.setdefault(case.id, {})["stopped"] = BUDGET

    def rows(self) -> list[dict[str, Any]]:
        """A row for every case that ended or has a sample, in order."""
        found = []
        for case in self.cases:
            end = self.ended.get(case.id)
            measures = dict(self.measures.get(case.id, {}))
            if end is not None:
                found.append(make_row(case, end.status, end.reason, measures))
            elif case.id in self.samples:
                found.append(make_row(case, "ok", "", measures | self._latency(case)))
        return found

    def _latency(self, case: Case) -> dict[str, Any]:
        own = self._estimate(case)
        enough = own.processes >= min(FEWEST_PROCESSES, self.settings.processes)
        close = enough and own.spread <= self.settings.target_ci
        result = self.drift.widen(own)
        cold = self.cold.get(case.id)
        flushed = (
            self.drift.widen(estimate(list(cold.values()), seed_of(self.settings.seed, f"cold {case.id}")))
            if cold
            else None
        )
        return {
            "latency_cold": flushed and flushed.median,
            "latency_cold_low": flushed and flushed.low,
            "latency_cold_high": flushed and flushed.high,
            "note": "; ".join(self.notes[case.id]) if self.notes.get(case.id) else None,
            "latency": result.median,
            "latency_low": result.low,
            "latency_high": result.high,
            "latency_best": min(min(times) for times in self.samples[case.id].values() if times),
            "pace": self.pace,
            "samples": result.samples,
            "processes": result.processes,
            "stopped": "target" if close else self.stopped,
        }

    def _estimate(self, case: Case) -> Estimate:
        return estimate(list(self.samples[case.id].values()), seed_of(self.settings.seed, case.id))

    def _start(self) -> Worker:
        case, settings = self.cases[0], self.settings
        return self.workers.start(case.device, case.threads, settings.seed, settings.timeout)

    def examine(self, latest: float) -> None:
        """Check and measure every case, one after the other, in a process that times nothing; none from `latest` on."""
        waiting = list(self.alive)
        while waiting and self.clock() < latest:
            with self._start() as worker:
                while waiting and (begin := self.clock()) < latest:
                    case = waiting.pop(0)
                    self.doing(case, "check")
                    try:
                        worker.ask("predict", case, self.settings.memory_limit)
                        worker.ask("build", case)
                        if case.runtime == "compile":
                            worker.ask("compile", case)
                        self.compiling += worker.ask("check", case)
                        self.measures[case.id] = worker.ask("measure", case, self.ceilings)
                        worker.ask("drop", case)
                    except CaseEnded as end:
                        self.ended[case.id] = end
                        if end.lost:
                            break
                        worker.ask("drop", case)
                    finally:
                        self.examining += self.clock() - begin
        self._leave(waiting, "checked")

    def turn(self, number: int, seconds: float, latest: float) -> None:
        """Rounds in one fresh process, of this number, for so many seconds; it begins nothing from `latest` on."""
        settings, begin = self.settings, self.clock()
        before, goal = self.part, max(self.part, (self.done + 1) / max(settings.processes, self.done + 1))
        own: dict[str, list[float]] = {}
        with self._start() as worker:
            try:
                calls = self._warm_up(worker, latest)
                order = list(calls)
                random.Random(seed_of(settings.seed, f"order {number}")).shuffle(order)
                for index in range(settings.max_rounds):
                    there_or_back = order if index % 2 == 0 else order[::-1]
                    pace = self._pace(worker, number, index)
                    times = self._round(worker, there_or_back, calls)
                    cold = self._flushed(worker, there_or_back, calls)
                    self.keep(
                        [_sample(case, number, index, times[case], cold.get(case), pace) for case in there_or_back]
                    )
                    for case in order:
                        self.samples.setdefault(case.id, {}).setdefault(number, []).extend(times[case])
                        if cold.get(case):
                            self.cold.setdefault(case.id, {}).setdefault(number, []).extend(cold[case])
                        own.setdefault(case.id, []).extend(times[case])
                    spent = self.clock() - begin
                    self.part = before + (goal - before) * (min(1.0, spent / seconds) if seconds > 0 else 1.0)
                    self.progress()
                    over = _is_over(index + 1, spent >= seconds, own.values(), settings)
                    if over or self.clock() >= latest:
                        break
                for case in order if self._is_flushed else ():
                    self.notes.setdefault(case.id, {}).update(dict.fromkeys(self._ask(worker, "notes", case)))
            except CaseEnded:
                pass  # noted; what is left goes on in the next process

    def _pace(self, worker: Worker, number: int, index: int) -> float | None:
        """The machine's pace before a round that goes there; the one that comes back follows at once."""
        if index % 2:
            return None
        with suppress(CaseEnded):  # a process that is gone says so in the round, which knows whose it is
            self.paced.setdefault(number, {})[index] = worker.pace()
        return self.paced.get(number, {}).get(index)

    @property
    def _is_flushed(self) -> bool:
        """Whether the device's cache can be flushed, and the device asked what disturbs it."""
        return self.cases[0].device == "cuda"

    def _flushed(self, worker: Worker, order: Sequence[Case], calls: Mapping[Case, Any]) -> dict[Case, list[float]]:
        """One sample of each case on a flushed cache, after the warm ones of the same round."""
        return {case: self._ask(worker, "time_cold", case, calls[case]) for case in order if self._is_flushed}

    def _is_tight(self) -> bool:
        """Whether every interval is as tight as asked."""
        return all(self._estimate(case).spread <= self.settings.target_ci for case in self.alive)

    def _warm_up(self, worker: Worker, latest: float) -> dict[Case, Any]:
        """The calls that make one sample of each case; past `latest` of the first alone."""
        calls: dict[Case, Any] = {}
        for case in self.alive:
            if calls and self.clock() >= latest:
                break
            self.doing(case, "warm_up")
            self._ask(worker, "build", case)
            if case.runtime == "compile":
                self._ask(worker, "compile", case)
            calls[case] = self._ask(worker, "warm_up", case, self.settings.warm_up)
        return calls

    def _round(self, worker: Worker, order: Sequence[Case], calls: Mapping[Case, Any]) -> dict[Case, list[float]]:
        """A sample of each case, in this order."""
        try:
            return dict(zip(order, worker.round([(case, calls[case]) for case in order]), strict=True))
        except CaseEnded as end:
            self.ended[order[end.place].id] = end
            raise

    def _ask(self, worker: Worker, step: str, case: Case, *arguments: Any) -> Any:
        try:
            return worker.ask(step, case, *arguments)
        except CaseEnded as end:
            self.ended[case.id] = end
            raise


def _sample(
    case: Case, process: int, index: int, times: list[float], cold: list[float] | None, pace: float | None
) -> Sample:
    more = {"latency_cold": cold, "pace": pace}
    sample = {"case": case.id, "process": process, "round": index, "latency": times}
    return sample | {name: value for name, value in more.items() if value}


def _is_over(rounds: int, late: bool, own: Iterable[Sequence[float]], settings: Settings) -> bool:
    """Whether a process has run long enough: out of time, or sure of its own medians after a whole ABBA."""
    if rounds < settings.min_rounds:
        return False
    return late or (rounds >= FEW_ROUNDS and rounds % 2 == 0 and all(is_tight(s, settings.target_ci) for s in own))
