"""The generated world as a benchmark: its tasks, questions and per-example metrics."""
