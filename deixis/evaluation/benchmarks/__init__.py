"""The benchmarks that `deixis eval` knows, by name; each a small class in a file of its own family."""

from deixis.evaluation.benchmark import Benchmark
from deixis.evaluation.benchmarks.captioning import CAPTIONING
from deixis.evaluation.benchmarks.classification import CLASSIFICATION
from deixis.evaluation.benchmarks.ferret_bench import FerretBench
from deixis.evaluation.benchmarks.flickr_grounding import FlickrGrounding
from deixis.evaluation.benchmarks.grounded_captions import GroundedCaptions
from deixis.evaluation.benchmarks.own_samples import OwnSamples
from deixis.evaluation.benchmarks.pope import Pope
from deixis.evaluation.benchmarks.questions import QUESTIONS
from deixis.evaluation.benchmarks.reason_seg import ReasonSeg
from deixis.evaluation.benchmarks.referring_comprehension import REFERRING_COMPREHENSION
from deixis.evaluation.benchmarks.referring_segmentation import REFERRING_SEGMENTATION
from deixis.evaluation.benchmarks.region_classification import RegionClassification
from deixis.evaluation.benchmarks.world.benchmark import World

_ALL: tuple[Benchmark, ...] = (
    World(),
    OwnSamples(),
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

BENCHMARKS: dict[str, Benchmark] = {known.info.name: known for known in _ALL}
