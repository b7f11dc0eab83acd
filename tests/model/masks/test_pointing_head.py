"""The pointing head and its features: a mask comes out where the colour asked for lies."""

import pytest
import torch

from deixis.model.encoder.field import grid_positions
from deixis.model.masks.pointing_head import PointingHead, Upsample1d, Upsample2d, UpsamplePoints
from deixis.model.tokenizers.stems import Tokens


def coloured_head(colours):
    """A head whose query for the one-hot state i is colour i, with a bias that only a matching cell overcomes."""
    head = PointingHead(len(colours), colours.shape[1])
    first, _, last = head.query
    with torch.no_grad():
        first.weight.copy_(torch.eye(len(colours)) * 10)
        first.bias.zero_()
        last.weight.copy_(torch.cat([colours, torch.zeros(len(colours), 1)], 1).T)
        last.bias.copy_(torch.tensor([0.0] * colours.shape[1] + [-1.0]))
    return head


def test_a_mask_lies_where_its_colour_is():
    colours = torch.eye(4)
    shown = torch.tensor([[0, 1, 1, 2, 3, 0], [3, 3, 0, 0, 1, 2]])  # the colour of each cell of two signals
    logits = coloured_head(colours)(torch.eye(4)[[1, 0]], colours[shown])
    assert (logits > 0).tolist() == [[False, True, True, False, False, False], [False, False, True, True, False, False]]


def changed(network, tokens, name, where):
    """Cells whose features change when `name` of `tokens` changes at `where`."""
    hidden = torch.randn_like(tokens.tokens)
    before = network(hidden, tokens)
    (hidden if name == "hidden" else tokens.early)[0, where] += 5.0
    return set((before != network(hidden, tokens)).any(-1)[0].nonzero().squeeze(1).tolist())


def grid_tokens(grid, fine):
    places = [grid_positions(size, torch.device("cpu"))[None] for size in (grid, fine)]
    return Tokens(
        torch.randn(1, places[0].shape[1], 8), places[0], grid, torch.randn(1, places[1].shape[1], 6), places[1], fine
    )


@pytest.mark.parametrize(
    ("name", "where", "rows", "columns"),
    [
        pytest.param("hidden", 1 * 3 + 2, (3, 8), (7, 12), id="token_row_1_column_2"),
        pytest.param("early", 5 * 12 + 1, (4, 7), (0, 3), id="cell_row_5_column_1"),
    ],
)
def test_picture_cells_come_from_their_own_place(name, where, rows, columns):
    cells = changed(Upsample2d(8, 6, 4), grid_tokens((2, 3), (8, 12)), name, where)
    assert cells <= {r * 12 + c for r in range(*rows) for c in range(*columns)}  # its own and one cell around
    assert cells >= {r * 12 + c for r in range(rows[0] + 1, rows[1] - 1) for c in range(columns[0] + 1, columns[1] - 1)}


def test_sound_cells_come_from_their_own_time():
    assert changed(Upsample1d(8, 6, 4), grid_tokens((4,), (16,)), "hidden", 2) == set(range(7, 13))
    assert changed(Upsample1d(8, 6, 4), grid_tokens((4,), (16,)), "early", 2) == {1, 2, 3}


def test_points_come_from_the_groups_around_them():
    torch.manual_seed(0)
    centres, points = torch.rand(1, 10, 3), torch.rand(1, 50, 3)
    tokens = Tokens(torch.randn(1, 10, 8), centres, None, torch.randn(1, 50, 6), points, None)
    near = torch.cdist(points, centres)[0].topk(3, largest=False).indices
    assert changed(UpsamplePoints(8, 6, 4), tokens, "hidden", 4) == set(
        (near == 4).any(1).nonzero().squeeze(1).tolist()
    )
    assert changed(UpsamplePoints(8, 6, 4), tokens, "early", 4) == {4}
