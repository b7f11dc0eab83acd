"""Time to first token of the second question about an image against the first, at lisa-7b's proportions, scaled down.

The preset's CLIP, LLaMA and SAM with all their layers, image sizes, tokens and prompts, each 1/4 (and 1/8) as wide,
with random weights. The first question encodes the image and prefills its 256 tokens; the second finds the image and
the prefix of its prompt cached. On a CPU the second is bound by memory bandwidth, the first by arithmetic. SAM encodes
the image when the first mask is requested, which is measured separately. Run from the repository:

    python -m benchmarks.second_question --threads 2 --out benchmarks/results/NAME.md
"""

import argparse
import statistics
import time
from contextlib import closing

import numpy as np
import torch

from benchmarks.measuring import command_line, median_ratio, publish
from deixis.conversation import question_sample
from deixis.inference import GenerationOptions, Model
from deixis.model import DeixisConfig, DeixisForConditionalGeneration, build_processor
from deixis.samples.sample import Sample
from deixis.signals import open_signal
from deixis.systems.chat_style import chat_template
from deixis.systems.deixis.tokenizer import build_tokenizer
from deixis.systems.lisa.template import STYLE
from deixis.systems.releases import PRESETS

TARGET = 5
TOKEN = "question to first token"
FIRST = "Which of the things on the table would you drink hot tea from, and why that one?"
SECOND = "What stands behind the chair on the left, and is it nearer to the wall or to the window?"
WIDTHS = ("hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads", "mlp_dim", "projection_dim")


def small_config(share: int) -> DeixisConfig:
    """The configuration of lisa-7b with every part `share` times narrower; depths, image sizes and tokens stay."""
    config = PRESETS["lisa-7b"].config().to_dict()
    for part in (config["vision_config"], config["text_config"], config["mask_config"]["vision_config"]):
        part |= {name: part[name] // share for name in WIDTHS if part.get(name)}
    text = config["text_config"]
    text["head_dim"] = text["hidden_size"] // text["num_attention_heads"]
    return DeixisConfig(**{name: value for name, value in config.items() if name != "model_type"})


def small_lisa(share: int) -> Model:
    """A model of `small_config` with random weights, and a tokenizer with a vocabulary of a few hundred words."""
    tokenizer = build_tokenizer([FIRST, SECOND, STYLE.opening, STYLE.user, STYLE.prompt], 600)
    tokenizer.chat_template = chat_template(STYLE)
    config = small_config(share)
    config.signal_token_ids = {"image": tokenizer.get_vocab()["<image>"]}
    config.seg_token_id = tokenizer.get_vocab()["<seg>"]
    torch.manual_seed(0)
    network = DeixisForConditionalGeneration(config).eval()
    return Model(network, build_processor(config, tokenizer), "lisa-7b, narrow")


def first_token_s(model: Model, question: Sample) -> float:
    """Seconds from the question, its file already open, to the first token."""
    began = time.perf_counter()
    with closing(model.engine.generate(model.engine.encode([question]), GenerationOptions(max_new_tokens=2))) as steps:
        next(steps)
        return time.perf_counter() - began


def mask_s(model: Model, question: Sample) -> float:
    """Seconds from the hidden state at <seg> to its mask."""
    encoded = model.engine.encoder.prepare(question.signals[0].values)
    state = torch.zeros(1, model.network.config.text_config.hidden_size)
    began = time.perf_counter()
    model.engine.encoder.point(encoded, state)
    return time.perf_counter() - began


def measure(share: int, repeats: int, masks: int) -> dict[str, tuple[list[float], list[float]]]:
    """Measured interval -> (seconds of the first question, of the second) of every repeat."""
    model = small_lisa(share)
    pixels = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    questions = [question_sample(text, (open_signal(pixels),)) for text in (FIRST, SECOND)]
    tokens: tuple[list[float], list[float]] = ([], [])
    pointed: tuple[list[float], list[float]] = ([], [])
    for repeat in range(repeats + 1):
        model.clear_cache()
        for taken, question in zip(tokens, questions, strict=True):
            taken.append(first_token_s(model, question))
        if repeat <= masks:
            for taken, question in zip(pointed, questions, strict=True):
                taken.append(mask_s(model, question))
    return {
        TOKEN: tuple(taken[1:] for taken in tokens),
        "`<seg>` to mask (SAM)": tuple(taken[1:] for taken in pointed),
    }


def report(results: dict[int, dict[str, tuple[list[float], list[float]]]], options: argparse.Namespace) -> None:
    """`results` are by how many times narrower the model is than lisa-7b."""
    ratio = median_ratio(*results[options.shares[0]][TOKEN])
    about = (
        "lisa-7b's layers and tokens at a fraction of its widths, random weights, float32, CPU; questions of 17 and 18 "
        f"words about one image. {options.repeats} repeats ({options.masks} of masks) after a warm-up, medians. "
        f"Target: {TARGET} times faster to first token; {'reached' if ratio >= TARGET else 'missed'} with {ratio:.1f}."
    )
    table = ["| widths | from, to | first, s | second, s | ratio |", "|:---|:---|---:|---:|---:|"]
    for share, rows in results.items():
        for name, (first, second) in rows.items():
            medians = f"{statistics.median(first):.3f} | {statistics.median(second):.3f}"
            table.append(f"| 1/{share} | {name} | {medians} | {median_ratio(first, second):.1f} |")
    publish(options, "The second question about an image against the first", about, table)


def main() -> None:
    options = command_line(__doc__, shares=[4, 8], repeats=9, masks=3, threads=2)
    report({share: measure(share, options.repeats, options.masks) for share in options.shares}, options)


if __name__ == "__main__":
    main()
