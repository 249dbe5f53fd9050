"""Machine: what a machine is, in which state, and how good for measuring."""
