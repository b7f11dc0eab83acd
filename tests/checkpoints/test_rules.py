"""Rules and plans: every tensor accounted for, and the part maps against the libraries' own modules."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import CLIPVisionConfig, CLIPVisionModel, LlamaConfig, LlamaForCausalLM, SamConfig, SamModel

from deixis.checkpoints.part_rules import (
    LANGUAGE,
    SAM,
    TRUNK,
    clip_rules,
    llama_rules,
    meta_llama_rules,
    open_clip_rules,
    sam_rules,
)
from deixis.checkpoints.rules import Part, leave, make_plan, rotary, take, thirds
from deixis.systems.lisa import convert as lisa
from tests.checkpoints.checkpoints import clip_shapes, llama_shapes, random_state, sam_shapes


@dataclass
class Held:
    """A source whose tensors lie in memory."""

    state: dict
    label: str = "toy"
    folder: Path = Path()
    files: tuple = field(default=())

    def meta(self):
        return {name: torch.empty_like(tensor, device="meta") for name, tensor in self.state.items()}

    def read(self, name):
        return self.state[name]

    def close(self):
        pass


def filled(state, rules, targets):
    """The tensors of ours that the rules make."""
    source = Held(state)
    plan = make_plan([Part(source, rules)], targets)
    return {name: plan.make(name, lambda part, key: part.source.read(key)) for name in plan.steps}, plan


def meta(**shapes):
    return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}


RULES = [take(r"a\.(\w+)", r"ours.\1"), thirds(r"fused", "q", "k", "v"), leave(r"old\..*", "not used")]
RULES += [take("turned", "turned", rotary(4))]


@pytest.mark.parametrize(
    ("state", "targets", "match"),
    [
        pytest.param({"b": (1,)}, {}, "expected every tensor to be known, got b, which the", id="unknown"),
        pytest.param(
            {"b": (1,), "c": (1,)}, {}, "got b and 1 more, which the published code does not", id="two_unknown"
        ),
        pytest.param({"a.x": (2,)}, {}, "a.x has no place in a network of the sizes", id="no_place"),
        pytest.param(
            {"a.x": (2,)}, {"ours.x": (3,)}, r"a.x has shape \(2,\), expected one that gives \(3,\)", id="shape"
        ),
        pytest.param(
            {"fused": (7, 2)},
            {"q": (3, 2), "k": (3, 2), "v": (3, 2)},
            r"fused has shape \(7, 2\) \(rows, third 3 of 3\), expected one that gives \(3, 2\)",
            id="shape_after_a_change",
        ),
        pytest.param(
            {"a.x": (2,)},
            {"ours.x": (2,), "ours.y": (2,)},
            "expected tensors for ours.y, got none; a shard",
            id="missing",
        ),
        pytest.param({"old.x": (2,)}, {"ours.x": (2,)}, "expected tensors for ours.x, got none", id="left_out"),
    ],
)
def test_what_does_not_fit_is_one_sentence(state, targets, match):
    held = Held({name: torch.zeros(shape) for name, shape in state.items()})
    with pytest.raises(ValueError, match=match) as caught:
        make_plan([Part(held, RULES)], meta(**targets))
    assert "\n" not in str(caught.value)


def test_two_sources_of_one_tensor_are_refused():
    held = Held({"a": torch.zeros(1), "b": torch.zeros(1)})
    with pytest.raises(ValueError, match="a and b stand for the same tensor, expected one of them"):
        make_plan([Part(held, [take(r"[ab]", "ours")])], meta(ours=(1,)))


def test_rows_join_in_their_order():
    state = {"end": torch.full((1, 1, 3), 2.0), "start": torch.full((1, 1, 3), 1.0)}
    rules = [take("start", "tags#0"), take("end", "tags#1")]
    made, plan = filled(state, rules, meta(tags=(2, 1, 1, 3)))
    assert made["tags"].flatten().tolist() == [1.0] * 3 + [2.0] * 3
    assert plan.account()["checkpoint"]["used"] == {"end": [["tags", "as it is"]], "start": [["tags", "as it is"]]}


def test_the_account_names_every_tensor():
    state = {"a.x": torch.zeros(2), "fused": torch.arange(6.0).view(6, 1), "old.x": torch.zeros(1)}
    targets = meta(**{"ours.x": (2,), "q": (2, 1), "k": (2, 1), "v": (2, 1)})
    made, plan = filled(state, RULES, targets)
    assert made["k"].flatten().tolist() == [2.0, 3.0]
    account = plan.account()["checkpoint"]
    assert account["left_out"] == {"old.x": "not used"}
    assert account["used"].keys() == {"a.x", "fused"}
    assert account["used"]["fused"][1] == ["k", "rows, third 2 of 3"]


def meta_attention(x, wq, wk, heads):
    """Scores of Meta's attention: neighbouring pairs are turned (facebookresearch/llama, llama/model.py)."""

    def turned(weight):
        length, dim = len(x), len(weight) // heads
        y = (x @ weight.T).view(length, heads, dim // 2, 2)
        angle = torch.outer(torch.arange(float(length)), 10000.0 ** -(torch.arange(0, dim, 2) / dim))[:, None]
        even, odd = y[..., 0], y[..., 1]
        turned = [even * angle.cos() - odd * angle.sin(), even * angle.sin() + odd * angle.cos()]
        return torch.stack(turned, -1).flatten(2)

    return torch.einsum("ihd,jhd->hij", turned(wq), turned(wk))


def test_rotary_order_keeps_the_scores_of_attention():
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding, apply_rotary_pos_emb

    torch.manual_seed(0)
    heads, dim, x = 2, 16, torch.randn(5, 16)
    wq, wk = torch.randn(dim, dim), torch.randn(dim, dim)
    change = rotary(heads)
    q, k = ((x @ change.apply(w).T).view(1, 5, heads, -1).transpose(1, 2) for w in (wq, wk))
    config = LlamaConfig(hidden_size=dim, num_attention_heads=heads)
    q, k = apply_rotary_pos_emb(q, k, *LlamaRotaryEmbedding(config)(x[None], torch.arange(5)[None]))
    scores = torch.einsum("bhid,bhjd->bhij", q, k)[0]
    torch.testing.assert_close(scores, meta_attention(x, wq, wk, heads), atol=1e-4, rtol=1e-4)


def targets_of(module, prefix):
    return {f"{prefix}{name}": tensor for name, tensor in module.state_dict().items()}


@pytest.fixture
def on_meta():
    with torch.device("meta"):
        yield


def test_llama_fills_transformers_model(on_meta):
    module = LlamaForCausalLM(
        LlamaConfig(vocab_size=30, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2)
    )
    with torch.device("cpu"):
        _, plan = filled(random_state(llama_shapes(30)), llama_rules(), targets_of(module, LANGUAGE))
    assert len(plan.left[0]) == 2  # the rotary buffers


def test_metas_llama_fills_transformers_model(on_meta):
    module = LlamaForCausalLM(
        LlamaConfig(vocab_size=9, hidden_size=8, intermediate_size=6, num_hidden_layers=1, num_attention_heads=2)
    )
    shapes = {"tok_embeddings.weight": (9, 8), "norm.weight": (8,), "output.weight": (9, 8), "rope.freqs": (2,)}
    shapes |= {f"layers.0.attention.w{name}.weight": (8, 8) for name in "qkvo"}
    shapes |= {f"layers.0.feed_forward.w{n}.weight": (6, 8) for n in (1, 3)}
    shapes |= {"layers.0.feed_forward.w2.weight": (8, 6)}
    shapes |= {f"layers.0.{name}_norm.weight": (8,) for name in ("attention", "ffn")}
    with torch.device("cpu"):
        made, plan = filled(random_state(shapes), meta_llama_rules(2), targets_of(module, LANGUAGE))
    assert plan.left == [{"rope.freqs": "a buffer that is computed again when the network is built"}]
    assert len(made) == len(shapes) - 1


def clip_module():
    return CLIPVisionModel(
        CLIPVisionConfig(
            hidden_size=8,
            intermediate_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=16,
            patch_size=4,
            hidden_act="quick_gelu",
        )
    )


def bare(state):
    return {name.removeprefix("vision_model."): tensor for name, tensor in state.items()}


@pytest.mark.parametrize(
    "extra",
    [
        pytest.param({}, id="vision_model"),
        pytest.param(
            {
                "text_model.x": (1,),
                "logit_scale": (),
                "text_projection.weight": (2, 2),
                "visual_projection.weight": (2, 2),
            }
            | {"vision_model.embeddings.position_ids": (1, 17)},
            id="whole_clip",
        ),
    ],
)
def test_clip_fills_transformers_model(extra):
    targets = targets_of(clip_module(), "")
    targets = {TRUNK + name: tensor for name, tensor in bare(targets).items()}
    made, plan = filled(random_state({**clip_shapes(16), **extra}), clip_rules(), targets)
    assert made.keys() == targets.keys()
    assert plan.left[0].keys() == extra.keys()


class OpenClipBlock(nn.Module):
    """A block of open_clip's vision transformer (mlfoundations/open_clip, transformer.py), with QuickGELU."""

    def __init__(self, width, heads):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(width, 2 * width), "c_proj": nn.Linear(2 * width, width)})

    def forward(self, x):
        normed = self.ln_1(x)
        x = x + self.attn(normed, normed, normed, need_weights=False)[0]
        hidden = self.mlp["c_fc"](self.ln_2(x))
        return x + self.mlp["c_proj"](hidden * torch.sigmoid(1.702 * hidden))


