"""Shards of three forms: nothing is lost, bad samples are skipped and listed, and no kill leaves a partial file."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tarfile
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from deixis.errors import DataError
from deixis.geometry import Region
from deixis.samples.media import open_media
from deixis.samples.sample import MediaReference, Sample, Skipped, Turn
from deixis.samples.shard_files import FORMS, parquet_entry
from deixis.samples.shards import ShardReport, entry_sample, open_samples, shards_of, write_shard
from tests.samples.test_round_trip import MEDIA, sample

ENDINGS = [pytest.param(ending, id=ending[1:]) for ending in FORMS]
SAMPLES = [sample(kind) for kind in MEDIA]


def media_of(item: Sample) -> list[MediaReference]:
    """The media without what differs between forms: where they lie."""
    return [replace(medium, path=None) for medium in item.signals]


def read(path: Path) -> list[Sample]:
    found = [item for _, item in open_samples(path)]
    assert all(isinstance(item, Sample) for item in found), found
    return found


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_written_is_read_again(ending, tmp_path):
    assert write_shard(SAMPLES, tmp_path / f"train{ending}") == ShardReport(3, ())
    for made, found in zip(SAMPLES, read(tmp_path / f"train{ending}"), strict=True):
        assert media_of(found) == media_of(made)
        assert replace(found, signals=()).to_json() == replace(made, signals=()).to_json()
        with open_media(found.signals[0]) as opened:
            assert opened.values.shape == made.signals[0].values.shape


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("first", ENDINGS)
def test_any_form_becomes_any_other(first, ending, tmp_path):
    write_shard(SAMPLES, tmp_path / "one" / f"train{first}")
    write_shard(SAMPLES, tmp_path / "direct" / f"train{ending}")
    write_shard(read(tmp_path / "one" / f"train{first}"), tmp_path / "two" / f"train{ending}")
    names = [path.relative_to(tmp_path / "direct") for path in sorted((tmp_path / "direct").rglob("*"))]
    assert names == [path.relative_to(tmp_path / "two") for path in sorted((tmp_path / "two").rglob("*"))]
    for name in names:
        if (tmp_path / "direct" / name).is_file():
            assert (tmp_path / "direct" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_samples_and_text_alone(ending, tmp_path):
    assert write_shard([], tmp_path / f"none{ending}") == ShardReport(0, ())
    assert read(tmp_path / f"none{ending}") == []
    text = Sample("t", "made up", "talk", "train", (Turn("Hello", "Hello."),))
    write_shard([text], tmp_path / f"text{ending}")
    assert read(tmp_path / f"text{ending}") == [text]


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_place_leads_to_its_entry(ending, tmp_path):
    path, form = tmp_path / f"many{ending}", FORMS[ending]
    texts = [Sample(f"t/{n}", "s", "talk", "train", (Turn("ü" * n, "Hello."),)) for n in range(600)]
    write_shard([*SAMPLES, *texts], path)
    map_ordered = list(form.read(path))
    assert list(form.places(path)) == [entry.place for entry in map_ordered]
    for number in (602, 0, 2, 257, 256):
        entry = form.entry(path, map_ordered[number].place)
        assert (entry.record, entry.contents) == (map_ordered[number].record, map_ordered[number].contents)
        assert entry_sample(entry, path) == entry_sample(map_ordered[number], path)


def bad(change: dict, **medium) -> Sample:
    item = replace(SAMPLES[0], id="bad/1", **change)
    return replace(item, signals=(replace(item.signals[0], id="new", **medium),)) if medium else item


BAD = [
    pytest.param(bad({"task": ""}), "task: expected text without spaces", id="breaks_the_schema"),
    pytest.param(bad({"turns": (Turn("What is {7}?", "A mug."),)}), "names a region that is not there", id="no_region"),
    pytest.param(bad({}, size_hw=(9, 7)), "mask.size: expected", id="mask_of_another_size"),
    pytest.param(bad({"regions": (Region(box=(0.0, 0.0, 99.0, 2.0)),)}), "lies outside", id="box_outside"),
    pytest.param(bad({}, values=None), "signals[0]: expected the field 'path'", id="medium_nowhere"),
    pytest.param(bad({}, values=None, path="gone.jpg"), "got 'gone.jpg', which is not there", id="medium_gone"),
    pytest.param(bad({}, values=None, path=__file__), "expected an image, got", id="no_picture"),
    pytest.param(bad({}, values=MEDIA["image"].values / 255), "expected an image as uint8", id="unwritable_values"),
    pytest.param(replace(SAMPLES[1], id="a-image"), "id: expected one that no other sample", id="id_twice"),
]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(("wrong", "why"), BAD)
def test_a_bad_sample_is_left_out_and_the_rest_goes_on(wrong, why, ending, tmp_path):
    report = write_shard([SAMPLES[0], wrong, SAMPLES[2]], tmp_path / f"train{ending}")
    assert report.samples == 2
    (skipped,) = report.skipped
    assert skipped.where == f"sample {wrong.id!r}"
    assert why in skipped.why
    assert [item.id for item in read(tmp_path / f"train{ending}")] == [SAMPLES[0].id, SAMPLES[2].id]


def test_media_are_not_looked_for_with_none(tmp_path):
    gone = MediaReference("coco/000000000009", "image", path="/data/coco/000000000009.jpg", size_hw=(7, 9))
    assert write_shard([replace(SAMPLES[0], signals=(gone,))], tmp_path / "a.jsonl", "none").samples == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]
    assert read(tmp_path / "a.jsonl")[0].signals[0].path == str(tmp_path / "images" / "coco-000000000009.jpg")


def test_files_are_linked_or_copied(tmp_path):
    write_shard(SAMPLES[:1], tmp_path / "first" / "a.jsonl")
    source = read(tmp_path / "first" / "a.jsonl")
    for way in ("link", "copy"):
        write_shard(source, tmp_path / way / "a.jsonl", way)
        (placed,) = (tmp_path / way / "images").iterdir()
        assert placed.is_symlink() == (way == "link")
        assert read(tmp_path / way / "a.jsonl")[0].signals[0].path == str(placed)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")  # its own
def test_webdataset_reads_the_tar(tmp_path):
    webdataset = pytest.importorskip("webdataset")
    two = replace(SAMPLES[0], id="set/two", signals=(MEDIA["image"], MEDIA["audio"]))
    write_shard([two, *SAMPLES], tmp_path / "train.tar")
    found = list(webdataset.WebDataset(str(tmp_path / "train.tar"), shardshuffle=False).decode("rgb8"))
    assert [set(item) - {"__url__", "__local_path__", "__key__"} for item in found] == [
        {"json", "0.png", "1.wav"},
        {"json", "0.png"},
        {"json", "0.wav"},
        {"json", "0.ply"},
    ]
    assert found[0]["__key__"] == "set-two"
    assert found[0]["json"]["signals"][0]["path"] == "set-two.0.png"
    assert (found[0]["0.png"] == MEDIA["image"].values).all()


def test_the_columns_of_parquet(tmp_path):
    from pyarrow import parquet

    write_shard(SAMPLES, tmp_path / "train.parquet")
    table = parquet.read_table(tmp_path / "train.parquet")
    assert table.column_names == ["id", "source", "task", "split", "json"]
    assert table["id"].to_pylist() == [item.id for item in SAMPLES]
    assert json.loads(table["json"][0].as_py())["signals"][0]["path"] == "images/set-1-image.png"


def test_a_tar_knows_no_time_and_no_owner(tmp_path):
    write_shard(SAMPLES, tmp_path / "train.tar")
    with tarfile.open(tmp_path / "train.tar") as tar:
        for member in tar:
            assert (member.mtime, member.uid, member.gid, member.uname, member.gname) == (0, 0, 0, "", "")


def write_part(folder: Path, number: int, barrier) -> None:
    """Twenty samples of four media that the other process writes too."""
    barrier.wait()
    media = [replace(MEDIA["image"], id=f"set/{n}") for n in range(4)]
    samples = [replace(SAMPLES[0], id=f"{number}/{n}", signals=(media[n % 4],)) for n in range(20)]
    assert write_shard(samples, folder / f"train-{number}.jsonl", "copy").samples == 20


def test_two_processes_write_into_one_folder(tmp_path):
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(2)
    workers = [context.Process(target=write_part, args=(tmp_path, number, barrier)) for number in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert len(read(tmp_path)) == 40
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == [f"set-{n}.png" for n in range(4)]


KILLED = """
import os, signal, sys
from pathlib import Path
from deixis.samples.shards import write_shard
from deixis.samples.sample import Sample, Turn
def samples():
    for n in range(2000):
        yield Sample(f"t/{n}", "s", "talk", "train", (Turn("Hello", "Hello."),))
    os.kill(os.getpid(), signal.SIGKILL)
