"""One bench for feature upsamplers: cost, speed and memory of every operator, from a case to a table."""
