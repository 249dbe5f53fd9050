"""Store: a folder of a run, written and read, up to a frame."""
