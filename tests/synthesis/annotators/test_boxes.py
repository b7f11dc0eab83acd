"""Boxes of names: the candidates of transformers' own processors, the best at each place, in the image's pixels."""

import numpy as np
import pytest
import torch
from transformers import GroundingDinoProcessor, Owlv2Processor, OwlViTProcessor

from deixis.synthesis.annotators.boxes import best_of_each_place, open_vocabulary_boxes, read_candidates
from tests.synthesis.annotators.models import save_grounding_dino, save_owl
from tests.toy import toy_image

NAMES = ["cat", "red mug", "dog"]
SIZES = [pytest.param((50, 90), id="wide"), pytest.param((90, 50), id="high")]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder of each type of model."""
    made = {name: tmp_path_factory.mktemp(name) for name in ("owlvit", "owlv2", "dino", "mm_dino")}
    save_owl(made["owlvit"], "owlvit")
    save_owl(made["owlv2"], "owlv2")
    save_grounding_dino(made["dino"])
    save_grounding_dino(made["mm_dino"], "mm-grounding-dino")
    return made


@torch.inference_mode()
def candidates_of(boxes_of, pixels, names):
    return boxes_of.detector.candidates(boxes_of.prepare(pixels), names, pixels.shape[:2])


@pytest.mark.parametrize("size_hw", SIZES)
@pytest.mark.parametrize(
    ("kind", "theirs"),
    [pytest.param("owlvit", OwlViTProcessor, id="owlvit"), pytest.param("owlv2", Owlv2Processor, id="owlv2")],
)
def test_owls_candidates_are_those_of_transformers(folders, kind, theirs, size_hw):
    pixels, boxes_of = toy_image(*size_hw), open_vocabulary_boxes(folders[kind], 0.3, "cpu")
    processor = theirs(boxes_of.image_processor, boxes_of.detector.tokenizer)
    texts = [[f"a photo of a {name}" for name in NAMES]]
    options = {"padding": "max_length", "max_length": 8}
    with torch.no_grad():
        answer = boxes_of.detector.network(**processor(images=pixels, text=texts, return_tensors="pt", **options))
    threshold = float(answer.logits.sigmoid().amax(-1).median())  # half of the candidates are found
    (expected,) = processor.post_process_grounded_object_detection(answer, threshold, [size_hw], [NAMES])
    found = read_candidates(candidates_of(boxes_of, pixels, NAMES), NAMES, threshold)
    assert 4 < len(found) < 12
    assert [name for name, _, _ in found] == expected["text_labels"]
    np.testing.assert_allclose([score for _, _, score in found], expected["scores"], rtol=1e-4)
    np.testing.assert_allclose([box for _, box, _ in found], expected["boxes"], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("size_hw", SIZES)
@pytest.mark.parametrize("kind", [pytest.param("dino", id="grounding_dino"), pytest.param("mm_dino", id="mm")])
def test_grounding_dinos_candidates_are_those_of_transformers(folders, kind, size_hw):
    pixels, boxes_of = toy_image(*size_hw), open_vocabulary_boxes(folders[kind], 0.3, "cpu")
    processor = GroundingDinoProcessor(boxes_of.image_processor, boxes_of.detector.tokenizer)
    inputs = processor(images=pixels, text=NAMES, return_tensors="pt")
    with torch.no_grad():
        answer = boxes_of.detector.network(**inputs)
    (expected,) = processor.post_process_grounded_object_detection(answer, inputs["input_ids"], 0.0, 0.0, [size_hw])
    words = boxes_of.detector.tokenizer.convert_ids_to_tokens(inputs["input_ids"][0])
    assert words == ["[CLS]", "cat", ".", "red", "mug", ".", "dog", ".", "[SEP]"]
    of_tokens = answer.logits[0].sigmoid().numpy()
    candidates = candidates_of(boxes_of, pixels, NAMES)
    np.testing.assert_allclose(candidates.boxes_xyxy, expected["boxes"], rtol=1e-4, atol=1e-3)
    by_hand = np.stack([of_tokens[:, 1], (of_tokens[:, 3] + of_tokens[:, 4]) / 2, of_tokens[:, 6]], axis=1)
    np.testing.assert_allclose(candidates.scores, by_hand, rtol=1e-4)
    assert len(np.unique(by_hand.round(3))) > 10


def test_more_names_than_the_network_reads_are_asked_in_groups(folders):
    boxes_of = open_vocabulary_boxes(folders["dino"], 0.0, "cpu")
    names = ["red mug", "cat", "dog", "St. Bernard", "bench", "photo", "a red bench", "mug"]
    groups = list(boxes_of.detector.groups(names))
    assert [name for group in groups for name in group] == names
    assert len(groups) > 1
    assert all(boxes_of.detector.length(group) <= 16 for group in groups)
    found = {name for name, _, _ in boxes_of(toy_image(50, 90), names)}
    assert found <= set(names)
    assert any(found & set(group) for group in groups[1:])


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind) for kind in ("owlvit", "owlv2", "dino")])
def test_what_is_found_lies_in_the_picture_best_first(folders, kind):
    boxes_of = open_vocabulary_boxes(folders[kind], 0.05, "cpu")
    found = boxes_of(toy_image(50, 90), ["cat", "Red  Mug", "cat", " "])
    assert found
    assert {name for name, _, _ in found} <= {"cat", "Red  Mug"}
    scores = [score for _, _, score in found]
    assert scores == sorted(scores, reverse=True)
    assert min(scores) > 0.05
    for _, (x1, y1, x2, y2), _ in found:
        assert 0 <= x1 < x2 <= 90
        assert 0 <= y1 < y2 <= 50


@pytest.mark.parametrize("names", [pytest.param([], id="none"), pytest.param(["", " "], id="blank")])
def test_without_names_nothing_is_found(folders, names):
    assert open_vocabulary_boxes(folders["owlvit"], 0.0, "cpu")(toy_image(), names) == []


def test_a_long_name_is_cut_as_the_network_reads_it(folders):
    for kind in ("owlvit", "dino"):
        open_vocabulary_boxes(folders[kind], 0.0, "cpu")(toy_image(50, 90), ["red " * 40, "cat"])


@pytest.mark.parametrize(
    ("boxes", "kept"),
    [
        pytest.param([], [], id="none"),
        pytest.param([("cat", (0, 0, 10, 10)), ("cat", (0, 0, 10, 9))], [0], id="one_thing_twice"),
        pytest.param([("cat", (0, 0, 10, 10)), ("dog", (0, 0, 10, 10))], [0, 1], id="two_names"),
        pytest.param([("cat", (0, 0, 10, 10)), ("cat", (6, 0, 16, 10))], [0, 1], id="side_by_side"),
        pytest.param([("cat", (0, 0, 10, 10)), ("cat", (0, 0, 10, 5))], [0, 1], id="just_half"),
        pytest.param([("cat", (0, 0, 10, 10)), ("cat", (3, 0, 13, 10)), ("cat", (6, 0, 16, 10))], [0, 2], id="a_chain"),
    ],
)
def test_of_boxes_over_one_another_the_best_stays(boxes, kept):
    found = [(name, box, 0.9 - number / 10) for number, (name, box) in enumerate(boxes)]
    assert best_of_each_place(found) == [found[number] for number in kept]


@pytest.mark.parametrize("threshold", [pytest.param(-0.1, id="below"), pytest.param(1.0, id="nothing_reaches_it")])
def test_the_threshold_is_a_score(folders, threshold):
    with pytest.raises(ValueError, match=rf"threshold: expected a score from 0 to below 1, got {threshold}"):
        open_vocabulary_boxes(folders["owlvit"], threshold, "cpu")
