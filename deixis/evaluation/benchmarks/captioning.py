"""Captioning of images, audio, point clouds, IMU recordings and fMRI responses: CIDEr and other caption metrics."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from deixis.datasets.instruction.caption_sets import AUDIOCAPS, CLOTHO, COCO_CAPTIONS
from deixis.evaluation.benchmark import BenchmarkInfo, Example, ExampleResult, PublishedScore, RequiredFile
from deixis.evaluation.benchmarks import caption_files as files
from deixis.evaluation.benchmarks.official_files import (
    IMAGES,
    choice_option,
    coco_images,
    converted,
    find_files,
    place_for,
    require_files,
    with_media,
)
from deixis.evaluation.benchmarks.wording import notation_of, question_for
from deixis.evaluation.metrics.aggregation import ExampleMetrics, Metric, mean
from deixis.evaluation.metrics.caption_metrics import caption_metrics, cider_scores, per_caption_metrics
from deixis.inference import Answer
from deixis.samples.sample import Skipped

ONELLM = "OneLLM-7B (Han et al., CVPR 2024)"
MAX_NEW_TOKENS = 128
"""As in OneLLM's evaluation (csuhan/OneLLM@8587a47 eval/image_cap_cococap.py)."""
NOTES = (
    "One generated caption per signal, scored as by pycocoevalcap against all references; an empty answer scores 0.",
    "CIDEr weights n-grams by their inverse document frequency in the part: scores of a part, of a limited run and of "
    "the whole set are not comparable.",
)


@dataclass(frozen=True)
class Captioning:
    """One caption per signal of a set: the modality, and a reader per possible file; the first found is used."""

    modality: str
    readers: Mapping[str, files.Read]
    splits: tuple[str, ...]
    info: BenchmarkInfo

    def examples(self, data: Path, options: Mapping[str, str]) -> Iterator[Example | Skipped]:
        split = choice_option(options, "split", *(self.splits or ("test",)))
        names = {name.format(split=split): read for name, read in self.readers.items()}
        path = require_files(data, self.info.required_files[0], *names)[0]
        read = next(read for name, read in names.items() if find_files(data, name))
        question = question_for(f"caption_{self.modality}", notation_of(options))
        place = with_media(place_for(path, options), self.info.required_files[1].path)
        return converted(read(place, split), lambda item: item.example(question))

    def example_metrics(self, example: Example, answer: Answer) -> ExampleMetrics:
        """The caption and its references; the metrics need all captions (`corpus_metrics`)."""
        return {"caption": " ".join(answer.text.split()), "references": list(example.ground_truth)}

    def corpus_metrics(self, rows: Sequence[ExampleResult]) -> Sequence[ExampleResult]:
        """The results with caption metrics, whose document frequencies are those of each part.

        "cider_all", of sets with several parts, uses the document frequencies of all parts.
        """
        by_part: dict[str, list[int]] = {}
        for number, row in enumerate(rows):
            by_part.setdefault(row.part, []).append(number)
        metrics: dict[int, ExampleMetrics] = {}
        for numbers in by_part.values():
            some = per_caption_metrics(*_captions_of([rows[number] for number in numbers]))
            metrics |= dict(zip(numbers, some, strict=True))
        if self.info.combined_parts:
            together = cider_scores(*_captions_of(rows))
            metrics = {number: {**metrics[number], "cider_all": value} for number, value in enumerate(together)}
        return [replace(row, metrics={**row.metrics, **metrics[number]}) for number, row in enumerate(rows)]


def _captions_of(rows: Sequence[ExampleResult]) -> tuple[list[str], list[list[str]]]:
    return [row.metrics["caption"] for row in rows], [row.metrics["references"] for row in rows]


def _set(
    name: str,
    title: str,
    modality: str,
    readers: Mapping[str, files.Read],
    required_files: tuple[RequiredFile, ...],
    notes: tuple[str, ...] = (),
    metrics: tuple[Metric, ...] = (),
    splits: tuple[str, ...] = (),
    **info: Any,
) -> Captioning:
    cider, *others = caption_metrics()
    options = IMAGES | ({"split": f"which of {', '.join(splits)}; {splits[0]}"} if splits else {})
    notes, metrics = (*NOTES, *notes), (cider, *metrics, *others)
    description = BenchmarkInfo(
        name, title, required_files, metrics, notes, options=options, max_new_tokens=MAX_NEW_TOKENS, **info
    )
    return Captioning(modality, readers, splits, description)


def _images(path: str, what: str, home: str) -> RequiredFile:
    return RequiredFile(path, what, home, "per image")


def _published(part: str, source: str, **values: float) -> PublishedScore:
    names = {"cider": "CIDEr", "rouge_l": "ROUGE-L", "bleu_1": "BLEU-1", "meteor": "METEOR", "spider": "SPIDEr"}
    return PublishedScore(ONELLM, part, {names[key]: value for key, value in values.items()}, source)


