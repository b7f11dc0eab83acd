"""The benchmarks that `deixis eval` knows, by name; each a small class in a file of its own family."""

from deixis.evaluate.benchmark import Benchmark
from deixis.evaluate.benchmarks.captioning import CAPTIONING
from deixis.evaluate.benchmarks.classification import CLASSIFICATION
from deixis.evaluate.benchmarks.ferret_bench import FerretBench
from deixis.evaluate.benchmarks.flickr_grounding import FlickrGrounding
from deixis.evaluate.benchmarks.grounded_captions import GroundedCaptions
from deixis.evaluate.benchmarks.pope import Pope
from deixis.evaluate.benchmarks.questions import QUESTIONS
from deixis.evaluate.benchmarks.reason_seg import ReasonSeg
from deixis.evaluate.benchmarks.referring_comprehension import REFERRING_COMPREHENSION
from deixis.evaluate.benchmarks.referring_segmentation import REFERRING_SEGMENTATION
from deixis.evaluate.benchmarks.region_classification import RegionClassification
from deixis.evaluate.world import World

_ALL: tuple[Benchmark, ...] = (
    World(),
    ReasonSeg(),
    *REFERRING_SEGMENTATION,
    *REFERRING_COMPREHENSION,
    RegionClassification(),
    Pope(),
    FlickrGrounding(),
    GroundedCaptions(),
    FerretBench(),
    *CAPTIONING,
    *QUESTIONS,
    *CLASSIFICATION,
)

BENCHMARKS: dict[str, Benchmark] = {known.facts.name: known for known in _ALL}
