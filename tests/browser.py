"""A real browser without a window, for pages that are made of script; without one, its tests are skipped by name."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (apt-get install chromium)")

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)


def dom(page: Path, profile: Path, seconds: int = 20, width: int = 1200) -> str:
    """The page's elements after its scripts ran for so many seconds of their own time."""
    return _run(
        profile, f"--window-size={width},900", f"--virtual-time-budget={seconds * 1000}", "--dump-dom", page.as_uri()
    )


def screenshot(page: Path, profile: Path, to: Path, width: int = 1200, height: int = 1600, seconds: int = 20) -> None:
    """A picture of the page's window."""
    size, budget = f"--window-size={width},{height}", f"--virtual-time-budget={seconds * 1000}"
    _run(profile, size, budget, f"--screenshot={to}", page.as_uri())


def _run(profile: Path, *arguments: str) -> str:
    assert CHROMIUM is not None
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    return done.stdout
