"""One thing that the certificate checked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that was checked: what was demanded, what was found, and whether that will do."""

    name: str
    demanded: str
    found: str
    holds: bool
