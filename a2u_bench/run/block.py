"""A block: up to eight cases of one workload and their reference, timed in interleaved rounds by fresh processes.

Every process times all of them in an order of its own, there and back (ABBA), so that a slow moment of the machine
falls on all of them. One case that fails ends alone: the others go on in a fresh process.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from a2u_bench.case import Case
from a2u_bench.columns import BUDGET
from a2u_bench.errors import BenchError
from a2u_bench.run.process import CaseEnded
from a2u_bench.run.processes import Gone, Worker, Workers
from a2u_bench.run.samples import Taken, sample
from a2u_bench.run.schedule import MOST_PROCESSES, Share, fewest
from a2u_bench.suites.plan import Settings


@dataclass
class Shared:
    """What all blocks of a run have in common: how to measure and tell, what was timed, which cases ended."""

    settings: Settings
    workers: Workers
    clock: Callable[[], float]
    keep: Callable[[list[dict[str, Any]]], None]
    doing: Callable[[Case, str], None]
    progress: Callable[[], None]
    taken: dict[str, Taken] = field(default_factory=dict)
    ended: dict[str, CaseEnded] = field(default_factory=dict)
    worked: set[str] = field(default_factory=set)  # devices
    gone: dict[str, str] = field(default_factory=dict)  # why no process starts on a device any more

    def start(self, case: Case) -> Worker:
        """A fresh process for a case and those that may share one with it. BenchError where none starts.

        An accelerator that worked and on which none starts any more is gone, as a GPU that fell off its bus: from then
        on every case there fails at once, with the reason, and no further process is tried.
        """
        device = case.device
        if device not in self.gone:
            try:
                worker = self.start_beside(case)
            except BenchError as error:
                if device not in self.worked:
                    raise
                self.gone[device] = f"{device} is gone: {error}"
            else:
                if device != "cpu":
                    self.worked.add(device)
                return worker
        return Gone(self.gone[device])

    def start_beside(self, case: Case) -> Worker:
        """The same beside others that use the device too: where none starts it may be full, and nothing is gone."""
        return self.workers.start(case.device, case.threads, self.settings.seed, self.settings.timeout)


@dataclass
class Block:
    """One block while it is timed, and the reference beside it; times in seconds."""

    share: Share
    reference: Case | None
    shared: Shared
    spent: float = 0.0
    last: float = 0.0  # seconds of its last process
    renewing: float = 0.0  # of them, or of its next, the part of a forkserver's start
    is_over: bool = False
    stopped: str = BUDGET

    @property
    def cases(self) -> tuple[Case, ...]:
        """Its own, without the reference unless it has none but that."""
        return self.share.cases

    @property
    def alive(self) -> list[Case]:
        """Its own cases that have not ended."""
        return [case for case in self.cases if case.id not in self.shared.ended]

    @property
    def done(self) -> int:
        """Processes that timed every case of its own."""
        return min((len(self.shared.taken[case.id].warm) for case in self.alive), default=0)

    @property
    def part(self) -> float:
        """The share of it that is done."""
        whole = self.share.expected(self.shared.settings).seconds
        return 1.0 if self.is_over or whole <= 0 else min(1.0, self.spent / whole)

    @property
    def left(self) -> float:
        """Seconds that it is likely to go on, unless it is measured closely enough before."""
        return 0.0 if self.is_over else max(0.0, self.share.expected(self.shared.settings).seconds - self.spent)

    def is_enough(self) -> bool:
        """Whether it is measured closely enough, or as closely as its time allows; half a process is worth no start."""
        least = self.shared.settings.processes
        late = self.spent + (self.last or self.share.turn.seconds) / 2 >= self.share.purse
        if self.done >= least * MOST_PROCESSES:
            self.stopped = "limit"
        enough = self.done >= (fewest(self.shared.settings) if late else least)
        return not self.alive or self.stopped == "limit" or (enough and (late or all(map(self._is_close, self.alive))))

    def stopped_by(self, case: Case) -> str:
        """Why measuring a case stopped, as its row has it."""
        return "target" if self._is_close(case) else self.stopped

    def _is_close(self, case: Case) -> bool:
        """Whether half of a case's interval is as small as asked, from no fewer processes than that takes."""
        shared, settings = self.shared, self.shared.settings
        taken = shared.taken[case.id]
        timed = self.reference is not None and self.reference.id not in shared.ended
        beside = shared.taken[self.reference.id] if timed and self.reference is not None else None
        return len(taken.warm) >= fewest(settings) and taken.half_width(beside) <= settings.target_ci

    def wait(self, renewing: float) -> None:
        """These seconds, a part of those in which a forkserver started, were spent for its next process."""
        self.renewing = renewing
        self.spent += renewing

    def time(self, number: int, latest: float) -> None:
        """Rounds in one fresh process, of this number, within its share of the block's seconds; none from `latest`
        on."""
        shared, settings = self.shared, self.shared.settings
        begin, before = shared.clock() - self.renewing, self.spent - self.renewing
        fair = (self.share.purse - before) / max(1, settings.processes - self.done)
        with suppress(CaseEnded), shared.start(self.cases[0]) as worker:  # what ended is noted; the others go on
            calls = self._warm_up(worker, latest)
            order = list(calls)
            random.Random(f"order {settings.seed} {number}").shuffle(order)
            for index in range(self.share.turn.rounds):
                self._round(worker, number, index, order if index % 2 == 0 else order[::-1], calls)
                self.spent = before + shared.clock() - begin
                shared.progress()
                over = index + 1 >= settings.min_rounds and self.spent - before >= fair
                if over or shared.clock() >= latest:
                    break
            for case in order if self._is_flushed else ():
                shared.taken[case.id].notes.update(dict.fromkeys(self._ask(worker, "notes", case)))
        self.last = shared.clock() - begin
        self.spent = before + self.last

    @property
    def _is_flushed(self) -> bool:
        """Whether the device's cache can be flushed, and the device asked what disturbs it."""
        return self.cases[0].device == "cuda"

    def _warm_up(self, worker: Worker, latest: float) -> dict[Case, Any]:
        """The calls that make one sample of each case; past `latest` of the first alone."""
        calls: dict[Case, Any] = {}
        shared = self.shared
        beside = () if self.reference is None or self.reference.id in shared.ended else (self.reference,)
        for case in dict.fromkeys((*beside, *self.alive)):
            if calls and shared.clock() >= latest:
                break
            shared.doing(case, "warm_up")
            self._ask(worker, "build", case)
            if case.runtime != "eager":
                self._ask(worker, "compile", case)
            calls[case] = self._ask(worker, "warm_up", case, shared.settings.warm_up)
        return calls

    def _round(self, worker: Worker, number: int, index: int, order: Sequence[Case], calls: Mapping[Case, Any]) -> None:
        """A sample of each case, in this order, then of each by the device alone; kept when all are there."""
        try:
            warm = worker.round([(case, calls[case]) for case in order])
        except CaseEnded as end:
            self.shared.ended[order[end.place].id] = end
            raise
        steps = ("time_device", "time_cold") if self._is_flushed else ()
        alone = [[self._ask(worker, step, case, calls[case]) for step in steps] for case in order]
        lines = [sample(case.id, number, index, own, *more) for case, own, more in zip(order, warm, alone, strict=True)]
        self.shared.keep(lines)
        for line in lines:
            self.shared.taken[line["case"]].add(line)

    def _ask(self, worker: Worker, step: str, case: Case, *arguments: Any) -> Any:
        try:
            return worker.ask(step, case, *arguments)
        except CaseEnded as end:
            self.shared.ended[case.id] = end
            raise
