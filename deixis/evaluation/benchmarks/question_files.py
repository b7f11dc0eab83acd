"""Readers of question-answering sets: per set an iterator of `Item`, a question in plain text with its expected
answer, or those of several annotators.

    VQAv2, GQA          by the readers of the formats `vqav2` and `gqa`, with the question types of the files
    Clotho-AQA          clotho_aqa_test.csv: file_name, QuestionText, answer, confidence; three rows per question
    MUSIC-AVQA          avqa-test.json: [{"video_id", "question_id", "type": '["Audio", "Counting"]',
                        "question_content": "How many <Object> ...?", "templ_values": '["flute"]', "anser"}]
    MSVD-QA             by the reader of the format `onellm`

Sources: zenodo.org/records/6473207; GeWu-Lab/MUSIC-AVQA data/json; csuhan/OneLLM@8587a47 eval/video_qa_msvd.py.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from deixis.datasets.files.json_stream import json_items, json_pairs, json_rows
from deixis.datasets.instruction.caption_sets import scan_table
from deixis.datasets.instruction.onellm import ONELLM
from deixis.datasets.instruction.onellm_media import audio_header, locate
from deixis.datasets.instruction.question_sets import GQA, VQAV2, vqav2_annotations
from deixis.datasets.source import DatasetConfig, Format
from deixis.errors import DataError, DeixisError, InputError
from deixis.evaluation.benchmarks.official_files import Item, choice_option, records, unescaped
from deixis.files.json_text import parse_json
from deixis.samples.consistency import shown
from deixis.samples.sample import MediaReference, Sample, Skipped

QUESTION_WORDS = ("what", "who", "how", "when", "where")
YES_NO = frozenset({"yes", "no"})
AUDIO_SUFFIXES = (".wav", ".flac", ".mp3")
BOTH, VIDEO, AUDIO = "both", "video", "audio"


Read = Callable[[DatasetConfig, Mapping[str, str]], Iterator[Item | Skipped]]


def vqav2(config: DatasetConfig, options: Mapping[str, str]) -> Iterator[Item | Skipped]:
    """The part is the answer type: yes/no, number or other."""
    types = {
        str(row["question_id"]): str(row.get("answer_type", "other"))
        for _, row in json_items(vqav2_annotations(config), "annotations")
        if isinstance(row, dict) and "question_id" in row
    }
    return _by(VQAV2, config, lambda sample: types.get(_key(sample), "other"))


def gqa(config: DatasetConfig, options: Mapping[str, str]) -> Iterator[Item | Skipped]:
    """The part is "open" for questions of the structure "query", else "binary", as in the set's eval.py."""
    open_questions = {
        key
        for _, key, row in json_pairs(config.path)
        if isinstance(row, dict) and isinstance(types := row.get("types"), dict) and types.get("structural") == "query"
    }
    return _by(GQA, config, lambda sample: "open" if _key(sample) in open_questions else "binary", first_only=True)


def msvd(config: DatasetConfig, options: Mapping[str, str]) -> Iterator[Item | Skipped]:
    """The part is the first word of the question."""

    def part(sample: Sample) -> str:
        word = sample.turns[0].user.split(maxsplit=1)[0].lower()
        return word if word in QUESTION_WORDS else "other"

    return _by(ONELLM, DatasetConfig(config.path, config.images, "test", {"kind": "video"}), part)


def clotho_aqa(config: DatasetConfig, options: Mapping[str, str]) -> Iterator[Item | Skipped]:
    """Answers are those of all annotators; the part is "binary" if all of them are yes or no."""
    answers_of: dict[tuple[str, str], list[str]] = {}
    for row in scan_table(config, ("file_name", "QuestionText", "answer"), "file_name"):
        if isinstance(row, Skipped):
            yield row
        elif not (row.value["QuestionText"].strip() and row.value["answer"].strip()):
            yield Skipped(row.where, "expected a question and an answer, got an empty cell")
        else:
            answers_of.setdefault((row.key, row.value["QuestionText"].strip()), []).append(row.value["answer"].strip())
    for number, ((file, question), answers) in enumerate(answers_of.items()):
        path = locate(config, file)
        medium = MediaReference(f"clotho/{Path(file).stem.strip()}", "audio", path=str(path), **audio_header(path))
        part = "binary" if {answer.lower() for answer in answers} <= YES_NO else "single word"
        yield Item(f"clotho_aqa/{number}", part, (medium,), tuple(answers), question)