write_shard(samples(), Path(sys.argv[1]))
"""


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_kill_leaves_nothing_half(ending, tmp_path):
    write_shard(SAMPLES[:1], tmp_path / f"old{ending}")
    for name in ("old", "new"):
        done = subprocess.run([sys.executable, "-c", KILLED, tmp_path / f"{name}{ending}"], check=False)
        assert done.returncode == -signal.SIGKILL
    assert shards_of(tmp_path) == [tmp_path / f"old{ending}"]  # what was begun is hidden
    assert [item.id for item in read(tmp_path)] == [SAMPLES[0].id]


def test_what_the_source_raises_leaves_the_old_shard(tmp_path):
    write_shard(SAMPLES, tmp_path / "train.jsonl")

    def broken():
        yield SAMPLES[0]
        raise RuntimeError("the disk is gone")

    with pytest.raises(RuntimeError, match="the disk is gone"):
        write_shard(broken(), tmp_path / "train.jsonl")
    assert len(read(tmp_path)) == 3
    assert [path for path in os.listdir(tmp_path) if path.endswith(".part")] == []


def test_a_folder_is_read_in_the_order_of_names(tmp_path):
    for name, item in (("b.tar", 0), ("a.jsonl", 1), ("c.parquet", 2), (".hidden.jsonl", 0), (".a.jsonl.9.part", 0)):
        suffix = ".jsonl" if name.endswith(".part") else Path(name).suffix
        write_shard([SAMPLES[item]], tmp_path / f"x{suffix}")
        (tmp_path / f"x{suffix}").rename(tmp_path / name)
    (tmp_path / "report.txt").write_text("hello")
    places = [(where, item.id) for where, item in open_samples(tmp_path)]
    assert [name for _, name in places] == ["a-audio", "a-image", "a-point_cloud"]
    assert [where.removeprefix(f"{tmp_path}/") for where, _ in places] == [
        "a.jsonl:1",
        f"b.tar: {json_name(tmp_path / 'b.tar')}",
        "c.parquet: row 0",
    ]


def json_name(path: Path) -> str:
    with tarfile.open(path) as tar:
        return tar.getnames()[0]


def test_bad_lines_and_broken_files_are_skipped_with_their_place(tmp_path):
    write_shard([*SAMPLES, SAMPLES[0]], tmp_path / "a.jsonl")
    lines = (tmp_path / "a.jsonl").read_bytes().splitlines()
    (tmp_path / "a.jsonl").write_bytes(b"\n".join([lines[0], b"", b"{", b"\xff\xfe", b'{"version": 2}', lines[1]]))
    write_shard(SAMPLES, tmp_path / "b.tar")
    (tmp_path / "b.tar").write_bytes((tmp_path / "b.tar").read_bytes()[:15_000])  # within the audio
    (tmp_path / "c.tar").write_bytes(b"no tar at all" * 100)
    (tmp_path / "d.parquet").write_bytes(b"PAR1")
    write_shard(SAMPLES[:1], tmp_path / "e.jsonl")
    found = list(open_samples(tmp_path))
    skipped = [(item.where.removeprefix(f"{tmp_path}/"), item.why) for _, item in found if isinstance(item, Skipped)]
    places = ["a.jsonl:3", "a.jsonl:4", "a.jsonl:5", None, "c.tar", "d.parquet"]
    assert len(skipped) == len(places)
    for (where, _), place in zip(skipped, places, strict=True):
        assert place is None or where == place
    sentences = [
        "one JSON object",
        "one JSON object",
        "version: expected 1",
        "cut short",
        "expected a whole tar",
        "a Parquet",
    ]
    for (_, why), sentence in zip(skipped, sentences, strict=True):
        assert sentence in why
    assert [item.id for _, item in found if isinstance(item, Sample)] == ["a-image", "a-audio", "a-image", "a-image"]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content, at: content[:at], id="cut_between_members"),
        pytest.param(lambda content, at: content[:at] + b"?" * 512 + content[at + 512 :], id="header_overwritten"),
    ],
)
def test_a_damaged_tar_does_not_pass_for_a_short_one(damage, tmp_path):
    path = tmp_path / "a.tar"
    write_shard(SAMPLES, path)
    third = list(FORMS[".tar"].places(path))[2]
    path.write_bytes(damage(path.read_bytes(), third))
    found = [item for _, item in open_samples(path)]
    assert [item.id for item in found if isinstance(item, Sample)] == ["a-image"]
    assert "no mark of the end" in found[-1].why


HUGE = 10**12


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        pytest.param(tarfile.REGTYPE, "of 1000000000000 bytes, which the tar does not hold", id="file"),
        pytest.param(tarfile.GNUTYPE_SPARSE, "is sparse", id="sparse_file"),
        pytest.param(tarfile.XHDTYPE, "expected a whole tar", id="header_of_another"),
        pytest.param(tarfile.GNUTYPE_LONGNAME, "expected a whole tar", id="long_name"),
    ],
)
def test_a_size_in_a_tar_is_not_believed(kind, why, tmp_path):
    member = tarfile.TarInfo("a.json")
    member.size, member.type = HUGE, kind
    (tmp_path / "a.tar").write_bytes(member.tobuf(tarfile.GNU_FORMAT) + bytes(4 * tarfile.BLOCKSIZE))
    with pytest.raises(DataError, match=why):
        list(FORMS[".tar"].read(tmp_path / "a.tar"))


def test_a_tar_made_by_another_program(tmp_path):
    """Members in another order, folders among them, a group without a record."""
    write_shard(SAMPLES[:1], tmp_path / "own.tar")
    with tarfile.open(tmp_path / "own.tar") as own, tarfile.open(tmp_path / "other.tar", "w") as other:
        record, picture = own.getmembers()
        folder = tarfile.TarInfo("part")
        folder.type = tarfile.DIRTYPE
        stray = replace_name(picture, "lonely.png")
        for member in (folder, stray, picture, record):
            other.addfile(member, own.extractfile(picture if member is stray else member) if member.isfile() else None)
    (_, lonely), (_, whole) = open_samples(tmp_path / "other.tar")
    assert lonely == Skipped(
        f"{tmp_path / 'other.tar'}: lonely.json", "expected lonely.json with the sample, got only lonely.png"
    )
    with open_media(whole.signals[0]) as opened:
        assert (opened.values == MEDIA["image"].values).all()


def replace_name(member: tarfile.TarInfo, name: str) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.size = member.size
    return made


def touched(path: Path) -> Path:
    path.touch()
    return path


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        pytest.param(lambda folder: folder / "gone.jsonl", "got no such file or folder", id="no_file"),
        pytest.param(lambda folder: folder / "gone", "got no such file or folder", id="no_folder"),
        pytest.param(lambda folder: touched(folder / "a"), "a path ending in .*, got 'no ending'", id="no_ending"),
        pytest.param(lambda folder: folder, "expected files ending in .* there, got none", id="empty_folder"),
        pytest.param(lambda folder: touched(folder / "a.json"), "got '.json'", id="other_ending"),
    ],
)
def test_no_shards_are_a_sentence(make, sentence, tmp_path):
    with pytest.raises(ValueError, match=sentence):
        next(open_samples(make(tmp_path)))


def test_a_text_that_stands_for_a_million_rows_is_held_once(tmp_path):
    """Half a megabyte of Parquet that would be 100 GB if every row had its own copy."""
    import pyarrow as pa
    from pyarrow import parquet

    text = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1_000_000, np.int32)), pa.array(["x" * 100_000]))
    parquet.write_table(pa.table({"json": text}), tmp_path / "a.parquet", compression="zstd")
    found = list(islice((why for _, why in open_samples(tmp_path / "a.parquet")), 600))
    assert {why.why.split(",")[0] for why in found} == {"expected one JSON object a line"}


@pytest.mark.parametrize("groups", [[3], [1, 2, 1], [2, 0, 3], []], ids=["one", "several", "an_empty_one", "none"])
def test_a_row_is_found_in_its_group_and_after_the_file_has_changed(groups, tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    path = tmp_path / "a.parquet"
    for word in ("old", "new"):
        (tmp_path / "next").unlink(missing_ok=True)
        records = (json.dumps([word, number]) for number in range(sum(groups)))
        with parquet.ParquetWriter(tmp_path / "next", pa.schema([("json", pa.string())])) as file:
            for count in groups:
                file.write_table(pa.table({"json": pa.array(list(islice(records, count)), pa.string())}))
        (tmp_path / "next").replace(path)
        found = [parquet_entry(path, row).record for row in range(sum(groups))]
        assert found == [[word, number] for number in range(sum(groups))]
        with pytest.raises(DataError, match=f"a.parquet: expected a row below {sum(groups)}, got {sum(groups)}"):
            parquet_entry(path, sum(groups))


def test_the_groups_of_a_file_are_looked_at_once(tmp_path, monkeypatch):
    from deixis.samples import shard_files

    write_shard(SAMPLES, tmp_path / "a.parquet")
    looked, own = [], shard_files.check_decoded
    monkeypatch.setattr(shard_files, "check_decoded", lambda *values: looked.append(values) or own(*values))
    for _ in range(3):
        parquet_entry(tmp_path / "a.parquet", 0)
    assert len(looked) == 2  # the rows, and their only group


def test_rows_beyond_the_budget_are_refused(tmp_path, monkeypatch):
    import pyarrow as pa
    from pyarrow import parquet

    monkeypatch.setenv("DEIXIS_MAX_DECODED_MB", "1")
    parquet.write_table(pa.table({"json": pa.array(["{}"] * 100_000)}), tmp_path / "a.parquet")
    ((_, skipped),) = open_samples(tmp_path / "a.parquet")
    assert "expected what takes at most 1 MB of memory when decoded, got 100000 rows" in skipped.why
