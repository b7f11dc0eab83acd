"""The check of sets: bad samples, media and ids are named by where they are, leaks between sets are found."""

import gc
import json
import tracemalloc
from pathlib import Path

import pytest
from PIL import Image

from deixis.geometry import Region
from deixis.samples.check import Check
from deixis.samples.sample import MediaReference, Sample, Turn
from deixis.samples.shards import write_shard

TURN = (Turn("What is {0}?", "A mug."),)
BOX = (Region(box=(0.0, 0.0, 2.0, 2.0)),)


def picture(folder: Path, name: str = "p", size_hw: tuple[int, int] = (4, 6)) -> MediaReference:
    path = folder / f"{name}.png"
    Image.new("RGB", size_hw[::-1]).save(path)
    return MediaReference(name, "image", path=str(path), size_hw=size_hw)


def record(name: str = "a/1", split: str = "train", **medium) -> dict:
    sample = Sample(
        name, "made", "refer", split, TURN, (MediaReference("p", "image", path="p.png", size_hw=(4, 6)),), BOX
    )
    plain = sample.to_json()
    plain["signals"][0] |= medium
    return plain


def problems(path: Path, media: bool = True) -> list[str]:
    return [str(problem).replace(f"{path.parent}/", "") for problem in Check(media).problems(path)]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param(["", "  "], [], id="blank_lines"),
        pytest.param([json.dumps(record())], [], id="sound"),
        pytest.param(["{"], ["set.jsonl:1: expected one JSON object a line, got '{'"], id="cut"),
        pytest.param(["", json.dumps(record()), "7"], ["set.jsonl:3: expected an object, got 7"], id="number"),
        pytest.param(
            [json.dumps(record()), json.dumps(record())],
            ["set.jsonl:2: id: expected one that no other sample has, got 'a/1', that of "],
            id="same_id",
        ),
        pytest.param(
            [json.dumps(record()), json.dumps(record("b", size_hw=[4, 7]))],
            ["set.jsonl:2: signals[0].size_hw: expected [4, 6], as "],
            id="same_medium_other_facts",
        ),
        pytest.param(
            [json.dumps(record()), json.dumps(record("b", kind="depth"))],
            ['set.jsonl:2: signals[0].kind: expected "image", as '],
            id="same_medium_other_kind",
        ),
        pytest.param(
            [json.dumps(record("b", size_hw=[4, 7], id="q"))],
            ["set.jsonl:1: signals[0].size_hw: expected [4, 6], the size of "],
            id="other_size_than_the_file",
        ),
        pytest.param(
            [json.dumps(record(path="gone.png"))],
            ["set.jsonl:1: signals[0].path: expected a file, got "],
            id="missing_file",
        ),
        pytest.param(
            [json.dumps(record() | {"regions": []}), json.dumps(record("b") | {"author": "robot"})],
            ["set.jsonl:1: turns[0].user: {0} names a region", "set.jsonl:2: author: expected one of person"],
            id="two_bad",
        ),
        pytest.param(
            [json.dumps(record(path="gone.png")), json.dumps(record("b", path="gone.png"))],
            ["set.jsonl:1: signals[0].path: expected a file, got "],
            id="missing_file_named_once",
        ),
    ],
)
def test_every_bad_sample_is_named(lines, expected, tmp_path):
    picture(tmp_path)
    path = tmp_path / "set.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    found = problems(path)
    assert len(found) == len(expected)
    assert all(one.startswith(start) for one, start in zip(found, expected, strict=True)), found


def test_media_may_be_left_out(tmp_path):
    path = tmp_path / "set.jsonl"
    path.write_text(json.dumps(record(path="gone.png")))
    assert problems(path, media=False) == []


def test_a_medium_without_a_path_is_named(tmp_path):
    plain = record()
    del plain["signals"][0]["path"]
    (tmp_path / "set.jsonl").write_text(json.dumps(plain))
    assert problems(tmp_path / "set.jsonl") == [
        "set.jsonl:1: signals[0]: expected the field 'path', which a sample in a file needs"
    ]


@pytest.mark.parametrize("ending", [pytest.param(ending, id=ending) for ending in ("jsonl", "tar", "parquet")])
def test_places_are_named_in_every_form_of_shard(ending, tmp_path):
    medium = picture(tmp_path)
    samples = [Sample(f"a/{n}", "made", "refer", "train", TURN, (medium,), BOX) for n in (1, 2)]
    shards = tmp_path / "set"
    write_shard(samples, shards / f"train-0.{ending}", "copy")
    assert problems(shards) == []
    write_shard(samples[1:], shards / f"train-1.{ending}", "copy")
    place = {"jsonl": ":1", "tar": ": a-2.json", "parquet": ": row 0"}[ending]
    [again] = problems(shards)
    assert again.startswith(f"set/train-1.{ending}{place}: id: expected one that no other sample has, got 'a/2'")


