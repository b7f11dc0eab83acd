"""torch.compile: the dense parts are one graph each, and a compiled training step equals an uncompiled one.

Which signal and region belongs to which row depends on the data, so the whole network has graph breaks between its
parts. The backend traces forward and backward and runs both as they are, so no compiler of the machine is needed.
"""

import numpy as np
import pytest
import torch

from deixis.conversation import Row, collate, mask_targets, render
from deixis.geometry import Mask, PointSet, Span
from deixis.model.masks.cells import mask_cells
from deixis.samples.sample import Sample, Turn
from deixis.signals import open_signal
from tests.rows import DEIXIS
from tests.toy import toy_audio, toy_image, toy_point_cloud

pytestmark = pytest.mark.compile
BACKEND = "aot_eager"
ABOUT = {
    "image": (toy_image(), Mask(np.pad(np.ones((8, 12), bool), ((4, 12), (8, 20))))),
    "audio": (toy_audio(), Span(0.5, 1.5)),
    "point_cloud": (toy_point_cloud(), PointSet(range(10, 60))),
}


@pytest.fixture(autouse=True)
def fresh():
    torch._dynamo.reset()


@pytest.fixture(scope="module", params=ABOUT)
def asked(request, toy):
    """(network, modality, training batch about one signal with a region in the question and a mask in the answer)."""
    network, processor = toy
    signal, region = ABOUT[request.param]
    prepared = [processor.prepare(open_signal(signal))]
    turns = (Turn("What is {0}?", "[A mug]{0:mask}."),)
    sample = Sample("id", "made up", "refer", "train", turns, regions=(region,))
    rendered = render(sample, prepared, processor, DEIXIS.label_rule)
    row = Row(prepared)
    row.add(rendered, mask_targets(rendered, sample.regions, prepared, mask_cells(network.config), DEIXIS))
    return network, request.param, collate([row], 0, DEIXIS)


def in_one_graph(part, *inputs):
    """Compares a part of the network with its compiled form, which may not have a graph break."""
    compiled = torch.compile(part, fullgraph=True, backend=BACKEND)
    torch.testing.assert_close(compiled(*inputs), part(*inputs), atol=1e-5, rtol=1e-4)


def test_encoder_and_projection_are_one_graph(asked):
    network, modality, batch = asked

    def tokens(values):
        return network.projection(network.field_encoder(values, modality).all_tokens, modality)

    in_one_graph(tokens, batch["signals"][modality])


def test_the_region_sampler_is_one_graph(asked):
    network, modality, batch = asked
    points = batch["region_points"]
    field = network.field_encoder(batch["signals"][modality], modality)
    features = field.at(points[..., : field.axes], torch.tensor([0])).detach()
    in_one_graph(lambda read, at: network.region_sampler(network.region_features(read), at), features, points)


def test_the_pointing_head_and_the_language_model_are_one_graph_each(toy):
    network, _ = toy
    torch.manual_seed(0)
    in_one_graph(network.pointing_head, torch.randn(2, 32), torch.randn(2, 64, 16))
    decoder = network.language_model.get_decoder()
    in_one_graph(lambda x: decoder(inputs_embeds=x, use_cache=False).last_hidden_state, torch.randn(2, 9, 32))


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # by the compiler itself
@pytest.mark.parametrize("asked", ["image"], indirect=True)
def test_a_compiled_training_step_has_the_same_gradients(asked):
    network, _, batch = asked

    def step(run):
        network.zero_grad()
        loss = run(**batch).loss
        loss.backward()
        return loss.item(), {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}

    (loss, gradients), (compiled_loss, compiled) = step(network), step(torch.compile(network, backend=BACKEND))
    network.zero_grad()
    assert compiled_loss == pytest.approx(loss, rel=1e-5)
    assert compiled.keys() == gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(compiled[name], gradient, atol=1e-5, rtol=1e-3, msg=name)
