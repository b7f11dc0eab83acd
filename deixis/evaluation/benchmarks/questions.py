"""Visual question answering and its like for audio and video: short answers, scored by each set's own rule."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deixis.datasets.instruction.question_sets import GQA, VQAV2
from deixis.evaluation.benchmark import BenchmarkInfo, Example, PublishedScore, RequiredFile
from deixis.evaluation.benchmarks import question_files as files
from deixis.evaluation.benchmarks.official_files import (
    IMAGES,
    coco_images,
    converted,
    place_for,
    require_files,
    with_media,
)
from deixis.evaluation.benchmarks.wording import notation_of, question_for
from deixis.evaluation.metrics.aggregation import ExampleMetrics, mean
from deixis.evaluation.metrics.vqa import vqa_accuracy, vqa_text
from deixis.inference import Answer
from deixis.samples.sample import Skipped

ONELLM = "OneLLM-7B (Han et al., CVPR 2024)"
MAX_NEW_TOKENS = 128
MAJORITY_ANNOTATORS = 2
EXACT = mean("exact", "exact", "the answer equals the set's, ignoring case", official=False)


@dataclass(frozen=True)
class Questions:
    """A short answer per question of a set: its file names in order of preference, their reader, and the scoring."""

    names: tuple[str, ...]
    read: files.Read
    score: Callable[[str, Sequence[str]], ExampleMetrics]
    info: BenchmarkInfo

    def examples(self, data: Path, options: Mapping[str, str]) -> Iterator[Example | Skipped]:
        path = require_files(data, self.info.required_files[0], *self.names)[0]
        own = {name: options[name] for name in ("annotations",) if name in options and name in self.info.options}
        notation = notation_of(options)
        place = with_media(place_for(path, options, **own), self.info.required_files[-1].path)
        return converted(
            self.read(place, options),
            lambda item: item.example(question_for("short_answer", notation, text=item.question)),
        )

    def example_metrics(self, example: Example, answer: Answer) -> ExampleMetrics:
        return self.score(answer.text, example.ground_truth)


def score_vqa(answer: str, answers: Sequence[str]) -> ExampleMetrics:
    """VQA accuracy; and whether the answer equals the most frequent annotation."""
    (most, _), *_ = Counter(answers).most_common(1)
    return {"accuracy": vqa_accuracy(answer, answers), "exact": int(_plain(answer) == _plain(most))}


def score_gqa(answer: str, answers: Sequence[str]) -> ExampleMetrics:
    """Exact match, once lower-cased and without the full stop, as answers are submitted, and once as written."""
    return {"correct": int(_plain(answer).rstrip(".") == answers[0]), "exact": int(answer == answers[0])}


def score_annotators(answer: str, answers: Sequence[str]) -> ExampleMetrics:
    """The share of annotators who gave the answer, and whether it is the majority or the unanimous one, if any."""
    given, expected = vqa_text(answer), [vqa_text(text) for text in answers]
    most, count = Counter(expected).most_common(1)[0]
    return {
        "share": sum(text == given for text in expected) / len(expected),
        "majority": int(given == most) if count >= MAJORITY_ANNOTATORS else None,
        "unanimous": int(given == most) if count == len(expected) else None,
        "any": int(given in expected),
    }


def score_containment(answer: str, answers: Sequence[str]) -> ExampleMetrics:
    """OneLLM's rule: the answer is a substring of the set's or the reverse, so that an empty one counts as correct."""
    given, expected = answer.strip().lower(), answers[0].strip().lower()
    return {
        "loose": int(given in expected or expected in given),
        "correct": int(bool(given) and vqa_text(given) == vqa_text(expected)),
        "exact": int(given == expected),
        "empty": int(not given),
    }


def _plain(text: str) -> str:
    return text.strip().lower()


def _set(
    name: str,
    title: str,
    names: tuple[str, ...],
    read: files.Read,
    score: Callable[[str, Sequence[str]], ExampleMetrics],
    *described: Any,
    options: Mapping[str, str] | None = None,
    **info: Any,
) -> Questions:
    """A set; `described` are required files, metrics and notes."""
    options = IMAGES | dict(options or {})
    return Questions(
        names,
        read,
        score,
        BenchmarkInfo(name, title, *described, options=options, max_new_tokens=MAX_NEW_TOKENS, **info),
    )


HIT = mean(
    "accuracy", "correct", "the answer equals the set's after VQA's normalisation (punctuation, articles, number words)"
)
CONTAINMENT = (
    "OneLLM's rule for MSVD-QA: the answer is a substring of the set's or the reverse, so that an empty answer is "
    "correct, and one that names everything"
)
MUSIC = {
    "Audio": ("Counting", "Comparative"),
    "Visual": ("Counting", "Location"),
    "Audio-Visual": ("Existential", "Counting", "Location", "Comparative", "Temporal"),
}
MUSIC_PARTS = {about: tuple(f"{about} {question_type}" for question_type in types) for about, types in MUSIC.items()}
QUESTIONS: tuple[Questions, ...] = (
    _set(
        "vqav2", "VQAv2: open-ended questions about images, ten annotations each",
        ("v2_OpenEnded_mscoco_val2014_questions.json", "v2_OpenEnded_mscoco_*_questions.json"),
        files.vqav2, score_vqa,
        (RequiredFile("v2_OpenEnded_mscoco_val2014_questions.json", "the questions", VQAV2.home, VQAV2.licence),
         RequiredFile("v2_mscoco_val2014_annotations.json", "the answers", VQAV2.home, VQAV2.licence),
         coco_images("val2014/")),
        (mean("accuracy", "accuracy", "min(1, n / 3) for an answer that n of the nine other annotators gave"), EXACT),
        ("Answers are normalised by VQA's own rules before they are compared, but only if the annotations differ.",
         "Papers report test-dev, whose annotations are not public; here val2014, or another file with annotations."),
        published=(
            PublishedScore(ONELLM, "all", {"accuracy": 71.6}, "table 1, test-dev"),
            PublishedScore("LLaVA-1.5-7B", "all", {"accuracy": 78.5}, f"table 1 of {ONELLM}, test-dev"),
            PublishedScore("AnyMAL-70B", "all", {"accuracy": 64.2}, f"table 1 of {ONELLM}"),
        ),
        combined_parts={"all": ("yes/no", "number", "other")},
        options={"annotations": "file of the annotations, if its name does not correspond to that of the questions"},
    ),
    _set(
        "gqa", "GQA: questions generated from scene graphs",
        ("testdev_balanced_questions.json", "val_balanced_questions.json", "*_questions.json"), files.gqa, score_gqa,
        (RequiredFile("testdev_balanced_questions.json", "the questions (or val_balanced_questions.json)", GQA.home,
                GQA.licence),
         RequiredFile("images/", "the images", GQA.home, GQA.licence)),
        (mean("accuracy", "correct", "the lower-cased answer without its full stop equals the set's"),
         mean("exact", "exact", "the answer as written equals the set's, as eval.py compares", official=False)),
        ("The set's eval.py compares exactly; papers' answers are first lower-cased and lose their full stop, as in "
         "LLaVA's convert_gqa_for_eval.py.",
         "Consistency, validity, plausibility and grounding, which eval.py also has, are not scored."),
        published=(
            PublishedScore(ONELLM, "all", {"accuracy": 59.5}, "table 1"),
            PublishedScore("LLaVA-1.5-7B", "all", {"accuracy": 62.0}, f"table 1 of {ONELLM}"),
        ),
        combined_parts={"all": ("binary", "open")},
    ),
    _set(
        "clotho_aqa", "Clotho-AQA: questions about audio, three annotations each", ("clotho_aqa_test.csv",),
        files.clotho_aqa, score_annotators,
        (RequiredFile("clotho_aqa_test.csv", "questions and answers", "https://zenodo.org/records/6473207", "MIT"),
         RequiredFile("audio_files/", "the audio files", "https://zenodo.org/records/6473207", "per file")),
        (mean("accuracy", "share", "share of the three annotations that equal the answer"),
         mean("majority", "majority", "the answer equals that of at least two annotators, if there is one"),
         mean("unanimous", "unanimous", "the answer equals that of all three, if they agree"),
         mean("any", "any", "the answer equals one of the three", official=False)),
        ("The set's paper scores all annotations, majority answers and unanimous ones separately, so there are three "
         "numbers; papers on language models rarely state which they use; published scores are shown with the first.",
         "Answers are compared after VQA's normalisation of punctuation, articles and case."),
        published=(
            PublishedScore(ONELLM, "all", {"accuracy": 57.9}, "table 3; which of the numbers is not stated"),
            PublishedScore("Pengi", "all", {"accuracy": 64.5}, f"table 3 of {ONELLM}, trained on it"),
        ),
        combined_parts={"all": ("binary", "single word")},
    ),
    _set(
        "music_avqa", "MUSIC-AVQA: questions about music videos with audio", ("avqa-test.json",),
        files.music_avqa, score_containment,
        (RequiredFile("avqa-test.json", "the questions", "https://gewu-lab.github.io/MUSIC-AVQA", "non-commercial"),
         RequiredFile("MUSIC-AVQA-videos-Real/", "videos, with the audio of each as ID.wav",
                "https://gewu-lab.github.io/MUSIC-AVQA", "non-commercial")),
        (HIT, EXACT, mean("loose", "loose", CONTAINMENT)),
        ("The set has 42 answers and scores exact matches; number words and digits are equal.",
         "A question is asked with video and audio; media=video or media=audio gives only one of them."),
        published=(
            PublishedScore(ONELLM, "all", {"accuracy": 47.6}, "table 4"),
            PublishedScore("ChatBridge-13B", "all", {"accuracy": 43.0}, f"table 4 of {ONELLM}"),
        ),
        combined_parts={**MUSIC_PARTS, "all": tuple(part for parts in MUSIC_PARTS.values() for part in parts)},
        options={"media": "both (default), video or audio"},
    ),
    _set(
        "msvd_qa", "MSVD-QA: questions about short videos", ("MSVD-QA/test_qa.json", "test_qa.json"), files.msvd,
        score_containment,
        (RequiredFile("MSVD-QA/test_qa.json", "the questions", "https://github.com/xudejing/video-question-answering",
                "research only"),
         RequiredFile("MSVD-QA/youtube_mapping.txt", "the video of each number",
                "https://github.com/xudejing/video-question-answering", "research only"),
         RequiredFile("YouTubeClips/", "the videos", "https://www.cs.utexas.edu/users/ml/clamp/videoDescription",
                "research only")),
        (mean("accuracy", "loose", CONTAINMENT),
         mean("strict accuracy", "correct", "the answer equals the set's after VQA's normalisation", official=False),
         EXACT,
         mean("empty", "empty", "share of empty answers, which the accuracy counts as correct", official=False)),
        ("The accuracy is OneLLM's rule (eval/video_qa_msvd.py); other papers use a language model as judge.",),
        published=(
            PublishedScore(ONELLM, "all", {"accuracy": 56.5}, "table 2"),
            PublishedScore("AnyMAL-13B", "all", {"accuracy": 47.9}, f"table 2 of {ONELLM}"),
            PublishedScore("ChatBridge-13B", "all", {"accuracy": 45.3}, f"table 2 of {ONELLM}"),
        ),
        combined_parts={"all": files.QUESTION_WORDS},
    ),
)  # fmt: skip
