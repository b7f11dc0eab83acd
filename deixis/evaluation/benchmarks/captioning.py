"""Captioning: one sentence about a signal, by how much it shares with what people wrote. One class, a table of sets."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from deixis.datasets.instruction.caption_sets import AUDIOCAPS, CLOTHO, COCO_CAPTIONS
from deixis.evaluation.benchmark import BenchmarkInfo, Example, ExampleResult, PublishedScore, RequiredFile
from deixis.evaluation.benchmarks import caption_files as files
from deixis.evaluation.benchmarks.records import with_media
from deixis.evaluation.benchmarks.required_files import (
    IMAGES,
    choice_option,
    coco_images,
    find_files,
    place_for,
    require_files,
)
from deixis.evaluation.benchmarks.wording import notation_of, question_for
from deixis.evaluation.metrics.aggregation import ExampleMetrics, Metric, mean
from deixis.evaluation.metrics.caption_metrics import caption_metrics, cider_scores, per_caption_metrics
from deixis.inference import Answer
from deixis.samples.skipped import Skipped

ONELLM = "OneLLM-7B (Han et al., CVPR 2024)"
MAX_NEW_TOKENS = 128
"""As OneLLM's evaluation cuts captions (csuhan/OneLLM@8587a47 eval/image_cap_cococap.py)."""
NOTES = (
    "One generated caption a signal, scored by pycocoevalcap's rules against all its references; an empty answer "
    "scores 0 and is counted.",
    "CIDEr counts words the more the fewer captions of the same part have them: numbers of a part, of a limited run "
    "and of the whole set are of different scales.",
)


@dataclass(frozen=True)
class CaptionSet:
    """A set: what its signals are, the files it may come in, the first that is there, and how each is read."""

    name: str
    title: str
    kind: str
    forms: Mapping[str, files.Read]
    required_files: tuple[RequiredFile, ...]
    notes: tuple[str, ...] = ()
    published: tuple[PublishedScore, ...] = ()
    metrics: tuple[Metric, ...] = ()
    combined_parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    splits: tuple[str, ...] = ()


class Captioning:
    """A sentence about each signal of a set."""

    def __init__(self, of: CaptionSet):
        self.of = of
        self.info = BenchmarkInfo(
            name=of.name,
            title=of.title,
            required_files=of.required_files,
            metrics=(*caption_metrics()[:1], *of.metrics, *caption_metrics()[1:]),
            notes=(*NOTES, *of.notes),
            published=of.published,
            options=IMAGES | ({"split": f"which of {', '.join(of.splits)}; {of.splits[0]}"} if of.splits else {}),
            max_new_tokens=MAX_NEW_TOKENS,
            combined_parts=of.combined_parts,
        )

    def examples(self, data: Path, options: Mapping[str, str]) -> Iterator[Example | Skipped]:
        split = choice_option(options, "split", *(self.of.splits or ("test",)))
        names = {name.format(split=split): read for name, read in self.of.forms.items()}
        path = require_files(data, self.of.required_files[0], *names)[0]
        read = next(read for name, read in names.items() if find_files(data, name))
        question = question_for(f"caption_{self.of.kind}", notation_of(options))
        place = with_media(place_for(path, options), self.of.required_files[1].path)
        for record in read(place, split):
            if isinstance(record, Skipped):
                yield record
            else:
                group = record.signals[0].id
                yield Example(record.id, record.part, group, question, record.signals, ground_truth=record.captions)

    def example_metrics(self, example: Example, answer: Answer) -> ExampleMetrics:
        """The caption and its references; they are scored all together (`finish`)."""
        return {"caption": " ".join(answer.text.split()), "references": list(example.ground_truth)}

    def corpus_metrics(self, rows: Sequence[ExampleResult]) -> Sequence[ExampleResult]:
        """The rows with the marks of their captions, in which words are rare by the captions of a row's own part.

        With several parts, "cider_all" goes by those of all.
        """
        by_part: dict[str, list[int]] = {}
        for number, row in enumerate(rows):
            by_part.setdefault(row.part, []).append(number)
        metrics: dict[int, ExampleMetrics] = {}
        for numbers in by_part.values():
            some = per_caption_metrics(*_captions_of([rows[number] for number in numbers]))
            metrics |= dict(zip(numbers, some, strict=True))
        if self.of.metrics:
            together = cider_scores(*_captions_of(rows))
            metrics = {number: {**metrics[number], "cider_all": value} for number, value in enumerate(together)}
        return [replace(row, metrics={**row.metrics, **metrics[number]}) for number, row in enumerate(rows)]


def _captions_of(rows: Sequence[ExampleResult]) -> tuple[list[str], list[list[str]]]:
    """(captions, their references)."""
    return [row.metrics["caption"] for row in rows], [row.metrics["references"] for row in rows]


def _pictures(path: str, what: str, home: str) -> RequiredFile:
    return RequiredFile(path, what, home, "each picture has its own")


def _published(part: str, source: str, **values: float) -> PublishedScore:
    names = {"cider": "CIDEr", "rouge_l": "ROUGE-L", "bleu_1": "BLEU-1", "meteor": "METEOR", "spider": "SPIDEr"}
    return PublishedScore(ONELLM, part, {names[key]: value for key, value in values.items()}, source)


