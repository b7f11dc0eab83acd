"""Short questions with short answers, each set by its own way of comparing them. One class, a table of sets."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deixis.datasets.instruction.question_sets import GQA, VQAV2
from deixis.evaluation.benchmark import BenchmarkInfo, Example, PublishedScore, RequiredFile
from deixis.evaluation.benchmarks import question_files as files
from deixis.evaluation.benchmarks.records import with_media
from deixis.evaluation.benchmarks.required_files import IMAGES, coco_images, place_for, require_files
from deixis.evaluation.benchmarks.wording import notation_of, question_for
from deixis.evaluation.metrics.aggregation import ExampleMetrics, Metric, mean
from deixis.evaluation.metrics.vqa import vqa_accuracy, vqa_text
from deixis.inference import Answer
from deixis.samples.skipped import Skipped

ONELLM = "OneLLM-7B (Han et al., CVPR 2024)"
MAX_NEW_TOKENS = 128
MAJORITY = 2
EXACT = mean("exact", "exact", "the answer is the set's, letter for letter, but for capitals", official=False)


@dataclass(frozen=True)
class QuestionSet:
    """A set: its files by their names in order, how they are read, and how an answer is judged by the right ones."""

    name: str
    title: str
    names: tuple[str, ...]
    read: files.Read
    judge: Callable[[str, Sequence[str]], ExampleMetrics]
    required_files: tuple[RequiredFile, ...]
    metrics: tuple[Metric, ...]
    notes: tuple[str, ...]
    published: tuple[PublishedScore, ...] = ()
    combined_parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)


class Questions:
    """A short answer to each question of a set."""

    def __init__(self, of: QuestionSet):
        self.of = of
        self.info = BenchmarkInfo(
            name=of.name,
            title=of.title,
            required_files=of.required_files,
            metrics=of.metrics,
            notes=of.notes,
            published=of.published,
            options=IMAGES | dict(of.options),
            max_new_tokens=MAX_NEW_TOKENS,
            combined_parts=of.combined_parts,
        )

    def examples(self, data: Path, options: Mapping[str, str]) -> Iterator[Example | Skipped]:
        path = require_files(data, self.of.required_files[0], *self.of.names)[0]
        own = {name: options[name] for name in ("annotations",) if name in options and name in self.of.options}
        notation = notation_of(options)
        place = with_media(place_for(path, options, **own), self.of.required_files[-1].path)
        for asked in self.of.read(place, options):
            if isinstance(asked, Skipped):
                yield asked
            else:
                text = question_for("short_answer", notation, text=asked.question)
                yield Example(asked.id, asked.part, asked.media[0].id, text, asked.media, ground_truth=asked.answers)

    def example_metrics(self, example: Example, answer: Answer) -> ExampleMetrics:
        return self.of.judge(answer.text, example.ground_truth)


def judge_vqa(answer: str, answers: Sequence[str]) -> ExampleMetrics:
    """VQA's accuracy; and whether the answer is the one that most people gave, letter for letter."""
    (most, _), *_ = Counter(answers).most_common(1)
    return {"accuracy": vqa_accuracy(answer, answers), "exact": int(_plain(answer) == _plain(most))}


def judge_gqa(answer: str, answers: Sequence[str]) -> ExampleMetrics:
    """Equal to the set's answer, once as the field hands answers in (small letters, no full stop), once as written."""
    return {"correct": int(_plain(answer).rstrip(".") == answers[0]), "exact": int(answer == answers[0])}


def judge_people(answer: str, answers: Sequence[str]) -> ExampleMetrics:
    """The share of people who gave the answer, and whether the majority or all did, where there is such."""
    given, theirs = vqa_text(answer), [vqa_text(text) for text in answers]
    most, count = Counter(theirs).most_common(1)[0]
    return {
        "share": sum(text == given for text in theirs) / len(theirs),
        "majority": int(given == most) if count >= MAJORITY else None,
        "unanimous": int(given == most) if count == len(theirs) else None,
        "any": int(given in theirs),
    }


