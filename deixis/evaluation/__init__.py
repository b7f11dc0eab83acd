"""Measuring a model: benchmarks as small classes under one loop, and the report of a run.

`benchmark` says what a benchmark is and `benchmarks` holds them, the `world` among them; `playing` asks, `scores` adds
marks up, `evaluating` runs it all, `report` and `report_page` show it. `lmms` is the way into another harness.
"""
