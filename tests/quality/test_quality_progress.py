"""What a person sees while networks are trained."""

from __future__ import annotations

import io

from fakes import FakeClock
from rich.console import Console

from a2u_bench.quality import pairs, presets
from a2u_bench.quality.progress import progress
from a2u_bench.quality.train import Progress
from a2u_bench.quality.trial import Trial, jobs


def two_trials() -> list[Trial]:
    schedule = presets.preset("short").changed(epochs=4)
    planned = jobs(pairs.read("nearest,bilinear"), schedule, [0], data="waves", images=8, test_images=4)
    return [job.trial for job in planned]


def row(trial: Trial, **more) -> dict:
    return {"pair": trial.pair, "seed": 0, "epochs": 4, "status": "ok", "reason": "", "psnr": 20.0, **more}


def test_the_bar_has_loss_psnr_and_the_time_left():
    text, clock = io.StringIO(), FakeClock()
    first, second = two_trials()
    with progress(Console(file=text, force_terminal=True, width=160), clock) as bar:
        bar.planned([first, second])
        bar.doing(first)
        clock.now = 1.0
        bar.step(Progress(0.5, 0.25, 12.34))
        clock.now = 30.0
        bar.step(Progress(1.0, 0.125, 15.67))  # an eighth of the work in 30 s
        assert "3 min 30 s left" in text.getvalue()
        assert "conv/nearest seed 0 epoch 2/4 loss 0.1250 PSNR 15.7 dB" in text.getvalue()
        bar.row_done(row(first))
        assert "1/2" in text.getvalue()


def test_the_time_left_counts_only_what_was_trained_now():
    text, clock = io.StringIO(), FakeClock()
    first, second = two_trials()
    with progress(Console(file=text, force_terminal=True, width=160), clock) as bar:
        bar.planned([first, second])
        bar.doing(first)
        clock.now = 5.0
        bar.step(Progress(3.25, 0.25, 12.34))  # three epochs came from a checkpoint
        clock.now = 10.0
        bar.step(Progress(3.5, 0.25, 12.34))  # half an epoch in 10 s, 4.5 to come
    assert "1 min 30 s left" in text.getvalue()


def test_steps_are_not_all_drawn():
    text, clock = io.StringIO(), FakeClock()
    first, second = two_trials()
    with progress(Console(file=text, force_terminal=True, width=160), clock) as bar:
        bar.planned([first, second])
        bar.doing(first)
        before = text.getvalue()
        for step in range(100):
            clock.now += 0.001
            bar.step(Progress(step / 100, 0.25, 12.34))
        assert text.getvalue() == before


def test_without_a_terminal_each_trial_is_a_line_and_text_is_harmless():
    text = io.StringIO()
    first, second = two_trials()
    with progress(Console(file=text, width=160), FakeClock()) as bar:
        bar.planned([first, second])
        bar.doing(first)
        bar.row_done(row(first))
        bar.row_done(row(second, status="failed", reason="[bold]\x1b[31mboom", psnr=None))
    assert text.getvalue() == "1/2 conv/nearest seed 0 PSNR 20.00 dB\n2/2 conv/bilinear seed 0 failed: [bold]boom\n"
