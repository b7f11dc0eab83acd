"""Signal tokenizers: the number of tokens, their positions, and that each depends on the values at its position."""

import pytest
import torch

from deixis.model.tokenizers.stems import AudioTokenizer, ImageTokenizer, PointTokenizer

DIM = 12


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_a_picture_becomes_patches_and_finer_cells():
    tokens = ImageTokenizer(DIM, 16, 8)(torch.randn(2, 3, 32, 48))
    assert (tokens.grid, tokens.early_grid) == ((2, 3), (8, 12))
    assert tokens.tokens.shape == (2, 6, DIM)
    assert tokens.early.shape == (2, 96, 8)
    torch.testing.assert_close(tokens.positions[0, 4], torch.tensor([0.5, 0.75]))  # row 1, column 1: x before y


def test_a_sound_becomes_frames():
    tokens = AudioTokenizer(DIM, 16, 16, 8)(torch.randn(2, 64, 16))
    assert (tokens.grid, tokens.early_grid) == ((4,), (16,))
    assert tokens.positions[1].squeeze(-1).tolist() == [0.125, 0.375, 0.625, 0.875]


def test_a_cloud_becomes_groups_around_points_of_its_own():
    values = torch.rand(2, 40, 6)
    tokens = PointTokenizer(DIM, 5, 4, 8)(values)
    assert (tokens.grid, tokens.early_grid) == (None, None)
    assert tokens.tokens.shape == (2, 5, DIM)
    same = (tokens.positions[:, :, None] == values[:, None, :, :3]).all(-1)
    assert same.any(-1).all()
    assert torch.equal(tokens.early_positions, values[..., :3])


def changed(tokenizer, values, where):
    """Which cells and tokens change when the values at `where` do: flat indices."""
    other = values.clone()
    other[where] += 1.0
    before, after = tokenizer(values), tokenizer(other)
    same = [(getattr(before, n) == getattr(after, n)).all(-1)[0] for n in ("early", "tokens")]
    return [set((~s).nonzero().squeeze(1).tolist()) for s in same]


def test_a_cell_of_a_picture_sees_what_lies_there():
    cells, tokens = changed(ImageTokenizer(DIM, 16, 8), torch.randn(1, 3, 64, 64), (0, slice(None), 37, 5))
    assert 9 * 16 + 1 in cells  # row 9, column 1 of 16 x 16 cells of 4 px
    assert all(abs(cell // 16 - 9) <= 2 and abs(cell % 16 - 1) <= 2 for cell in cells)
    assert 2 * 4 in tokens
    assert tokens <= {4, 8, 12, 5, 9, 13}


def test_a_frame_hears_what_sounds_then():
    cells, tokens = changed(AudioTokenizer(DIM, 16, 16, 8), torch.randn(1, 128, 16), (0, 70))
    assert 70 // 4 in cells
    assert max(cells) - min(cells) <= 6
    assert 70 // 16 in tokens
    assert tokens <= {3, 4, 5}


def test_a_point_is_itself_wherever_it_stands_in_the_file():
    values, order = torch.rand(1, 40, 6), torch.randperm(40)
    tokenizer = PointTokenizer(DIM, 5, 4, 8)
    torch.testing.assert_close(tokenizer(values[:, order]).early, tokenizer(values).early[:, order])


@pytest.mark.parametrize("dtype", [pytest.param(torch.bfloat16, id="bf16"), pytest.param(torch.float64, id="f64")])
def test_places_keep_their_precision_whatever_the_weights(dtype):
    for tokenizer, values in (
        (ImageTokenizer(DIM, 16, 8), torch.randn(1, 3, 32, 32)),
        (AudioTokenizer(DIM, 16, 16, 8), torch.randn(1, 32, 16)),
        (PointTokenizer(DIM, 5, 4, 8), torch.rand(1, 40, 6)),
    ):
        tokens = tokenizer.to(dtype)(values)
        assert (tokens.tokens.dtype, tokens.early.dtype) == (dtype, dtype)
        assert tokens.positions.dtype == tokens.early_positions.dtype == torch.float32
