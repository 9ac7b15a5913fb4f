"""Several domains under one control plane: each with its own Redis, all obeying what one edge publishes."""
