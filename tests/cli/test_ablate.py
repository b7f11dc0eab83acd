"""`deixis ablate`: its list, its plan, and mistakes before anything is trained."""

import pytest

from deixis.ablations import COMPARISONS


def test_the_list_has_every_comparison_with_its_cost(command):
    code, out, _ = command("ablate", "--list")
    assert code == 0
    assert out.count("deixis ablate ") == len(COMPARISONS)
    assert out.count("OneLLM, table 8") == 4


def test_the_plan_names_variants_stages_and_what_is_expected(command, tmp_path):
    code, out, _ = command("ablate", "replay", "--dry-run", "--steps", 30, "--out", tmp_path / "out")
    assert code == 0
    assert "variant none: the base recipe" in out
    assert "expected: replay above none in region_name, name" in out
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "match"),
    [
        pytest.param(["replays"], "did you mean 'replay'?", id="near"),
        pytest.param([], "NAME: expected one of router, experts", id="none"),
        pytest.param(["replay", "--seeds", "0"], "seeds", id="no_seed"),
    ],
)
def test_mistakes_are_one_sentence(refused, words, match):
    assert match in refused("ablate", *words)
