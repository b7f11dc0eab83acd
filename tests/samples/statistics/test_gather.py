"""Statistics of samples: each number by hand, then constant memory."""

import gc
import json
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from deixis.geometry import Region, mask_to_rle
from deixis.samples.sample import MediaReference, Sample, Skipped, Turn
from deixis.samples.statistics.gather import Stats, area_px, shares

MASK = np.zeros((10, 20), bool)
MASK[2:6, 3:8] = True
IMAGE = MediaReference("p", "image", path="p.png", size_hw=(10, 20))
SAMPLE = Sample(
    "a/1",
    "made",
    "ground",
    "train",
    (
        Turn("Where is {0} in it?", "[A red mug]{1,2:box} and [the dog]{}."),
        Turn("Is it red?", "Yes."),
        Turn("Tell me more.", "It is a red mug on a table."),
    ),
    (IMAGE,),
    (
        Region(point=(1.0, 1.0)),
        Region(box=(0.0, 0.0, 5.0, 4.0)),
        Region(box=(0.0, 0.0, 20.0, 10.0), mask=mask_to_rle(MASK), crowd=True),
        Region(box=(0.0, 0.0, 1.0, 1.0)),
    ),
    "CC0-1.0",
    "person",
)


def counted(*samples) -> Stats:
    stats = Stats()
    for sample in samples:
        stats.add(sample)
    return stats


def test_everything_of_a_sample_is_counted():
    told = counted(SAMPLE).to_json()
    assert {k: told[k] for k in ("samples", "turns", "regions", "media", "skipped")} == {
        "samples": 1,
        "turns": 3,
        "regions": 4,
        "media": 1,
        "skipped": 0,
    }
    assert {name: list(by["top"].items()) for name, by in told["by"].items()} == {
        "task": [("ground", 1)],
        "source": [("made", 1)],
        "split": [("train", 1)],
        "author": [("person", 1)],
        "licence": [("CC0-1.0", 1)],
        "kind": [("image", 1)],
    }
    assert told["phrases"]["top"] == {"red mug": 1}
    assert told["absent_phrases"]["top"] == {"dog": 1}
    assert told["short_answers"]["top"] == {"yes": 1}
    assert told["region_forms"]["top"] == {"box": 3, "point": 1, "mask": 1, "crowd": 1}
    assert told["regions_mentioned_in"]["top"] == {"answer": 2, "question": 1, "neither": 1}
    assert told["region_classes"]["top"] == {"small": 3}
    shares_told = told["region_sizes"]["share of the image"]
    assert (shares_told["min"], shares_told["median"], shares_told["max"]) == (1 / 200, 0.1, 0.1)
    words = told["lengths"]["words of a question"]
    assert (words["count"], words["min"], words["max"]) == (3, 3, 5)
    assert told["lengths"]["words of an answer"]["max"] == 8


def test_it_is_json():
    assert json.loads(json.dumps(counted(SAMPLE).to_json())) == counted(SAMPLE).to_json()


def test_no_samples_are_counted_too():
    told = counted().to_json()
    assert (told["samples"], told["by"]["task"]["total"], told["lengths"]["turns of a sample"]) == (0, 0, {"count": 0})


def test_what_cannot_be_read_is_counted_apart():
    stats = counted(Skipped("a:1", "first"), SAMPLE, Skipped("a:3", "second"))
    assert (stats.samples, stats.skipped, stats.first_skipped) == (1, 2, Skipped("a:1", "first"))


@pytest.mark.parametrize(
    ("second", "ids", "repeats"),
    [
        pytest.param(SAMPLE, 1, 1, id="the_same"),
        pytest.param(replace(SAMPLE, id="b"), 0, 1, id="another_id"),
        pytest.param(replace(SAMPLE, turns=SAMPLE.turns[:1]), 1, 0, id="other_turns"),
        pytest.param(replace(SAMPLE, id="b", signals=(replace(IMAGE, id="q"),)), 0, 0, id="another_medium"),
        pytest.param(
            replace(SAMPLE, id="b", regions=(*SAMPLE.regions[:3], Region(mask=mask_to_rle(MASK)))),
            0,
            0,
            id="another_mask",
        ),
    ],
)
def test_repeats_are_found(second, ids, repeats):
    stats = counted(SAMPLE, second)
    assert (stats.repeated_ids, stats.repeated_samples) == (ids, repeats)


