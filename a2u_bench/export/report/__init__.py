"""A run as one HTML file that needs no network: table, plots, environment, certificate, every raw sample."""

from a2u_bench.export.report.page import page

__all__ = ["page"]
