"""Whole networks with any operator in their upsampling places."""
