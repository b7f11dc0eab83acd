"""The benchmarks that `deixis eval` knows, by name; each a small class in a file of its own family."""

from deixis.evaluate.benchmark import Benchmark

_ALL: tuple[Benchmark, ...] = ()

BENCHMARKS: dict[str, Benchmark] = {known.facts.name: known for known in _ALL}