def own_medium(path: object, content: bytes | None = None) -> Sample:
    """A sample about an image whose id is only a path within its set."""
    medium = MediaReference("photos/1.png", "image", path=str(path), size_hw=(10, 20), content=content)
    return replace(SAMPLE, signals=(medium,))


@pytest.mark.parametrize(
    ("second", "media"),
    [
        pytest.param(lambda folder: own_medium(folder / "a" / "1.png"), 1, id="one_file"),
        pytest.param(lambda folder: own_medium(folder / "link.png"), 1, id="a_link_to_it"),
        pytest.param(lambda folder: own_medium(folder / "b" / "1.png"), 2, id="another_file"),
        pytest.param(lambda folder: own_medium(folder / "gone" / "1.png"), 2, id="a_file_that_is_gone"),
        pytest.param(lambda folder: own_medium("a.tar/1.png", b"1"), 2, id="in_memory"),
        pytest.param(lambda folder: own_medium("caf\udce9/1.png"), 2, id="no_unicode"),
    ],
)
def test_media_of_one_path_in_two_sets_are_two(tmp_path, second, media):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").write_bytes(b"1")
    (tmp_path / "link.png").symlink_to(tmp_path / "a" / "1.png")
    stats = counted(own_medium(tmp_path / "a" / "1.png"), second(tmp_path))
    assert stats.media == media
    assert stats.repeated_samples == 2 - media


@pytest.mark.parametrize(
    ("region", "medium", "expected"),
    [
        pytest.param(Region(box=(0.0, 0.0, 5.0, 4.0)), IMAGE, (0.1, None, None), id="box"),
        pytest.param(Region(mask=MASK), IMAGE, (0.1, None, None), id="mask_array"),
        pytest.param(
            Region(mask=mask_to_rle(MASK)), MediaReference("p", "image"), (0.1, None, None), id="mask_has_a_size"
        ),
        pytest.param(Region(box=(0.0, 0.0, 5.0, 4.0)), MediaReference("p", "image"), (None,) * 3, id="size_unknown"),
        pytest.param(Region(box=(-1.0, -1.0, 21.0, 11.0)), IMAGE, (1.0, None, None), id="overshoots"),
        pytest.param(Region(point=(1.0, 1.0)), IMAGE, (None,) * 3, id="point"),
        pytest.param(
            Region(span=(1.0, 2.0)), MediaReference("s", "audio", duration_s=4.0), (None, 0.25, None), id="span"
        ),
        pytest.param(
            Region(points=[1, 2]), MediaReference("c", "point_cloud", point_count=8), (None, None, 0.25), id="points"
        ),
    ],
)
def test_shares_of_a_medium(region, medium, expected):
    assert shares(region, medium) == pytest.approx(expected)


def test_the_area_of_run_lengths_is_that_of_the_mask():
    as_list = mask_to_rle(MASK)
    assert isinstance(as_list["counts"], str)
    flat = MASK.T.ravel().astype(int)
    changes = np.flatnonzero(np.diff(np.concatenate([[0], flat, [0]])))
    runs = np.diff(np.concatenate([[0], changes, [200]])).tolist()
    for mask in (as_list, {"size": [10, 20], "counts": runs}, MASK):
        assert area_px(Region(mask=mask)) == 20.0


def test_memory_does_not_grow_with_the_set():
    stats = Stats()
    for spread in (*stats.lengths.values(), *stats.sizes.values()):
        spread.cap = 50
    stats.phrases.cap = 50

    def held(start: int, stop: int) -> int:
        for number in range(start, stop):
            turn = Turn(f"Where is {number}?", f"[thing {number}]{{0}}")
            stats.add(replace(SAMPLE, id=f"s/{number}", turns=(turn,), signals=(replace(IMAGE, id=f"m/{number}"),)))
        gc.collect()
        # Of the package's own lines only: another thread of the test run allocates, too.
        own = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, "*/deixis/samples/*")])
        return sum(statistic.size for statistic in own.statistics("filename"))

    tracemalloc.start()
    try:
        before = held(0, 100)
        assert held(100, 300) < before + 10_000
    finally:
        tracemalloc.stop()
    assert (stats.samples, stats.phrases.others, stats.questions) == (300, 250, 300)
