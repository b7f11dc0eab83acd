"""Evaluation: benchmarks as small classes under one runner, their metrics, and the report of a run.

`benchmark` defines the interface that the classes in `benchmarks` implement; `runner` asks the model, `metrics` scores,
`evaluate` does both and writes `reports`. `lmms` makes the models available inside lmms-eval.
"""
