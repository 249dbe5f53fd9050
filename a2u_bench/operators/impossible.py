"""What a case raises that cannot be, in whatever module it is made."""

from __future__ import annotations


class Impossible(Exception):
    """This operator cannot take this case; the message says why."""