def test_open_clips_vision_model_computes_the_same():
    torch.manual_seed(0)
    theirs, width = {}, 8
    blocks = nn.ModuleList(OpenClipBlock(width, 2) for _ in range(2)).eval()
    conv, ln_pre, ln_post = nn.Conv2d(3, width, 4, 4, bias=False), nn.LayerNorm(width), nn.LayerNorm(width)
    token, places = torch.randn(width), torch.randn(17, width)
    for name, module in {"conv1": conv, "ln_pre": ln_pre, "ln_post": ln_post, "transformer.resblocks": blocks}.items():
        theirs |= {f"c.visual.{name}.{key}": tensor for key, tensor in module.state_dict().items()}
    theirs |= {"c.visual.class_embedding": token, "c.visual.positional_embedding": places}
    theirs |= {"c.visual.proj": torch.zeros(8, 4), "c.ln_final.weight": torch.zeros(4)}
    ours = clip_module().eval()
    made, plan = filled(theirs, open_clip_rules(r"c\."), {TRUNK + n: t for n, t in bare(ours.state_dict()).items()})
    assert len(plan.left[0]) == 2
    prefix = "vision_model." if next(iter(ours.state_dict())).startswith("vision_model.") else ""
    ours.load_state_dict({prefix + name.removeprefix(TRUNK): tensor for name, tensor in made.items()})
    pixels = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        x = conv(pixels).flatten(2).transpose(1, 2)
        x = ln_pre(torch.cat([token.expand(2, 1, -1), x], 1) + places)
        for block in blocks:
            x = block(x)
        torch.testing.assert_close(ours(pixels).last_hidden_state, x, atol=1e-5, rtol=1e-5)


def test_sam_fills_transformers_model(on_meta):
    shapes = sam_shapes("model.visual_model.")
    for name, shape in shapes.items():
        if "output_upscaling" in name and name.endswith("bias") and len(shape) == 1:
            weight = shapes[name.replace("bias", "weight")]
            shapes[name] = weight[1:2] if len(weight) == 4 else shape
    with torch.device("cpu"):
        state = random_state({**shapes, "model.visual_model.pixel_mean": (3, 1, 1)})
    config = SamConfig(**{k: v for k, v in lisa.sam_config(state, "toy").items() if k != "model_type"})
    with torch.device("meta"):
        targets = targets_of(SamModel(config), SAM)
    with torch.device("cpu"):
        made, plan = filled(state, sam_rules(lisa.SAM_PREFIX), targets)
    assert made.keys() == targets.keys()
    assert plan.left[0].keys() == {"model.visual_model.pixel_mean"}
    assert config.vision_config.global_attn_indexes == [1]
    assert (config.vision_config.window_size, config.vision_config.num_attention_heads) == (2, 2)
