"""The example of region data, on sets that it generates and on a real one."""

import json
import runpy
from collections import Counter
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deixis.samples.shards import open_samples

ROOT = Path(__file__).parents[2]
OUT = Path("out/region_data")
EXPECTED = {"objects": 48, "relations": 16, "classes": 16, "negatives": 16}


def script():
    """The script's `main`, with few images."""
    main = runpy.run_path(str(ROOT / "examples" / "region_data.py"))["main"]
    main.__globals__.update(GENERATED=6, SHOWN=2, SIDE_PX=128)
    return main


@pytest.fixture
def main(monkeypatch, tmp_path):
    """The script's `main`, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return script()


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """The output folder of the script, run without arguments."""
    folder = tmp_path_factory.mktemp("generated")
    with chdir(folder):
        script()([])
    return folder / OUT / "generated"


def samples_of(folder: Path):
    return [sample for _, sample in open_samples(folder)]


def test_it_builds_from_sets_that_it_generates(generated):
    built, read = samples_of(generated / "built"), samples_of(generated / "from_masks")
    assert Counter(sample.task for sample in built).keys() == EXPECTED.keys()
    assert {len({sample.signals[0].id for sample in samples}) for samples in (built, read)} == {6}
    for name in ("built_shown", "from_masks_shown"):
        assert (generated / name / "page.html").stat().st_size > 10_000
        with Image.open(generated / name / "sheet.png") as sheet:
            assert sheet.width > 500


def test_what_is_read_from_the_folder_has_its_masks(generated):
    for sample in samples_of(generated / "from_masks"):
        number = Path(sample.signals[0].id).stem
        files = (generated / "folder/masks").glob(f"{number}_*.png")
        expected = {np.packbits(np.asarray(Image.open(path))).tobytes() for path in files}
        assert expected
        assert {np.packbits(region.mask_array).tobytes() for region in sample.regions} == expected


def test_a_second_run_resumes(generated, capsys):
    shards = sorted(generated.glob("*/*.jsonl"))
    before = [shard.stat().st_mtime_ns for shard in shards]
    with chdir(generated.parents[2]):
        script()([])
    printed = capsys.readouterr().out
    assert printed.count("no problem found") == 2
    assert f"{{path: {OUT}/generated/built/*, weight: 3}}" in printed
    assert [shard.stat().st_mtime_ns for shard in shards] == before


def test_it_builds_from_a_real_set(main, shared_data, capsys):
    nuts = shared_data / "nuts_coco"
    main([str(nuts / "annotations.json"), str(nuts / "images")])
    built = samples_of(OUT / "annotations/built")
    assert Counter(sample.task for sample in built) == EXPECTED
    assert {sample.signals[0].size_hw for sample in built} == {(600, 800)}
    assert "96 samples in 4 shards" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words", [pytest.param(["instances.json"], id="no_images"), pytest.param(list("abcd"), id="too_many")]
)
def test_wrong_arguments(main, words):
    with pytest.raises(SystemExit, match=r"expected no arguments, or INSTANCES\.json IMAGES"):
        main(words)


def test_an_invalid_set_ends_it(main, tmp_path, capsys):
    (tmp_path / "mine.json").write_text(json.dumps({"pictures": []}))
    (tmp_path / "pictures").mkdir()
    with pytest.raises(SystemExit, match="2"):
        main(["mine.json", "pictures"])
    assert "mine.json" in capsys.readouterr().err
