"""Measuring a model: benchmarks as tasks (examples in, verdict out) under one loop, and the report of a run.

`metrics` are pure functions of predictions; `loop` asks and scores; `world` is the benchmark of the generated world.
"""
