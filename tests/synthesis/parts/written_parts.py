"""What tests of the parts that a language model writes share: answers of a script, and a part run with them."""

import json
from collections.abc import Callable
from pathlib import Path

from deixis.language.endpoint import Endpoint
from deixis.samples.sample import Sample, Skipped, Turn
from deixis.samples.validate import validate_record
from deixis.synthesis.annotators import Annotators
from tests.language.language_server import language_server
from tests.synthesis.scenes import kitchen

GOOD = [
    {"user": "What is {0} holding?", "assistant": "[The man]{0} holds [a red mug]{1}."},
    {"user": "Where could more tea come from?", "assistant": "From [the kettle]{3} on [the table]{4}."},
]
RIDDLE = {
    "question": "what can bring water to the boil",
    "answer": "It is [the kettle]{3}.",
    "explanation": "Water is heated in it.",
    "follow_up": {"user": "And who uses {1}?", "assistant": "[The man]{0} holds [it]{1}."},
}


def turns(*records: dict) -> str:
    return json.dumps({"turns": list(records)})


def accepted(*records: dict) -> str:
    return json.dumps({"questions": list(records)})


def tools_for(url: str, folder: Path, **fields) -> Annotators:
    settings = {"url": url, "model": "m", "max_cost_usd": 0, "cache": folder / "answers.sqlite", "retries": 0} | fields
    return Annotators(language=Endpoint(**settings).open)


def made_by(make: Callable, reply: Callable, folder: Path, items: list, quota: int, options, seed: str = "7"):
    """(samples, reasons of skipped ones, the server) of a part, every sample checked as a record."""
    with language_server(reply) as server:
        found = list(make(items, quota, seed, tools_for(server.url, folder), options))
    samples = [each for each in found if isinstance(each, Sample)]
    for sample in samples:
        record = sample.to_json()
        validate_record(record | {"signals": [{k: v for k, v in s.items() if k != "path"} for s in record["signals"]]})
        assert sample.author == "model"
    return samples, [each for each in found if isinstance(each, Skipped)], server


def sample(*pairs: tuple[str, str], **fields) -> Sample:
    regions = tuple(each.region for each in kitchen().objects[:3])
    facts = {
        "id": "s/1",
        "source": "s",
        "task": "t",
        "split": "train",
        "signals": kitchen().signals,
        "regions": regions,
    }
    return Sample(**facts | {"turns": tuple(Turn(*pair) for pair in pairs)} | fields)
