"""Samples of the world: valid, the same for a seed, disjoint between splits, and unchanged by writing and reading."""

import pytest

from deixis.geometry import Reference, parse_markup
from deixis.samples.check import Check
from deixis.samples.media import open_media
from deixis.samples.sample import MediaReference, Sample
from deixis.samples.shards import open_samples, write_shard
from deixis.samples.validate import validate_record
from deixis.world.generate import (
    WORLD,
    WORLD_MODALITIES,
    sample_questions_about,
    task_name,
    task_weights,
    world_facts,
    world_samples,
)
from deixis.world.questions.wording import NAME, wordings
from deixis.world.scene import SPLITS, scene_rng
from tests.scenes import scene_samples


@pytest.fixture(scope="module")
def samples():
    """Those of two worlds of every split."""
    return {split: [s for seed in range(2) for s in scene_samples(seed, split)] for split in SPLITS}


def content(medium: MediaReference) -> str:
    """The digest of a medium's values."""
    with open_media(medium) as signal:
        return signal.digest


@pytest.mark.parametrize("split", [pytest.param(split, id=split) for split in SPLITS])
def test_every_sample_is_sound(samples, split):
    for sample in samples[split]:
        record = sample.to_json()
        validate_record(record)
        assert Sample.from_json(record).to_json() == record
        assert sample.split == split


def test_ids_do_not_repeat(samples):
    ids = [sample.id for group in samples.values() for sample in group]
    assert len(set(ids)) == len(ids)


def test_a_medium_has_one_id(samples):
    media = [(m.id, content(m)) for group in samples.values() for s in group for m in s.signals]
    assert len(set(media)) == len({name for name, _ in media}) == len({values for _, values in media})


def test_a_seed_gives_the_same_samples():
    first, again = scene_samples(1, "val"), world_samples("val", 1)
    assert [sample.to_json() for sample in first] == [sample.to_json() for sample in again]


def test_one_wording_changes_nothing_else():
    def names():
        drawn = (s for seed in range(10) for s in world_samples("train", seed, ("image",)))
        return [sample for sample in drawn if sample.task == "region_name"]

    whole = names()
    with wordings(False):
        one = names()
    assert {sample.turns[0].user for sample in one} == {NAME[0]} != {sample.turns[0].user for sample in whole}
    assert [(s.id, s.turns[0].assistant) for s in one] == [(s.id, s.turns[0].assistant) for s in whole]


@pytest.fixture(scope="module")
def world():
    """The samples of one world."""
    return scene_samples(1)


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind) for kind in WORLD])
def test_a_kind_alone_is_as_among_others(kind, world):
    alone = [sample.to_json() for sample in world_samples("train", 1, (kind,))]
    among = [s.to_json() for s in world if [m.modality for m in s.signals] == kind.split("+")]
    assert alone == among
    assert alone


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind) for kind in WORLD])
def test_every_task_of_a_kind_comes(kind):
    wanted, names = {task_name(kind, task) for task in WORLD[kind].tasks}, set()
    for seed in range(60, 130):
        names |= {sample.task for sample in world_samples("train", seed, (kind,), number=12)}
        if names >= wanted:  # the worlds that follow could add nothing
            break
    assert names == wanted


def test_a_task_without_weight_is_not_asked():
    facts, rng = world_facts("train", 4, "audio"), scene_rng("train", 4, 5)
    changed = dict.fromkeys(task_weights("audio"), 0.0) | {"exists": 1.0, "colour": 9.0}  # colour: of images alone
    assert {sample.task for sample in sample_questions_about(facts, rng, 9, changed)} == {"sound_exists"}
    assert task_weights("audio", {"exists": 3.0})["count"] == task_weights("audio")["count"] > 0


def test_a_region_that_is_there_is_mentioned(samples):
    for sample in samples["train"]:
        texts = [text for turn in sample.turns for text in (turn.user, turn.assistant)]
        mentioned = {i for text in texts for p in parse_markup(text) if isinstance(p, Reference) for i in p.indices}
        # or no text names it: then it is what the answer is about
        assert mentioned in (set(range(len(sample.regions))), set())


def test_wordings_vary(samples):
    questions = {turn.user for sample in samples["train"] if sample.task.endswith("_name") for turn in sample.turns}
    assert len(questions) >= 3


def test_to_files_and_back(tmp_path):
    written = [sample for seed in range(2) for sample in scene_samples(seed)]
    path = tmp_path / "train.jsonl"
    assert not write_shard(written, path, "copy").skipped
    assert list(Check().problems(path)) == []
    read = [sample for _, sample in open_samples(path)]
    assert [(s.id, s.task, s.turns) for s in read] == [(s.id, s.task, s.turns) for s in written]
    assert [s.to_json()["regions"] for s in read] == [s.to_json()["regions"] for s in written]
    media = {medium.id for sample in written for medium in sample.signals}
    assert len(list(tmp_path.glob("*/*"))) == len(media) == 2 * len((*WORLD_MODALITIES, "scene_sound", "sound_track"))


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match=r"modality: expected one of image, audio, point_cloud, .*; got 'smell'"):
        world_samples("train", 0, ("smell",))
