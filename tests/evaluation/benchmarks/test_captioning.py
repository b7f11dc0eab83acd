"""Caption sets in their official files, made small; the scores against pycocoevalcap's own of the same tokens."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from deixis.evaluation.benchmark import Example
from deixis.evaluation.benchmarks.captioning import CAPTIONING
from deixis.evaluation.metrics.aggregation import bootstrap_score
from deixis.evaluation.metrics.caption_tokens import plain_tokens
from deixis.samples.sample import Skipped
from tests.evaluation.benchmarks.scripted import Scripted, run_benchmark, save_image, table

SETS = {benchmark.info.name: benchmark for benchmark in CAPTIONING}
CAPTIONS = [
    ["A brown dog runs over green grass.", "The dog {fast} is running on a lawn."],
    ["Two men ride horses at dusk.", "Horses carry two men over a field."],
    ["A bowl of ripe fruit stands on the table.", "There is fruit in a white bowl."],
]


@pytest.fixture(autouse=True)
def no_java(monkeypatch):
    """Tokens by the plain split, and no METEOR: what Java adds is tested with the scores themselves."""
    monkeypatch.setenv("PATH", "")


def dump(path: Path, value) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def coco_form(images) -> dict:
    annotations = [
        {"id": 10 * n + m, "image_id": image["id"], "caption": text}
        for n, image in enumerate(images)
        for m, text in enumerate(CAPTIONS[n])
    ]
    return {"images": images, "annotations": annotations}


def coco_pictures(folder: Path, named: str = "val2014/COCO_val2014_{:012d}.jpg") -> list[str]:
    names = [named.format(n + 1) for n in range(3)]
    for n, name in enumerate(names):
        save_image(folder / name, (24, 32), n)
    return names


def karpathy(folder: Path, file: str, subfolder: str) -> None:
    names = coco_pictures(folder, f"{subfolder}/COCO_val2014_{{:012d}}.jpg")
    images = [
        {"filename": Path(name).name, "split": split, "sentences": [{"raw": text} for text in CAPTIONS[n]]}
        | ({"filepath": subfolder} if subfolder == "val2014" else {})
        for n, name in enumerate(names)
        for split in ("test", "train")
    ]
    dump(folder / file, {"images": images, "dataset": "x"})


def coco_captions(folder: Path) -> None:
    karpathy(folder, "dataset_coco.json", "val2014")


def coco_list(folder: Path) -> None:
    rows = [{"image": name, "caption": CAPTIONS[n]} for n, name in enumerate(coco_pictures(folder))]
    dump(folder / "annotations" / "coco_karpathy_test.json", rows)


def coco_val(folder: Path) -> None:
    names = coco_pictures(folder)
    images = [{"id": n + 1, "file_name": Path(name).name, "height": 24, "width": 32} for n, name in enumerate(names)]
    dump(folder / "annotations" / "captions_val2014.json", coco_form(images))


def nocaps(folder: Path, **more) -> None:
    images = [{"id": n, "file_name": f"{n:016x}.jpg", "height": 24, "width": 32} | more for n in range(3)]
    coco_pictures(folder, "val/{:016x}.jpg")
    save_image(folder / "val" / f"{0:016x}.jpg", (24, 32))
    dump(folder / "nocaps_val_4500_captions.json", coco_form(images))


def flickr30k(folder: Path) -> None:
    karpathy(folder, "dataset_flickr30k.json", "flickr30k-images")


def sounds(folder: Path, names) -> None:
    import soundfile

    for n, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.random.default_rng(n).normal(size=1600).astype(np.float32) / 9, 16_000)


def clotho(folder: Path) -> None:
    sounds(folder, [f"evaluation/rain {n}.wav" for n in range(3)])
    with (folder / "clotho_captions_evaluation.csv").open("w", newline="") as file:
        table_of = csv.writer(file)
        table_of.writerow(["file_name", "caption_1", "caption_2"])
        table_of.writerows([f"rain {n}.wav", *CAPTIONS[n]] for n in range(3))


def clotho_of_onellm(folder: Path) -> None:
    sounds(folder, [f"evaluation/rain {n}.wav" for n in range(3)])
    images = [{"id": n, "file_name": f"rain {n}.wav"} for n in range(3)]
    dump(folder / "eval_clothocap_ann.json", coco_form(images))


def audiocaps(folder: Path) -> None:
    sounds(folder, [f"film{n}.wav" for n in range(3)])
    with (folder / "test.csv").open("w", newline="") as file:
        table_of = csv.writer(file)
        table_of.writerow(["audiocap_id", "youtube_id", "start_time", "caption"])
        table_of.writerows(
            [f"{10 * n + m}", f"film{n}", "30", text] for n in range(3) for m, text in enumerate(CAPTIONS[n])
        )


def clouds(folder: Path) -> None:
    place = folder / "pointllm" / "8192_npy"
    place.mkdir(parents=True)
    for n in range(3):
        np.save(place / f"object{n}_8192.npy", np.random.default_rng(n).random((64, 6), dtype=np.float32))


def objaverse(folder: Path) -> None:
    clouds(folder)
    dump(folder / "pointllm_test.json", {f"object{n}": CAPTIONS[n][0] for n in range(3)})


def objaverse_list(folder: Path) -> None:
    clouds(folder)
    turns = [
        [{"from": "human", "value": "<point>\nWhat is this?"}, {"from": "gpt", "value": CAPTIONS[n][0]}]
        for n in range(3)
    ]
    rows = [{"object_id": f"object{n}", "conversations": turns[n]} for n in range(3)]
    dump(folder / "PointLLM_brief_description_val_200_GT.json", rows)


def imu(folder: Path) -> None:
    place = folder / "processed_imu"
    place.mkdir(parents=True)
    times_ms = np.arange(0, 8000, 5.0)
    np.save(place / "walk.npy", np.random.default_rng(0).normal(size=(6, len(times_ms))))
    np.save(place / "walk_timestamps.npy", times_ms)
    images = [
        {"id": n, "file_name": f"walk_{n}", "video_uid": "walk", "window_start": 2.0 * n, "window_end": 2.0 * n + 2}
        for n in range(3)
    ]
    dump(folder / "imu_2000_cococap.json", coco_form(images))


def nsd(folder: Path) -> None:
    (folder / "NSD").mkdir(parents=True)
    for n in range(3):
        np.save(folder / "NSD" / f"{n}.npy", np.random.default_rng(n).normal(size=(2, 40)).astype(np.float32))
    images = [{"id": n, "file_name": f"NSD/{n}.npy"} for n in range(3)]
    dump(folder / "fmri_eval_cococap.json", coco_form(images))


LAYOUTS = [
    pytest.param("coco_captions", coco_captions, "test", "image", id="coco, Karpathy's split"),
    pytest.param("coco_captions", coco_list, "test", "image", id="coco, BLIP's list"),
    pytest.param("coco_captions", coco_val, "val", "image", id="coco, val2014"),
    pytest.param("nocaps", nocaps, "entire", "image", id="nocaps without domains"),
    pytest.param("flickr30k_captions", flickr30k, "test", "image", id="flickr30k, Karpathy's split"),
    pytest.param("clotho_captions", clotho, "evaluation", "audio", id="clotho"),
    pytest.param("clotho_captions", clotho_of_onellm, "test", "audio", id="clotho, OneLLM's"),
    pytest.param("audiocaps_captions", audiocaps, "test", "audio", id="audiocaps"),
    pytest.param("objaverse_captions", objaverse, "test", "point_cloud", id="objaverse, OneLLM's"),
    pytest.param("objaverse_captions", objaverse_list, "test", "point_cloud", id="objaverse, PointLLM's"),
    pytest.param("ego4d_imu_captions", imu, "test", "imu", id="ego4d"),
    pytest.param("nsd_captions", nsd, "test", "fmri", id="nsd"),
]


def map_until_quota(answers):
    rest = iter(answers)
    return Scripted(lambda question: next(rest))


def official(answers, references) -> dict[str, float]:
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    ours = {n: [plain_tokens(text)] for n, text in enumerate(answers)}
    theirs = {n: [plain_tokens(text) for text in texts] for n, texts in enumerate(references)}
    bleus = Bleu(4).compute_score(theirs, ours, verbose=0)[0]
    found = {f"BLEU-{order}": value for order, value in enumerate(bleus, 1)}
    found |= {"CIDEr": Cider().compute_score(theirs, ours)[0], "ROUGE-L": Rouge().compute_score(theirs, ours)[0]}
    return {name: 100 * value for name, value in found.items()}


@pytest.mark.parametrize(("name", "make", "part", "kind"), LAYOUTS)
def test_set_in_its_official_files(tmp_path, name, make, part, kind):
    make(tmp_path / "data")
    given = ["a dog runs over grass", "", CAPTIONS[2][0]]
    adapter = map_until_quota(given)
    rows = run_benchmark(SETS[name], tmp_path / "data", adapter, tmp_path / "run")
    assert [row.part for row in rows] == [part] * 3
    assert len({row.group for row in rows}) == len({row.id for row in rows}) == 3
    assert [signal.modality for question in adapter.asked for signal in question.signals] == [kind] * 3
    references = [row.metrics["references"] for row in rows]
    assert [texts[0].rstrip(".") for texts in references] == [texts[0].rstrip(".") for texts in CAPTIONS]
    found = table(SETS[name], rows)[part]
    for metric, value in official(given, references).items():
        assert found[metric] == pytest.approx(value, abs=1e-5), metric


def test_perfect_empty_and_shuffled_captions(tmp_path):
    coco_captions(tmp_path / "data")
    perfect = [texts[0] for texts in CAPTIONS]
    benchmark = SETS["coco_captions"]
    found = {
        name: table(
            benchmark, run_benchmark(benchmark, tmp_path / "data", map_until_quota(given_captions), tmp_path / name)
        )["test"]
        for name, given_captions in (("perfect", perfect), ("empty", [""] * 3), ("shuffled", perfect[1:] + perfect[:1]))
    }
    assert found["perfect"]["BLEU-4"] == pytest.approx(100, abs=1e-4)
    assert found["perfect"]["ROUGE-L"] == pytest.approx(100)
    assert found["empty"]["CIDEr"] == found["empty"]["ROUGE-L"] == 0
    assert found["perfect"]["CIDEr"] > 300 > 30 > found["shuffled"]["CIDEr"]
    assert found["perfect"]["PTB"] == 0, "it is said that the official tokenizer was not there"


@pytest.mark.parametrize("beside", [False, True], ids=["in the file", "in files beside it"])
def test_nocaps_domains_are_scored_separately(tmp_path, beside):
    data = tmp_path / "data"
    nocaps(data, **({} if beside else {"domain": "in-domain"}))
    whole = json.loads((data / "nocaps_val_4500_captions.json").read_text())
    if beside:
        for domain, some in (("in-domain", whole["images"][:2]), ("out-domain", whole["images"][2:])):
            dump(data / f"nocaps_val_{domain}.json", {"images": some, "annotations": []})
    else:
        whole["images"][2]["domain"] = "out-domain"
        dump(data / "nocaps_val_4500_captions.json", whole)
    given = [texts[1] for texts in CAPTIONS]
    rows = run_benchmark(SETS["nocaps"], data, map_until_quota(given), tmp_path / "run")
    assert [row.part for row in rows] == ["in-domain", "in-domain", "out-domain"]
    found = table(SETS["nocaps"], rows)
    assert found["in-domain"]["CIDEr"] == pytest.approx(official(given[:2], CAPTIONS[:2])["CIDEr"], abs=1e-5)
    together = 100 * np.mean([row.metrics["cider_all"] for row in rows])
    assert together == pytest.approx(official(given, CAPTIONS)["CIDEr"], abs=1e-5)


def test_onellm_wording(tmp_path):
    nsd(tmp_path)
    first = next(SETS["nsd_captions"].examples(tmp_path, {"notation": "onellm"}))
    assert isinstance(first, Example)
    assert first.text == "Provide a one-sentence caption for the provided fMRI data."


def test_unreadable_records_are_skipped(tmp_path):
    coco_list(tmp_path)
    path = tmp_path / "annotations" / "coco_karpathy_test.json"
    rows = json.loads(path.read_text())
    rows[0]["caption"] = []
    rows[1]["image"] = "val2014/none.jpg"
    dump(path, [*rows, "no row"])
    found = list(SETS["coco_captions"].examples(tmp_path, {}))
    whys = [item.why for item in found if isinstance(item, Skipped)]
    assert whys[0] == "caption: expected text, got []"
    assert "none.jpg: expected the image" in whys[1]
    assert "expected an object with 'image' and 'caption'" in whys[2]
    assert len(found) == 4


@pytest.mark.parametrize("name", SETS)
def test_a_missing_file_is_named(tmp_path, name):
    with pytest.raises(ValueError, match=f"expected {SETS[name].info.required_files[0].path}".replace(".", r"\.")):
        list(SETS[name].examples(tmp_path, {}))


def test_unknown_split_is_refused(tmp_path):
    coco_captions(tmp_path)
    with pytest.raises(ValueError, match="split: expected test or val, got 'train'"):
        list(SETS["coco_captions"].examples(tmp_path, {"split": "train"}))
    with pytest.raises(ValueError, match="expected images with the split 'val', got none"):
        list(SETS["coco_captions"].examples(tmp_path, {"split": "val"}))


def test_nocaps_parts_are_combined(tmp_path):
    data = tmp_path / "data"
    nocaps(data)
    for number, domain in enumerate(("in-domain", "near-domain", "out-domain")):
        some = json.loads((data / "nocaps_val_4500_captions.json").read_text())["images"][number : number + 1]
        dump(data / f"nocaps_val_{domain}.json", {"images": some, "annotations": []})
    benchmark = SETS["nocaps"]
    rows = run_benchmark(benchmark, data, map_until_quota([texts[1] for texts in CAPTIONS]), tmp_path / "run")
    assert tuple(row.part for row in rows) == benchmark.info.combined_parts["entire"]
    metric = next(metric for metric in benchmark.info.metrics if metric.name == "CIDEr all")
    wanted = official([texts[1] for texts in CAPTIONS], CAPTIONS)["CIDEr"]
    assert 100 * bootstrap_score(metric, [(row.group, row.metrics) for row in rows]).value == pytest.approx(
        wanted, abs=1e-4
    )
