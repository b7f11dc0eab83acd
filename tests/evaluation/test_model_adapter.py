"""Given answers: masks are the model's, text is not; a model without masks is refused before anything is asked."""

import re

import numpy as np
import pytest

from deixis.conversation import answered, question_sample
from deixis.evaluation.benchmark import GENERATED, TEACHER_FORCED, BenchmarkInfo
from deixis.evaluation.runner import ModelAdapter, check_able
from deixis.geometry import Region, mask_to_rle
from deixis.inference import Model
from deixis.signals import open_signal
from deixis.systems import NOTATIONS
from tests.toy import toy_image, toy_network, toy_tokenizer

SQUARE = np.zeros((24, 40), dtype=bool)
SQUARE[4:9, 5:20] = True
TARGET = Region(box=(5, 4, 20, 9), mask=mask_to_rle(SQUARE))
INFO = BenchmarkInfo("masked", "Masked", (), (), (), modes=(GENERATED, TEACHER_FORCED), answer_form="mask")


@pytest.fixture(scope="module")
def text_only():
    """A model that only talks."""
    lacks = {"notation": NOTATIONS["onellm"], "sampler": {"type": None}, "pointing": {"backbone": None}}
    return Model(*toy_network(toy_tokenizer(), **lacks), "talker")


@pytest.mark.parametrize(
    ("markup", "written", "count"),
    [
        pytest.param("[the cup]{0:mask}.", "<p>the cup</p><seg>.", 1, id="a_phrase"),
        pytest.param("{0:mask} and [that]{0:mask}", "<seg> and <p>that</p><seg>", 2, id="twice"),
        pytest.param("[the cup]{0:box}.", "<p>the cup</p>[125, 286, 500, 410].", 0, id="a_box_is_told"),
        pytest.param("[a dog]{}.", "<p>a dog</p>[].", 0, id="none"),
    ],
)
def test_forced_text_with_predicted_masks(toy, markup, written, count):
    model = Model(*toy, "toy")
    question = question_sample("Where?", (open_signal(toy_image()),))
    (answer,) = ModelAdapter(model).point([question], [(markup, (TARGET,))])
    (scored,) = model.score([answered(question, written)])
    assert (answer.raw.replace(" ", ""), len(answer.masks)) == (written.replace(" ", ""), count)
    assert all(map(np.array_equal, answer.masks, scored.answer.masks))
    assert all(mask.shape == (24, 40) for mask in answer.masks)


def test_target_mask_is_not_given_to_the_model(toy):
    """Two answers with the same text and different ground truth get the same masks."""
    model = Model(*toy, "toy")
    question = question_sample("Where?", (open_signal(toy_image()),))
    other = Region(mask=mask_to_rle(~SQUARE))
    one, two = ModelAdapter(model).point([question] * 2, [("{0:mask}.", (TARGET,)), ("{0:mask}.", (other,))])
    assert np.array_equal(one.masks[0], two.masks[0])


def test_refuses(toy, text_only):
    with pytest.raises(ValueError, match=re.escape("'talker': cannot answer teacher-forced, for it")):
        ModelAdapter(text_only).point(
            [question_sample("Where?", (open_signal(toy_image()),))], [("{0:mask}.", (TARGET,))]
        )
    with pytest.raises(ValueError, match=re.escape("masked: answers need a mask, and 'talker' answers in text; L")):
        check_able(text_only, INFO, GENERATED)
    plain = BenchmarkInfo("plain", "Plain", (), (), ())
    with pytest.raises(ValueError, match=re.escape("plain: answers need a mask, and 'talker' answers in text")):
        check_able(text_only, plain, TEACHER_FORCED)
    check_able(text_only, plain, GENERATED)
    check_able(Model(*toy, "toy"), INFO, TEACHER_FORCED)