EVAL_HOME = "https://huggingface.co/datasets/csuhan/OneLLM_Eval"
_SETS = (
    CaptionSet(
        "coco_captions", "COCO captions (Karpathy's split, or val)", "image",
        {"dataset_coco.json": files.karpathy, "coco_karpathy_{split}.json": files.blip_list,
         "captions_val20*.json": files.coco_form},
        (RequiredFile("dataset_coco.json", "Karpathy's split (or coco_karpathy_test.json, or captions_val2014.json)",
                "https://cs.stanford.edu/people/karpathy/deepimagesent", COCO_CAPTIONS.licence),
         coco_images("val2014/")),
        splits=files.SPLITS,
    ),
    CaptionSet(
        "nocaps", "NoCaps: captions of things that COCO does not have", "image",
        {"nocaps_val_4500_captions.json": files.by_domain},
        (RequiredFile("nocaps_val_4500_captions.json", "the captions", "https://nocaps.org/download", "CC-BY-2.0"),
         _pictures("val/", "pictures of Open Images' validation set", "https://nocaps.org/download")),
        notes=("Domains (by a domain an image, or nocaps_val_in-domain.json and the like beside the file) are scored "
               "apart, as officially; CIDEr all has the frequencies of all and is the official number of the whole.",),
        published=(
            PublishedScore(ONELLM, "entire", {"CIDEr all": 115.9}, "table 1"),
            PublishedScore(f"{ONELLM}, the default of its ablations", "entire", {"CIDEr all": 115.8}, "table 7"),
        ),
        metrics=(mean("CIDEr all", "cider_all", "CIDEr-D with word frequencies of all parts together."),),
        combined_parts={"entire": files.DOMAINS},
    ),
    CaptionSet(
        "flickr30k_captions", "Flickr30k captions (Karpathy's split)", "image",
        {"dataset_flickr30k.json": files.karpathy, "flickr30k_{split}.json": files.blip_list,
         "flickr30k_{split}_karpathy.json": files.coco_form},
        (RequiredFile("dataset_flickr30k.json", "Karpathy's split (or flickr30k_test{_karpathy,}.json)",
                "https://cs.stanford.edu/people/karpathy/deepimagesent", "research only"),
         _pictures("flickr30k-images/", "the pictures", "https://shannon.cs.illinois.edu/DenotationGraph")),
        published=(_published("test", "table 1", cider=78.6),),
        splits=files.SPLITS,
    ),
    CaptionSet(
        "clotho_captions", "Clotho: captions of sounds", "audio",
        {"clotho_captions_evaluation.csv": files.clotho, "eval_clothocap_ann.json": files.of_onellm("audio")},
        (RequiredFile("clotho_captions_evaluation.csv", "five captions a sound (or OneLLM's eval_clothocap_ann.json)",
                CLOTHO.home, CLOTHO.licence),
         RequiredFile("evaluation/", "the sounds", CLOTHO.home, "each sound has its own Creative Commons licence")),
        published=(
            _published("evaluation", "table 3", cider=29.1, spider=19.5),
            PublishedScore("ChatBridge-13B", "evaluation", {"CIDEr": 26.2}, f"table 3 of {ONELLM}"),
        ),
    ),
    CaptionSet(
        "audiocaps_captions", "AudioCaps: captions of sounds in films", "audio", {"test.csv": files.audiocaps},
        (RequiredFile("test.csv", "the captions", AUDIOCAPS.home, AUDIOCAPS.licence),
         RequiredFile("*.wav", "the sounds, cut from films", AUDIOCAPS.home, "as the films")),
    ),
    CaptionSet(
        "objaverse_captions", "Objaverse: captions of coloured clouds", "point_cloud",
        {"pointllm_test.json": files.of_onellm("point"),
         "PointLLM_brief_description_val_200_GT.json": files.pointllm_list},
        (RequiredFile("pointllm_test.json", "captions by id (or PointLLM_brief_description_val_200_GT.json)",
                "https://huggingface.co/datasets/RunsenXu/PointLLM", "as Objaverse and Cap3D"),
         RequiredFile("pointllm/8192_npy/", "the clouds", "https://huggingface.co/datasets/RunsenXu/PointLLM",
                "each object has its own")),
        notes=("PointLLM's paper also has GPT-4 judge the captions, which is not done here.",),
        published=(
            _published("test", "table 5", bleu_1=42.2, rouge_l=45.3, meteor=20.3),
            PublishedScore("PointLLM-7B", "test", {"BLEU-1": 8.0, "ROUGE-L": 11.1, "METEOR": 15.2},
                           f"table 5 of {ONELLM}"),
        ),
    ),
    CaptionSet(
        "ego4d_imu_captions", "Ego4D: captions of head motion, 2000 windows", "imu",
        {"imu_2000_cococap.json": files.of_onellm("imu")},
        (RequiredFile("imu_2000_cococap.json", "windows and what was done in them", EVAL_HOME, "Ego4D's licence"),
         RequiredFile("processed_imu/", "the recordings, as IMU2CLIP extracts them", "https://ego4d-data.org/docs/data/imu",
                "Ego4D's licence")),
        published=(_published("test", "section 4.2", cider=24.9, rouge_l=19.5),),
    ),
    CaptionSet(
        "nsd_captions", "NSD: captions of what a person saw, from brain activity", "fmri",
        {"fmri_eval_cococap.json": files.of_onellm("fmri")},
        (RequiredFile("fmri_eval_cococap.json", "responses and captions of what was seen", EVAL_HOME, "NSD's terms"),
         RequiredFile("NSD/", "responses (repeats, voxels)", "https://huggingface.co/datasets/pscotti/naturalscenesdataset",
                "NSD's terms")),
        published=(_published("test", "section 4.2", cider=31.7, rouge_l=25.1),),
    ),
)  # fmt: skip

CAPTIONING: tuple[Captioning, ...] = tuple(map(Captioning, _SETS))
