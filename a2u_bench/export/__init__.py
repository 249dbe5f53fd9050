"""Exporters: one file a format, each with `export(frame) -> str`; the file's name is the format's."""

from __future__ import annotations
