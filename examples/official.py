"""Asks official OneLLM, Ferret and LISA checkpoints, once converted, about your files: one loop for all.

1. Convert what you have, once. SOURCE is a folder, a file or a hub id; whatever a source lacks is given by an option:

    deixis convert ferret ferret-7b-delta ferret-7b --base lmsys/vicuna-7b-v1.3
    deixis convert lisa xinlai/LISA-7B-v1 lisa-7b
    deixis convert onellm csuhan/OneLLM-7B onellm-7b --preset onellm-7b --tokenizer tokenizer.model

   (Ferret's delta is unpacked from its archive; OneLLM's tokenizer is LLaMA 2's, beside its code.) `deixis models`
   lists the memory that each needs, and its licence.

2. Ask. Any number of converted folders, in any order, then files:

    python examples/official.py ferret-7b lisa-7b onellm-7b photo.jpg talk.wav photo.jpg+depth.png
"""

import sys
from pathlib import Path

import deixis

OUT = Path("out")
MAX_NEW_TOKENS = 64
CAPTIONS = {  # the questions of OneLLM's evaluations (csuhan/OneLLM@8587a47, eval/)
    "image": "Provide a one-sentence caption for the provided image.",
    "audio": "Provide a one-sentence caption for the provided audio.",
    "fmri": "Provide a one-sentence caption for the provided fMRI data.",
    "imu": "Describe the scene.",
}


def main(words: list[str]) -> None:
    # A converted folder holds a config.json; everything else is a file, a modality and a file ("imu@50:walk.csv"), or
    # two files that belong together ("photo.jpg+depth.png").
    folders = [word for word in words if (Path(word) / "config.json").is_file()]
    files = [word for word in words if word not in folders]
    if not folders or not files:
        raise SystemExit("expected FOLDER... FILE...: converted checkpoints (deixis convert), then files to ask about")
    # Files are opened once for all models, and before any weights are read, so that wrong names fail at once.
    signals = [deixis.open_signal(file) for file in files]
    OUT.mkdir(exist_ok=True)
    for folder in folders:
        ask_one(folder, signals)


def ask_one(folder: str, signals: list) -> None:
    """Opens one converted checkpoint and asks it about every file that it takes."""
    # On a GPU the weights are loaded in bfloat16; quantization="int8" or "int4" needs less memory.
    model = deixis.load(folder)
    # What a checkpoint supports is one record: {"signals", "regions", "answers"}.
    able = model.abilities
    print(f"\n{folder} on {model.device}: {', '.join(able['signals'])} in, {' and '.join(able['answers'])} out")
    for signal in signals:
        if signal.modality not in able["signals"]:
            # `ask` would raise UnsupportedError, whose message names the models that take such a file.
            print(f"  {signal.name}: takes no {signal.modality}")
            continue
        question, regions = question_for(able, signal)
        # Greedy, so the answer is always the same; temperature=, top_p= and seed= sample instead.
        answer = model.ask(question, signal, regions=regions, max_new_tokens=MAX_NEW_TOKENS)
        print(f"  {signal.name}: {question}\n    {answer.text!r}")
        # A phrase of the answer refers to boxes or masks, in the pixels of your file.
        for phrase in answer.phrases:
            for region in phrase.regions:
                size = f"{region.mask_array.sum()} px" if region.form == "mask" else getattr(region, region.form)
                print(f"    {phrase.text!r} is a {region.form}: {size}")
        drawing = OUT / f"{Path(folder).name}-{Path(signal.name).stem}-{signal.modality}.png"
        answer.draw(drawing)
        print(f"    drawn in {drawing}")


def question_for(able: dict, signal) -> tuple[str, list]:
    """(question, regions), worded as the checkpoints were trained."""
    if signal.modality in able["regions"]:
        # Ferret: a box around the middle of the image. Its coordinates and region tokens are written by the processor.
        height, width = signal.extent.size_hw
        return "What is the object {0}?", [deixis.Box(width / 4, height / 4, width * 3 / 4, height * 3 / 4)]
    if "mask" in able["answers"]:
        # LISA: questions whose answer is a mask ask for one explicitly.
        return "What is the main object in this image? Please output segmentation mask.", []
    # OneLLM: a caption, for any modality.
    return CAPTIONS.get(signal.modality, "What is this?"), []


if __name__ == "__main__":
    main(sys.argv[1:])
