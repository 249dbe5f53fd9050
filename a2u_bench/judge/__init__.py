"""Judge: what the samples allow to say of latencies, scores and differences."""
