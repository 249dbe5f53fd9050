"""One file an operator; whatever stands here is registered."""