def judge_loosely(answer: str, answers: Sequence[str]) -> ExampleMetrics:
    """OneLLM's rule: the answer stands in the set's, or the set's in it, so that an empty one counts as right."""
    given, right = answer.strip().lower(), answers[0].strip().lower()
    return {
        "loose": int(given in right or right in given),
        "correct": int(bool(given) and vqa_text(given) == vqa_text(right)),
        "exact": int(given == right),
        "empty": int(not given),
    }


def _plain(text: str) -> str:
    return text.strip().lower()


HIT = mean("accuracy", "correct", "the answer is the set's, made alike as VQA does (marks, articles, number words)")
LOOSE = (
    "OneLLM's rule for MSVD-QA: the answer stands in the set's or the set's in it, so that an empty answer is right, "
    "and one that names everything"
)
MUSIC = {
    "Audio": ("Counting", "Comparative"),
    "Visual": ("Counting", "Location"),
    "Audio-Visual": ("Existential", "Counting", "Location", "Comparative", "Temporal"),
}
MUSIC_PARTS = {about: tuple(f"{about} {kind}" for kind in kinds) for about, kinds in MUSIC.items()}
_SETS = (
    QuestionSet(
        "vqav2", "VQAv2: open questions about pictures, ten people's answers",
        ("v2_OpenEnded_mscoco_val2014_questions.json", "v2_OpenEnded_mscoco_*_questions.json"),
        files.vqav2, judge_vqa,
        (RequiredFile("v2_OpenEnded_mscoco_val2014_questions.json", "the questions", VQAV2.home, VQAV2.licence),
         RequiredFile("v2_mscoco_val2014_annotations.json", "the answers", VQAV2.home, VQAV2.licence),
         coco_images("val2014/")),
        (mean("accuracy", "accuracy", "min(1, n / 3) for an answer that n of nine other people gave"), EXACT),
        ("Answers are made alike by VQA's own rules before they are compared, but only where people disagree.",
         "Papers report test-dev, whose answers the set's server keeps; here val2014, or another file with answers."),
        published=(
            PublishedScore(ONELLM, "all", {"accuracy": 71.6}, "table 1, test-dev"),
            PublishedScore("LLaVA-1.5-7B", "all", {"accuracy": 78.5}, f"table 1 of {ONELLM}, test-dev"),
            PublishedScore("AnyMAL-70B", "all", {"accuracy": 64.2}, f"table 1 of {ONELLM}"),
        ),
        combined_parts={"all": ("yes/no", "number", "other")},
        options={"annotations": "the file of the answers, where its name does not go with the questions'"},
    ),
    QuestionSet(
        "gqa", "GQA: questions made of scene graphs",
        ("testdev_balanced_questions.json", "val_balanced_questions.json", "*_questions.json"), files.gqa, judge_gqa,
        (RequiredFile("testdev_balanced_questions.json", "the questions (or val_balanced_questions.json)", GQA.home,
                GQA.licence),
         RequiredFile("images/", "the pictures", GQA.home, GQA.licence)),
        (mean("accuracy", "correct", "the answer is the set's, once in small letters and without a full stop"),
         mean("exact", "exact", "the answer as it was written is the set's, as eval.py compares", official=False)),
        ("The set's eval.py compares letter for letter; papers' answers are first put in small letters and lose their "
         "full stop, as LLaVA's convert_gqa_for_eval.py does.",
         "Consistency, validity, plausibility and grounding, which eval.py also has, are not scored."),
        published=(
            PublishedScore(ONELLM, "all", {"accuracy": 59.5}, "table 1"),
            PublishedScore("LLaVA-1.5-7B", "all", {"accuracy": 62.0}, f"table 1 of {ONELLM}"),
        ),
        combined_parts={"all": ("binary", "open")},
    ),
    QuestionSet(
        "clotho_aqa", "Clotho-AQA: questions about sounds, three people's answers", ("clotho_aqa_test.csv",),
        files.clotho_aqa, judge_people,
        (RequiredFile("clotho_aqa_test.csv", "questions and answers", "https://zenodo.org/records/6473207", "MIT"),
         RequiredFile("audio_files/", "the sounds", "https://zenodo.org/records/6473207", "each sound has its own")),
        (mean("accuracy", "share", "of the three answers to a question, the share that the answer is equal to"),
         mean("majority", "majority", "the answer is that of two people or three, where there is one"),
         mean("unanimous", "unanimous", "the answer is that of all three, where they agree"),
         mean("any", "any", "the answer is that of one of the three", official=False)),
        ("The set's paper scores all rows, majority answers and unanimous ones apart, so three numbers stand here; "
         "papers on language models seldom say which is theirs, and published numbers stand beside the first.",
         "Answers are compared once marks, articles and capitals are taken off as VQA does."),
        published=(
            PublishedScore(ONELLM, "all", {"accuracy": 57.9}, "table 3; which answers count is not said"),
            PublishedScore("Pengi", "all", {"accuracy": 64.5}, f"table 3 of {ONELLM}, trained on it"),
        ),
        combined_parts={"all": ("binary", "single word")},
    ),
    QuestionSet(
        "music_avqa", "MUSIC-AVQA: questions about films of music, and their sound", ("avqa-test.json",),
        files.music_avqa, judge_loosely,
        (RequiredFile("avqa-test.json", "the questions", "https://gewu-lab.github.io/MUSIC-AVQA", "non-commercial"),
         RequiredFile("MUSIC-AVQA-videos-Real/", "films, and their sound beside each as ID.wav",
                "https://gewu-lab.github.io/MUSIC-AVQA", "non-commercial")),
        (HIT, EXACT, mean("loose", "loose", LOOSE)),
        ("The set has 42 answers and counts equal ones; number words and digits are taken for the same.",
         "A question goes with the film and its sound; media=film or media=sound asks about one alone."),
        published=(
            PublishedScore(ONELLM, "all", {"accuracy": 47.6}, "table 4"),
            PublishedScore("ChatBridge-13B", "all", {"accuracy": 43.0}, f"table 4 of {ONELLM}"),
        ),
        combined_parts={**MUSIC_PARTS, "all": tuple(part for parts in MUSIC_PARTS.values() for part in parts)},
        options={"media": "both (the usual), film or sound"},
    ),
    QuestionSet(
        "msvd_qa", "MSVD-QA: questions about short films", ("MSVD-QA/test_qa.json", "test_qa.json"), files.msvd,
        judge_loosely,
        (RequiredFile("MSVD-QA/test_qa.json", "the questions", "https://github.com/xudejing/video-question-answering",
                "research only"),
         RequiredFile("MSVD-QA/youtube_mapping.txt", "which film a number is",
                "https://github.com/xudejing/video-question-answering", "research only"),
         RequiredFile("YouTubeClips/", "the films", "https://www.cs.utexas.edu/users/ml/clamp/videoDescription",
                "research only")),
        (mean("accuracy", "loose", LOOSE),
         mean("strict accuracy", "correct", "the answer is the set's, made alike as VQA does", official=False),
         EXACT,
         mean("empty", "empty", "the share of empty answers, which the accuracy counts as right", official=False)),
        ("The accuracy is OneLLM's rule (eval/video_qa_msvd.py); other papers have a language model judge.",),
        published=(
            PublishedScore(ONELLM, "all", {"accuracy": 56.5}, "table 2"),
            PublishedScore("AnyMAL-13B", "all", {"accuracy": 47.9}, f"table 2 of {ONELLM}"),
            PublishedScore("ChatBridge-13B", "all", {"accuracy": 45.3}, f"table 2 of {ONELLM}"),
        ),
        combined_parts={"all": files.QUESTION_WORDS},
    ),
)  # fmt: skip

QUESTIONS: tuple[Questions, ...] = tuple(map(Questions, _SETS))