def music_avqa(config: DatasetConfig, options: Mapping[str, str]) -> Iterator[Item | Skipped]:
    """The part is modality and question type: "Audio Counting". With the video, its audio, or both."""
    selected = choice_option(options, "media", BOTH, VIDEO, AUDIO)
    media: dict[str, tuple[MediaReference, ...]] = {}
    for where, row in json_rows(config.path):
        try:
            question = _filled(row["question_content"], _list(row["templ_values"]))
            part = " ".join(_list(row["type"]))
            name, answer = str(row["video_id"]), str(row["anser"])
        except (KeyError, TypeError, DeixisError) as error:
            yield Skipped(where, f"expected a question as in MUSIC-AVQA's files, got {shown(row)} ({error})")
            continue
        if name not in media:
            media[name] = _video_and_audio(config, name, selected)
        yield Item(f"music_avqa/{row.get('question_id', where)}", part, media[name], (answer,), question)


def _by(
    form: Format, config: DatasetConfig, part: Callable[[Sample], str], first_only: bool = False
) -> Iterator[Item | Skipped]:
    """The questions of a format; the expected answers are the references of the sample, else its answer."""
    for record in records(form, config):
        if isinstance(record, Sample):
            (turn,) = record.turns
            answers = (turn.assistant,) if first_only or not turn.references else turn.references
            yield Item(record.id, part(record), record.signals, tuple(map(unescaped, answers)), unescaped(turn.user))
        elif isinstance(record, Skipped):
            yield record


def _key(sample: Sample) -> str:
    return sample.id.partition("/")[2]


def _list(value: Any) -> Sequence[str]:
    """A list, which these files store as JSON text."""
    try:
        found = parse_json(value) if isinstance(value, str) else value
    except DataError:
        found = value
    if not isinstance(found, list):
        raise DataError(f"expected a list, got {shown(value)}")
    return [str(item) for item in found]


def _filled(question: str, values: Sequence[str]) -> str:
    """A question with its placeholders, such as <Object>, filled in order.

    >>> _filled("Is the <Object> on the <LRer>?", ["flute", "left"])
    'Is the flute on the left?'
    """
    if len(re.findall(r"<[^<>]*>", question)) != len(values):
        raise DataError(f"templ_values: expected one word per <...> of {question!r}, got {list(values)}")
    rest = iter(values)
    return re.sub(r"<[^<>]*>", lambda _: next(rest), question)


def _video_and_audio(config: DatasetConfig, name: str, selected: str) -> tuple[MediaReference, ...]:
    """The video, its audio (a file of its own beside the video), or both."""
    video = MediaReference(f"music_avqa/{name}", "video", path=str(_below(config, f"{name}.mp4") or f"{name}.mp4"))
    if selected == VIDEO:
        return (video,)
    found = next(filter(None, map(partial(_below, config), (f"{name}{ending}" for ending in AUDIO_SUFFIXES))), None)
    if found is None:
        raise InputError(
            f"media: expected the audio of {name}.mp4 in a separate file, {name}.wav, got none; extract it with "
            f"ffmpeg -i {name}.mp4 {name}.wav, or choose media=video"
        )
    audio = MediaReference(f"music_avqa/{name}/sound", "audio", path=str(found), **audio_header(found))
    return (audio,) if selected == AUDIO else (video, audio)


def _below(config: DatasetConfig, name: str) -> Path | None:
    """The file of this name in the media folder, or in a folder directly below or beside it."""
    folders = [config.folder, config.folder.parent] if config.images is None else [config.folder]
    tried = [path for folder in folders for path in (folder / name, *sorted(folder.glob(f"*/{name}")))]
    return next((path for path in tried if path.is_file()), None)
