"""Where each embedding is placed: marked encoders, uneven counts in the first and last sample, mixed modalities."""

import pytest
import torch

from deixis.model.fusion import Encoded, SignalBatch, place, repeat_signals

IMAGE, AUDIO = 0, 1


def rows(*colours):
    """One embedding a colour, all of its channels that colour."""
    return torch.tensor(colours).float()[:, None].expand(-1, 3)


@pytest.mark.parametrize(
    ("where", "sample", "expected"),
    [
        pytest.param([[0, 0], [0, 0]], [], [[0, 0], [0, 0]], id="none"),
        pytest.param([[0, 0, 1], [1, 1, 1]], [0, 1, 1, 1], [[0, 0, 1], [2, 3, 4]], id="first_is_short"),
        pytest.param([[1, 1, 1], [0, 1, 0]], [0, 0, 0, 1], [[1, 2, 3], [0, 4, 0]], id="last_is_short"),
        pytest.param([[0, 0], [1, 1], [0, 0]], [1, 1], [[0, 0], [1, 2], [0, 0]], id="only_the_middle"),
    ],
)
def test_rows_land_in_their_own_sample(where, sample, expected):
    where = torch.tensor(where).bool()
    colours = rows(*range(1, len(sample) + 1)) if sample else torch.zeros(0, 3)
    embeds = torch.zeros(*where.shape, 3)
    placed = place(embeds, where, colours, torch.tensor(sample, dtype=torch.long), "image")
    assert placed[..., 0].tolist() == expected
    assert embeds.abs().max() == 0  # the text embeddings themselves are left alone


@pytest.mark.parametrize(
    ("where", "sample", "match"),
    [
        pytest.param([[1, 0], [1, 1]], [0, 0, 1], r"sample 0 has 1 image placeholder\(s\) but 2 image emb", id="first"),
        pytest.param(
            [[1, 0], [1, 1]], [0, 1], r"sample 1 has 2 image placeholder\(s\) but 1 image embedding", id="last"
        ),
        pytest.param([[1, 0], [0, 0]], [1], r"sample 0 has 1 image placeholder\(s\) but 0 image", id="wrong_sample"),
        pytest.param([[0, 0], [0, 0]], [1], r"sample 1 has 0 image placeholder\(s\) but 1 image", id="none_wanted"),
        pytest.param(
            [[1, 0], [1, 0]], [1, 0], r"image: expected embeddings sorted by sample, from 0 to 1", id="unsorted"
        ),
        pytest.param(
            [[1, 0], [1, 0]], [0, 2], r"image: expected embeddings sorted .*got samples \[0, 2\]", id="beyond"
        ),
    ],
)
def test_a_mismatch_names_the_sample(where, sample, match):
    where = torch.tensor(where).bool()
    with pytest.raises(ValueError, match=match):
        place(torch.zeros(2, 2, 3), where, rows(*sample), torch.tensor(sample), "image")


BATCHES = [
    pytest.param([[], [IMAGE, AUDIO], [IMAGE]], id="first_has_none"),
    pytest.param([[AUDIO, IMAGE], [IMAGE, IMAGE], []], id="last_has_none"),
    pytest.param([[IMAGE], [AUDIO], [IMAGE, AUDIO, IMAGE]], id="mixed"),
    pytest.param([[AUDIO, AUDIO], [IMAGE]], id="kinds_apart"),
]


def coloured_batch(network, kinds_of):
    """input_ids, `Encoded` whose signal s is all colour s + 1, a region on every signal, and the colours expected."""
    width = {IMAGE: 4, AUDIO: 3}
    ids_of = network.config.signal_token_ids
    token = {IMAGE: ids_of["image"], AUDIO: ids_of["audio"]}
    texts, colours, kind, sample = [], [], [], []
    for row, kinds in enumerate(kinds_of):
        text, shown = [], []
        for k in kinds:
            kind.append(k)
            sample.append(row)
            text += [token[k]] * width[k] + [network.config.region_token_id]
            shown += [len(kind)] * width[k] + [100 + len(kind)]
        texts.append([*text, 20 + row])
        colours.append([*shown, 0])
    length = max(map(len, texts))
    ids = torch.tensor([[0] * (length - len(t)) + t for t in texts])
    expected = torch.tensor([[0] * (length - len(c)) + c for c in colours])
    batch = SignalBatch(torch.tensor(kind), torch.tensor(sample))
    hidden = network.config.text_config.hidden_size
    shown = {
        n: (batch.of(n) + 1).float()[:, None, None].expand(-1, width[k], hidden)
        for k, n in ((0, "image"), (1, "audio"))
    }
    return ids, Encoded(batch, {}, shown), expected