def test_media_in_a_tar_are_looked_into(tmp_path):
    import io
    import tarfile

    content = io.BytesIO()
    Image.new("RGB", (6, 4)).save(content, "PNG")
    members = {"a": (record("a", size_hw=[8, 6], path="a.0.png"), content.getvalue()), "b": (record("b", id="q"), b"")}
    with tarfile.open(tmp_path / "set.tar", "w") as tar:
        for key, (plain, picture_bytes) in members.items():
            for name, data in ((f"{key}.json", json.dumps(plain).encode()), (f"{key}.0.png", picture_bytes)):
                member = tarfile.TarInfo(name)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    first, second = problems(tmp_path / "set.tar")
    assert first.startswith("set.tar: a.json: signals[0].size_hw: expected [4, 6], the size of ")
    assert second.startswith("set.tar: b.json: signals[0].path: expected a file, got ")


def test_a_file_cut_short_is_named_and_the_next_is_checked(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    (tmp_path / "b.jsonl").write_text("7\n")
    check = Check()
    assert [str(problem).split(": ", 1)[0] for problem in check.problems(tmp_path)] == [
        str(tmp_path / "a.parquet"),
        f"{tmp_path / 'b.jsonl'}:1",
    ]


@pytest.mark.parametrize(
    ("splits", "leaks"),
    [
        pytest.param([("train", "val")], 1, id="in_one_set"),
        pytest.param([("train",), ("val",)], 1, id="between_sets"),
        pytest.param([("test",), ("train",)], 1, id="held_out_first"),
        pytest.param([("train2017",), ("testA",)], 1, id="sets_own_names"),
        pytest.param([("train",), ("train",)], 0, id="both_trained_on"),
        pytest.param([("val", "test"), ("val",)], 0, id="none_trained_on"),
    ],
)
def test_a_medium_that_is_trained_on_and_held_out_is_a_leak(splits, leaks, tmp_path):
    check = Check(media=False)
    for number, own in enumerate(splits):
        path = tmp_path / f"set{number}.jsonl"
        path.write_text("\n".join(json.dumps(record(f"{number}/{split}", split)) for split in own))
        assert list(check.problems(path)) == []
    found = list(check.leaks())
    assert len(found) == leaks
    assert check.media_count == 1
    for leak in found:
        assert leak.sentence.startswith("the medium 'p' is trained on here, and held out in ")


def own_set(folder: Path, split: str, colours: dict[str, str], ending: str = "jsonl") -> Path:
    """A set of one's own in a folder called photos, its media in the shard or copied beside it."""
    samples = []
    for name, colour in colours.items():
        (folder / "photos").mkdir(parents=True, exist_ok=True)
        path = folder / "photos" / name
        Image.new("RGB", (6, 4), colour).save(path, "PPM")  # of one size, whatever the colour
        medium = MediaReference(f"photos/{name}", "image", path=str(path), size_hw=(4, 6))
        samples.append(Sample(f"photos/{name}/what", "photos", "refer", split, TURN, (medium,), BOX))
    write_shard(samples, folder / "set" / f"{split}-0.{ending}", "copy")
    return folder / "set"


@pytest.mark.parametrize("ending", ["jsonl", "tar", "parquet"])
@pytest.mark.parametrize(
    ("held", "leaks"),
    [
        pytest.param({"1.ppm": "blue", "2.ppm": "green"}, [], id="other_files_of_one_name"),
        pytest.param({"1.ppm": "red"}, ["the file of 'photos/1.ppm' is trained on here, and held out in "], id="same"),
        pytest.param(
            {"1.ppm": "blue", "9.ppm": "red"},
            ["the file of 'photos/1.ppm' is trained on here, and held out as 'photos/9.ppm' in "],
            id="same_file_of_another_name",
        ),
    ],
)
@pytest.mark.parametrize("order", [1, -1], ids=["trained_first", "held_out_first"])
def test_files_are_compared_not_names(tmp_path, ending, held, leaks, order):
    sets = [
        own_set(tmp_path / "a", "train", {"1.ppm": "red", "2.ppm": "white"}, ending),
        own_set(tmp_path / "b", "val", held, ending),
    ]
    check = Check()
    found = [problem.sentence for path in sets[::order] for problem in check.problems(path)]
    assert ["id: expected one that no other sample has" in one for one in found] == [True] * (held["1.ppm"] == "red")
    found = [leak.sentence for leak in check.leaks()]
    assert len(found) == len(leaks)
    assert all(one.startswith(start) for one, start in zip(found, leaks, strict=True)), found


def test_the_same_facts_are_asked_of_a_set_not_of_all(tmp_path):
    check = Check(media=False)
    for number, size_hw in enumerate(([4, 6], [8, 12])):  # the other set has the images at another size
        path = tmp_path / f"set{number}.jsonl"
        path.write_text(json.dumps(record(f"{number}", size_hw=size_hw)))
        assert list(check.problems(path)) == []


def test_memory_does_not_grow_with_the_set(tmp_path):
    path, check, held = tmp_path / "set.jsonl", Check(media=False), []
    with path.open("w") as lines:
        lines.writelines(json.dumps(record(f"{n}", id=f"m/{n}")) + "\n" for n in range(400))

    def look(_: int) -> None:
        if check.samples in (100, 400):
            gc.collect()
            held.append(tracemalloc.get_traced_memory()[0])

    tracemalloc.start()
    try:
        assert list(check.problems(path, look)) == []
    finally:
        tracemalloc.stop()
    assert held[1] < held[0] + 20_000
