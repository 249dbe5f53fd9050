"""Measuring: latency, memory and work of one prepared case. Nothing here prints or writes."""
