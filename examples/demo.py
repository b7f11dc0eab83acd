"""Asks the bundled model about the files beside this script, with regions of all forms; draws the answers into out/.

`make demo` runs it; the questions are in questions.jsonl. Run it directly with: python examples/demo.py [MODEL]
"""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

FOLDER = Path(__file__).parent
OUT = Path("out")
TITLES = {
    "region-to-text": "a region of an image → text",
    "text-to-box": "text → a box",
    "reasoning-to-mask": "reasoning → a mask",
    "everything": "everything in the image → masks",
    "absence": "an absent object",
    "span-to-text": "a segment of audio → text",
    "text-to-span": "text → a time span",
    "cloud-region-to-text": "a region of a point cloud → text",
    "text-to-points": "text → points of a point cloud",
}


def main() -> None:
    console = Console(highlight=False)
    began = time.perf_counter()
    with console.status("loading the bundled model"):
        from deixis.cli.answers import open_model
        from deixis.cli.pointing import json_region
        from deixis.signals import open_signal

        model = open_model(sys.argv[1] if len(sys.argv) > 1 else "bundled", None)
    console.print(f"{model.name} on {model.device}, loaded in {time.perf_counter() - began:.1f} s\n")
    OUT.mkdir(exist_ok=True)
    asked = time.perf_counter()
    lines = (FOLDER / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    for line in lines:
        record = json.loads(line)
        signals = [open_signal(FOLDER / name) for name in record["files"]]
        regions = [json_region(item, signals, "regions") for item in record.get("regions", [])]
        answer = model.ask(record["question"], *signals, regions=regions)
        drawing = OUT / f"{record['id']}.png"
        answer.draw(drawing)
        show(console, record, answer, drawing)
    seconds = time.perf_counter() - asked
    console.print(f"{len(lines)} questions answered and drawn in {seconds:.1f} s; the drawings are in {OUT}/")


def show(console: Console, record: dict, answer, drawing: Path) -> None:
    """Prints a question, its answer with phrases in the colours of the drawing, and the regions of the phrases."""
    from deixis.cli.answers import answer_lines

    places = [f"{form} {numbers(value)}" for item in record.get("regions", []) for form, value in item.items()]
    pointed = "".join(f"   {{{i}}} = {place}" for i, place in enumerate(places))
    console.print(Text(TITLES.get(record["id"], record["id"]), style="dim"))
    console.print(Text.assemble((record["question"], "bold"), (pointed, "yellow"), f"   {record['files'][0]}"))
    console.print(Text("  → ").append(coloured(answer)))
    for row in list(answer_lines(answer))[1:]:
        console.print(Text(f"    {row.strip()}", style="dim"))
    console.print(Text(f"    {drawing}\n", style="dim"))


def coloured(answer) -> Text:
    """The answer's text with its phrases in the colours of the drawing."""
    from deixis.visualize.canvas import PALETTE

    text = Text(answer.text or "(empty)", style="bold")
    for number, phrase in enumerate(answer.phrases):
        red, green, blue = PALETTE[number % len(PALETTE)]
        text.stylize(f"rgb({red},{green},{blue})" if phrase.regions else "dim", phrase.start, phrase.end)
    return text


def numbers(values: Sequence[float]) -> str:
    return ",".join(f"{value:g}" for value in values)


if __name__ == "__main__":
    main()