@pytest.mark.parametrize("kinds_of", BATCHES)
def test_signals_and_regions_land_where_their_placeholders_are(toy, monkeypatch, kinds_of):
    network, _ = toy
    ids, encoded, expected = coloured_batch(network, kinds_of)
    signal = torch.arange(len(encoded.batch.modality))
    hidden = network.config.text_config.hidden_size
    monkeypatch.setattr(network, "region_tokens", lambda e, points, s, places: (101.0 + s)[:, None].expand(-1, hidden))
    with torch.no_grad():
        embeds = network.embed(ids, encoded, torch.zeros(len(signal), 1, 3), signal)
        plain = network.get_input_embeddings()(ids)
    want = torch.where((expected > 0)[..., None], expected[..., None].float(), plain)
    torch.testing.assert_close(embeds, want)


def test_a_region_of_another_sample_is_refused(toy, monkeypatch):
    network, _ = toy
    ids, encoded, _ = coloured_batch(network, [[IMAGE], [IMAGE]])
    hidden = network.config.text_config.hidden_size
    monkeypatch.setattr(network, "region_tokens", lambda e, points, s, places: torch.zeros(len(s), hidden))
    with pytest.raises(ValueError, match=r"sample 0 has 1 region placeholder\(s\) but 2 region embedding"):
        network.embed(ids, encoded, torch.zeros(2, 1, 3), torch.tensor([0, 0]))
    with pytest.raises(ValueError, match=r"region: expected embeddings sorted by sample"):
        network.embed(ids, encoded, torch.zeros(2, 1, 3), torch.tensor([1, 0]))


def test_rows_of_a_signal_among_its_kind():
    batch = SignalBatch(torch.tensor([AUDIO, IMAGE, AUDIO, IMAGE]), torch.tensor([0, 0, 1, 2]))
    assert batch.of("audio").tolist() == [0, 2]
    assert batch.row(torch.tensor([0, 1, 2, 3, 2])).tolist() == [0, 0, 1, 1, 1]


@pytest.mark.parametrize("kinds_of", BATCHES)
def test_repeated_rows_keep_their_signals_and_regions(kinds_of):
    kind = torch.tensor([k for kinds in kinds_of for k in kinds])
    sample = torch.tensor([row for row, kinds in enumerate(kinds_of) for _ in kinds])
    names = torch.arange(len(kind))  # a region on every signal but the first, two on the last
    region = torch.cat([names[1:], names[-1:]])
    inputs = {
        "signal_modality": kind,
        "signal_sample": sample,
        "signals": {
            "image": names[kind == IMAGE][:, None].float(),
            "audio": names[kind == AUDIO][:, None].float(),
        },
        "region_points": region[:, None, None].float(),
        "region_places": region[:, None, None].float() / 7,
        "region_signal": region,
        "encoded": None,
    }
    out = repeat_signals(inputs, 3)
    batch = SignalBatch(out["signal_modality"], out["signal_sample"])
    values = [out["signals"]["image"], out["signals"]["audio"]]
    rows_of = batch.row(torch.arange(len(batch.modality))).tolist()
    shown = [int(values[k][r]) for k, r in zip(batch.modality.tolist(), rows_of, strict=True)]
    own = [names[sample == row].tolist() for row in range(len(kinds_of))]
    expected = [(row * 3 + copy, name) for row, signals in enumerate(own) for copy in range(3) for name in signals]
    assert list(zip(batch.sample.tolist(), shown, strict=True)) == expected
    assert [shown[s] for s in out["region_signal"].tolist()] == out["region_points"].flatten().tolist()
    torch.testing.assert_close(out["region_places"], out["region_points"] / 7)
    region_sample = batch.sample[out["region_signal"]]
    assert (region_sample.diff() >= 0).all()
    assert torch.bincount(region_sample, minlength=9).tolist() == [
        n for row in range(len(kinds_of)) for n in [int((sample[region] == row).sum())] * 3
    ] + [0] * (9 - 3 * len(kinds_of))


def test_text_alone_repeats_nothing():
    assert repeat_signals({"signal_modality": None, "encoded": None}, 4) == {}