EVAL_HOME = "https://huggingface.co/datasets/csuhan/OneLLM_Eval"
CAPTIONING: tuple[Captioning, ...] = (
    _set(
        "coco_captions", "COCO captions (Karpathy's split, or val)", "image",
        {"dataset_coco.json": files.karpathy, "coco_karpathy_{split}.json": files.blip_list,
         "captions_val20*.json": files.coco_form},
        (RequiredFile("dataset_coco.json", "Karpathy's split (or coco_karpathy_test.json, or captions_val2014.json)",
                "https://cs.stanford.edu/people/karpathy/deepimagesent", COCO_CAPTIONS.licence),
         coco_images("val2014/")),
        splits=files.SPLITS,
    ),
    _set(
        "nocaps", "NoCaps: captions of novel objects, absent from COCO", "image",
        {"nocaps_val_4500_captions.json": files.by_domain},
        (RequiredFile("nocaps_val_4500_captions.json", "the captions", "https://nocaps.org/download", "CC-BY-2.0"),
         _images("val/", "images of Open Images' validation set", "https://nocaps.org/download")),
        notes=("Domains (from the file, or nocaps_val_in-domain.json and the like beside it) are scored separately, as "
               "officially; CIDEr all uses the document frequencies of all: the official score of the whole.",),
        published=(
            PublishedScore(ONELLM, "entire", {"CIDEr all": 115.9}, "table 1"),
            PublishedScore(f"{ONELLM}, default setting of its ablations", "entire", {"CIDEr all": 115.8}, "table 7"),
        ),
        metrics=(mean("CIDEr all", "cider_all", "CIDEr-D with the document frequencies of all parts."),),
        combined_parts={"entire": files.DOMAINS},
    ),
    _set(
        "flickr30k_captions", "Flickr30k captions (Karpathy's split)", "image",
        {"dataset_flickr30k.json": files.karpathy, "flickr30k_{split}.json": files.blip_list,
         "flickr30k_{split}_karpathy.json": files.coco_form},
        (RequiredFile("dataset_flickr30k.json", "Karpathy's split (or flickr30k_test{_karpathy,}.json)",
                "https://cs.stanford.edu/people/karpathy/deepimagesent", "research only"),
         _images("flickr30k-images/", "the images", "https://shannon.cs.illinois.edu/DenotationGraph")),
        published=(_published("test", "table 1", cider=78.6),),
        splits=files.SPLITS,
    ),
    _set(
        "clotho_captions", "Clotho: audio captions", "audio",
        {"clotho_captions_evaluation.csv": files.clotho, "eval_clothocap_ann.json": files.of_onellm("audio")},
        (RequiredFile("clotho_captions_evaluation.csv", "five captions per file (or OneLLM's eval_clothocap_ann.json)",
                CLOTHO.home, CLOTHO.licence),
         RequiredFile("evaluation/", "the audio files", CLOTHO.home, "Creative Commons, per file")),
        published=(
            _published("evaluation", "table 3", cider=29.1, spider=19.5),
            PublishedScore("ChatBridge-13B", "evaluation", {"CIDEr": 26.2}, f"table 3 of {ONELLM}"),
        ),
    ),
    _set(
        "audiocaps_captions", "AudioCaps: audio captions", "audio", {"test.csv": files.audiocaps},
        (RequiredFile("test.csv", "the captions", AUDIOCAPS.home, AUDIOCAPS.licence),
         RequiredFile("*.wav", "the audio clips, from videos", AUDIOCAPS.home, "as the videos")),
    ),
    _set(
        "objaverse_captions", "Objaverse: captions of coloured point clouds", "point_cloud",
        {"pointllm_test.json": files.of_onellm("point"),
         "PointLLM_brief_description_val_200_GT.json": files.pointllm_list},
        (RequiredFile("pointllm_test.json", "captions by id (or PointLLM_brief_description_val_200_GT.json)",
                "https://huggingface.co/datasets/RunsenXu/PointLLM", "as Objaverse and Cap3D"),
         RequiredFile("pointllm/8192_npy/", "the point clouds", "https://huggingface.co/datasets/RunsenXu/PointLLM",
                "per object")),
        notes=("PointLLM's paper also uses GPT-4 as a judge, which is not done here.",),
        published=(
            _published("test", "table 5", bleu_1=42.2, rouge_l=45.3, meteor=20.3),
            PublishedScore("PointLLM-7B", "test", {"BLEU-1": 8.0, "ROUGE-L": 11.1, "METEOR": 15.2},
                           f"table 5 of {ONELLM}"),
        ),
    ),
    _set(
        "ego4d_imu_captions", "Ego4D: captions of head-mounted IMU recordings, 2000 windows", "imu",
        {"imu_2000_cococap.json": files.of_onellm("imu")},
        (RequiredFile("imu_2000_cococap.json", "windows and their captions", EVAL_HOME, "Ego4D's licence"),
         RequiredFile("processed_imu/", "the recordings, as IMU2CLIP extracts them",
         "https://ego4d-data.org/docs/data/imu",
                "Ego4D's licence")),
        published=(_published("test", "section 4.2", cider=24.9, rouge_l=19.5),),
    ),
    _set(
        "nsd_captions", "NSD: captions of the viewed image from fMRI responses", "fmri",
        {"fmri_eval_cococap.json": files.of_onellm("fmri")},
        (RequiredFile("fmri_eval_cococap.json", "responses, captions of viewed images", EVAL_HOME, "NSD's terms"),
         RequiredFile("NSD/", "fMRI responses (repeats, voxels)",
         "https://huggingface.co/datasets/pscotti/naturalscenesdataset",
                "NSD's terms")),
        published=(_published("test", "section 4.2", cider=31.7, rouge_l=25.1),),
    ),
)  # fmt: skip
