"""Reading and building by a Ray cluster, one for both: the files are those of one process."""

import signal

import pytest

from deixis.datasets.runs.pool import Workers
from tests.datasets.coco_sets import coco_set, files_of
from tests.datasets.runs.test_read_run import read
from tests.synthesis.test_build_run import NEGATIVES, OBJECTS, build, recipe_of

pytestmark = pytest.mark.filterwarnings("ignore")
RAY = Workers(ray="local")


def test_what_is_read_is_the_same(tmp_path):
    path, at_term = coco_set(tmp_path / "set", 23, broken=(4,)), signal.getsignal(signal.SIGTERM)
    read(path, tmp_path / "one", shard_items=5)
    read(path, tmp_path / "two", RAY, shard_items=5)
    assert signal.getsignal(signal.SIGTERM) == at_term, "what ends this process is not the workers' matter"
    one = files_of(tmp_path / "one")
    assert len([name for name in one if name.endswith("jsonl")]) == 5
    assert one == files_of(tmp_path / "two")


def test_what_is_built_is_the_same(tmp_path):
    coco_set(tmp_path / "sets", 60)
    recipe = recipe_of(tmp_path / "sets", [OBJECTS, NEGATIVES])
    build(recipe, tmp_path / "one")
    build(recipe, tmp_path / "two", RAY)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")
