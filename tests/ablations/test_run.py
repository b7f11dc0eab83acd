"""A toy comparison from trainings to its report; resuming it, and what does not fit."""

import json
from dataclasses import replace

import pytest

from deixis.ablations import run as runner
from deixis.ablations.answers import Settings
from deixis.ablations.comparison import Claim, Comparison, Measure, Variant
from deixis.ablations.report import REPORT, RESULTS
from deixis.ablations.run import run_comparison, variant_folder
from deixis.errors import ConfigError, DataError
from tests.toy import SIZES, toy_recipe

pytestmark = pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning")
NAME = Measure("span_name", "name")
DENSE, INSTRUCT = toy_recipe()["stages"]
TOY = Comparison(
    name="toy",
    question="Does it train?",
    finding="more is better",
    source="nowhere",
    recipe={
        "vocab_size": 300,
        "model": {**SIZES, "signals": {"audio": SIZES["signals"]["audio"]}},
        "stages": [
            {**DENSE, "batch": {"audio": 1}, "steps": 1},
            {**INSTRUCT, "batch": {"audio": 1}, "steps": 2, "dense_weight": 0.0},
        ],
    },
    variants={"more rows": Variant(), "fewer": Variant(("stages.instruct.questions=1",))},
    claims=(
        Claim(
            "more rows", "fewer", (NAME, Measure("event_mask", "gIoU"), Measure("sound_exists", "yes or no", "small"))
        ),
    ),
)


FEW = Settings(seeds=1, questions=4)


def tell(what):
    assert "seed 1 of 1" in what


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """(folder of the run, its results) of one training of each variant."""
    out = tmp_path_factory.mktemp("toy") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deixis.training.new_model.TEXT_SIGNALS", 6)
        return out, run_comparison(TOY, out, FEW, "cpu", tell)


def test_the_report_has_every_variant_and_verdict(done):
    out, results = done
    report, values = (out / REPORT).read_text(), json.loads((out / RESULTS).read_text())
    assert "| span_name, name | 4 |" in report
    assert report.count("inconclusive") + report.count("held") >= 2
    assert set(values["table"][str(NAME)]) == {*TOY.variants, "constant"}
    assert [claim["measure"] for claim in values["claims"]] == [str(own) for own in TOY.measures]
    (row, *_) = results.answers["fewer"][0]
    assert (row.task, row.scene.split("/")[1]) == ("span_name", "test")


def test_a_shared_stage_is_trained_once(done):
    out, _ = done
    first, second = (variant_folder(out, name, 1) / "run" / "dense" for name in TOY.variants)
    weights = [(folder / "model" / "model.safetensors").read_bytes() for folder in (first, second)]
    assert weights[0] == weights[1]
    assert (first / "logs").is_dir()
    assert not (second / "logs").exists()
    assert not list(out.rglob("checkpoint-*"))


def test_what_is_done_is_not_done_again(done, monkeypatch):
    out, results = done

    def never(*arguments):
        raise AssertionError("it was trained before")

    monkeypatch.setattr(runner, "train", never)
    again = run_comparison(TOY, out, FEW, "cpu", never)
    assert again.to_json() == results.to_json()


def test_other_settings_are_refused(done):
    out, _ = done
    with pytest.raises(ConfigError, match=r"holds another run \(its questions is 4, now it is 5\)"):
        run_comparison(TOY, out, Settings(seeds=1, questions=5), "cpu", tell)
    with pytest.raises(ConfigError, match=r"its recipes.fewer.stages\[1\].steps is 2, now it is 8"):
        run_comparison(TOY, out, Settings(seeds=1, questions=4, steps=8), "cpu", tell)
    other = replace(TOY, name="other")
    with pytest.raises(ConfigError, match='its comparison is "toy", now it is "other"'):
        run_comparison(other, out, FEW, "cpu", tell)


def test_damaged_answers_are_named(done):
    out, _ = done
    path = variant_folder(out, "fewer", 1) / "answers.jsonl"
    whole = path.read_text()
    path.write_text(whole[:50])
    with pytest.raises(DataError, match=r"answers\.jsonl': expected what an earlier run stored there"):
        run_comparison(TOY, out, FEW, "cpu", tell)
    path.write_text(whole)
