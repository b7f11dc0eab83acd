"""Official checkpoints that are not converted yet: the error says how they are, wherever a model is opened."""

import pytest
import torch

from deixis import load
from deixis.checkpoints import NoModelError, open_pretrained
from deixis.cli.answers import open_small
from deixis.systems.official import conversion_hint
from deixis.systems.releases import CONVERTIBLE


@pytest.mark.parametrize("system", [pytest.param(name, id=name) for name in CONVERTIBLE])
def test_an_official_checkpoint_says_how_it_is_converted(sources, system):
    folder = sources[system]
    match = rf"official {CONVERTIBLE[system].name} checkpoint, .* first: deixis convert {system} \S+ OUT, then name OUT"
    with pytest.raises(ValueError, match=match) as caught:
        load(folder)
    assert f"convert {system} {folder} OUT" in str(caught.value)
    with pytest.raises(ValueError, match=match):
        open_small(str(folder))


def test_an_official_file_says_how_it_is_converted(sources):
    file = sources["onellm"] / "consolidated.00-of-01.pth"
    with pytest.raises(ValueError, match=r"deixis convert onellm \S+consolidated.00-of-01.pth OUT"):
        load(file)


@pytest.mark.parametrize(
    "config",
    [
        pytest.param('{"model_type": "llava", "architectures": ["LISAForCausalLM"]}', id="architectures"),
        pytest.param('{"model_type": "LISAForCausalLM", "architectures": 1}', id="model_type"),
    ],
)
def test_the_configuration_identifies_a_checkpoint_without_weights(tmp_path, config):
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(ValueError, match="it is an official LISA checkpoint"):
        load(tmp_path)


def test_other_places_keep_their_error(tmp_path):
    torch.save({"x": torch.ones(1)}, tmp_path / "some.bin")
    for place, match in ((tmp_path, "expected a file config.json"), (tmp_path / "some.bin", "which is none")):
        with pytest.raises(NoModelError, match=match), conversion_hint():
            open_pretrained(place)
