"""OneLLM's tokenizers against the published layers, written out plainly."""

import torch

from deixis.model.tokenizers.published_tokenizers import AudioPatches, FmriMap, ImuPatches, PointPatches


def test_sounds_are_patches_band_after_band():
    torch.manual_seed(0)
    tokenizer, values = AudioPatches(8, (4, 6), (2, 3)), torch.randn(2, 30, 10)  # frames, mel bins
    tokens = tokenizer(values)
    maps = tokenizer.conv(values.transpose(1, 2)[:, None])
    assert maps.shape == (2, 8, 4, 9)
    torch.testing.assert_close(tokens.tokens, maps.flatten(2).transpose(1, 2))
    torch.testing.assert_close(tokens.positions[0, :9, 0], (torch.arange(9) * 3 + 3) / 30)
    torch.testing.assert_close(tokens.positions[0, 9:18], tokens.positions[0, :9])  # the next band, the same times


def test_clouds_are_groups_and_distances_may_be_taken_on_colours():
    torch.manual_seed(0)
    values = torch.rand(2, 40, 6)
    for columns in ((0, 3), (3, 6)):
        tokenizer = PointPatches(8, groups=5, neighbours=4, place_columns=columns)
        tokens = tokenizer(values)
        places = values[..., slice(*columns)]
        first = places[:, :1]  # the first group's centre is the first point
        near = torch.cdist(first, places).topk(4, largest=False).indices[:, 0]
        grouped = torch.stack([values[b, near[b]] for b in range(2)])
        expected = tokenizer.conv(grouped.transpose(1, 2)[..., None])[..., 0].amax(-1)
        torch.testing.assert_close(tokens.tokens[:, 0], expected)
        torch.testing.assert_close(tokens.positions[:, 0], values[:, 0, :3])  # x, y, z all the same


def test_motion_is_a_convolution_in_time():
    tokenizer, values = ImuPatches(8, kernel=10), torch.randn(2, 6, 50)
    tokens = tokenizer(values)
    assert (tokens.grid, tokenizer.conv.bias) == ((41,), None)
    torch.testing.assert_close(tokens.tokens, tokenizer.conv(values).transpose(1, 2))


def test_a_brain_is_one_map_without_places():
    tokenizer, values = FmriMap(8, voxels=20, tokens=3), torch.randn(2, 20)
    tokens = tokenizer(values)
    assert tokens.positions is None
    torch.testing.assert_close(tokens.tokens, tokenizer.conv(values).reshape(2, 8, 3).transpose(1, 2))
