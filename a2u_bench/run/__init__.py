"""Run: a plan becomes stored samples and rows."""
