"""Annotating models of toy sizes with random weights, in folders as the hub has them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForDepthEstimation,
    AutoModelForZeroShotObjectDetection,
    BertTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Sam2Model,
    Sam2VideoConfig,
    Sam2VideoModel,
    SamModel,
)
from transformers.models.dpt.image_processing_pil_dpt import DPTImageProcessorPil
from transformers.models.glpn.image_processing_pil_glpn import GLPNImageProcessorPil
from transformers.models.grounding_dino.image_processing_pil_grounding_dino import GroundingDinoImageProcessorPil
from transformers.models.owlv2.image_processing_pil_owlv2 import Owlv2ImageProcessorPil
from transformers.models.owlvit.image_processing_pil_owlvit import OwlViTImageProcessorPil
from transformers.models.zoedepth.image_processing_pil_zoedepth import ZoeDepthImageProcessorPil

from tests.toy import SAM2_SIZES, SAM_SIZES

WORDS = ("cat", "dog", "red", "mug", "bench", "st", "bernard", "a", "photo", "of")
OWL_SIDE, DEPTH_SIDE = 32, 28
DINOV2 = {
    "model_type": "dinov2",
    "hidden_size": 16,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "patch_size": 14,
    "image_size": DEPTH_SIDE,
    "out_features": ["stage1", "stage2", "stage3", "stage4"],
    "reshape_hidden_states": False,
}

Save = Callable[[Path], PreTrainedModel]


def build(make: Callable[[Any], PreTrainedModel], config: Any) -> PreTrainedModel:
    """A model whose random weights are wide enough that its answers differ from place to place."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = make(config)
        for name, weight in model.named_parameters():
            if weight.ndim > 1 and "embed_positions" not in name:
                torch.nn.init.normal_(weight, std=weight[0].numel() ** -0.5)
    return model.eval()


def save_sam(folder: Path) -> SamModel:
    model = build(SamModel, AutoConfig.for_model(**SAM_SIZES))
    model.save_pretrained(folder)
    return model


def save_sam2(folder: Path) -> Sam2Model:
    model = build(Sam2Model, AutoConfig.for_model(**SAM2_SIZES))
    model.save_pretrained(folder)
    return model


def save_owl(folder: Path, kind: str) -> PreTrainedModel:
    """An OWL-ViT ("owlvit") or OWLv2 ("owlv2")."""
    tower = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = AutoConfig.for_model(
        kind,
        text_config={**tower, "vocab_size": 20, "max_position_embeddings": 8, "bos_token_id": 18, "eos_token_id": 19},
        vision_config={**tower, "image_size": OWL_SIDE, "patch_size": 8},
        projection_dim=16,
    )
    model = build(AutoModelForZeroShotObjectDetection.from_config, config)
    model.save_pretrained(folder)
    processor = Owlv2ImageProcessorPil if kind == "owlv2" else OwlViTImageProcessorPil
    processor(size={"height": OWL_SIDE, "width": OWL_SIDE}).save_pretrained(folder)
    word_tokenizer().save_pretrained(folder)
    return model


def word_tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer whose tokens are `WORDS`, with start and end as CLIP's has them."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    vocab = {"<pad>": 0, "<unk>": 1, **{word: n for n, word in enumerate(WORDS, 2)}, "<start>": 18, "<end>": 19}
    tokenizer = Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>", special_tokens=[("<start>", 18), ("<end>", 19)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>", bos_token="<start>", eos_token="<end>"
    )


def save_grounding_dino(folder: Path, kind: str = "grounding-dino") -> PreTrainedModel:
    """A Grounding DINO or MM Grounding DINO; its BERT has the real one's ids for full stop, start and end."""
    swin = {
        "model_type": "swin",
        "image_size": 32,
        "patch_size": 4,
        "embed_dim": 8,
        "depths": [1, 1, 1, 1],
        "num_heads": [1, 1, 2, 2],
        "window_size": 2,
        "out_features": ["stage2", "stage3", "stage4"],
    }
    bert = {"model_type": "bert", "vocab_size": 1100, "hidden_size": 16, "intermediate_size": 24}
    config = AutoConfig.for_model(
        kind,
        backbone_config=swin,
        text_config={**bert, "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 64},
        d_model=32,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=24,
        decoder_ffn_dim=24,
        num_queries=20,
        max_text_len=16,
    )
    model = build(AutoModelForZeroShotObjectDetection.from_config, config)
    model.save_pretrained(folder)
    GroundingDinoImageProcessorPil(size={"shortest_edge": 96, "longest_edge": 160}).save_pretrained(folder)
    vocab = {f"[unused{n}]": n for n in range(1100)}
    at = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103, ".": 1012, "?": 1029}
    at |= {word: 200 + n for n, word in enumerate(WORDS)}
    named = {number: word for word, number in at.items()}
    vocab = {named.get(number, word): number for word, number in vocab.items()}
    BertTokenizer(vocab=vocab, do_lower_case=True).save_pretrained(folder)
    return model


def save_depth_anything(folder: Path, measures: str = "relative") -> PreTrainedModel:
    config = AutoConfig.for_model(
        "depth_anything",
        backbone_config=DINOV2,
        reassemble_hidden_size=16,
        reassemble_factors=[4, 2, 1, 0.5],
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
        head_hidden_size=8,
        patch_size=14,
        depth_estimation_type=measures,
        max_depth=20 if measures == "metric" else 1,
    )
    return _save_depth(folder, config, _dpt_processor(ensure_multiple_of=14, keep_aspect_ratio=True))


def save_dpt_on_dinov2(folder: Path) -> PreTrainedModel:
    """As facebook/dpt-dinov2-small-nyu: images keep their size, with margins to a multiple of 14 around them."""
    config = AutoConfig.for_model(
        "dpt",
        backbone_config=DINOV2,
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=256,
        use_bias_in_fusion_residual=False,
        add_projection=True,
    )
    processor = DPTImageProcessorPil(do_resize=False, do_pad=True, size_divisor=14)
    return _save_depth(folder, config, processor)


def save_dpt(folder: Path) -> PreTrainedModel:
    """As Intel/dpt-large: images become a square."""
    config = AutoConfig.for_model(
        "dpt",
        hidden_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=24,
        image_size=32,
        patch_size=16,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=16,
        is_hybrid=False,
    )
    return _save_depth(folder, config, DPTImageProcessorPil(size={"height": 32, "width": 32}))


def save_glpn(folder: Path) -> PreTrainedModel:
    config = AutoConfig.for_model(
        "glpn",
        hidden_sizes=[8, 8, 8, 8],
        depths=[1, 1, 1, 1],
        num_attention_heads=[1, 1, 1, 1],
        decoder_hidden_size=8,
    )
    return _save_depth(folder, config, GLPNImageProcessorPil())


def save_zoedepth(folder: Path) -> PreTrainedModel:
    beit = {
        "model_type": "beit",
        "image_size": 32,
        "patch_size": 16,
        "hidden_size": 16,
        "num_hidden_layers": 4,
        "num_attention_heads": 2,
        "intermediate_size": 24,
        "out_indices": [1, 2, 3, 4],
        "reshape_hidden_states": False,
    }
    config = AutoConfig.for_model(
        "zoedepth",
        backbone_config=beit,
        backbone_hidden_size=16,
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
        bottleneck_features=8,
        num_relative_features=8,
        bin_embedding_dim=8,
        num_attractors=[2, 2, 2, 2],
        patch_transformer_hidden_size=8,
        patch_transformer_intermediate_size=8,
        patch_transformer_num_attention_heads=1,
        bin_configurations=[{"name": "nyu", "n_bins": 8, "min_depth": 0.001, "max_depth": 10.0}],
    )
    processor = ZoeDepthImageProcessorPil(size={"height": 32, "width": 48}, ensure_multiple_of=16)
    return _save_depth(folder, config, processor)


def save_sam2_of_films(folder: Path) -> Sam2VideoModel:
    """As the published SAM 2: with the memory for videos."""
    sizes = {name: size for name, size in SAM2_SIZES.items() if name != "model_type"}
    model = build(Sam2VideoModel, Sam2VideoConfig(**sizes, image_size=64))
    model.save_pretrained(folder)
    return model


def _dpt_processor(**options: Any) -> DPTImageProcessorPil:
    return DPTImageProcessorPil(size={"height": DEPTH_SIDE, "width": DEPTH_SIDE}, **options)


def _save_depth(folder: Path, config: Any, processor: Any) -> PreTrainedModel:
    model = build(AutoModelForDepthEstimation.from_config, config)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return model


DEPTH_MODELS: dict[str, Save] = {
    "depth_anything": save_depth_anything,
    "depth_anything_metric": lambda folder: save_depth_anything(folder, "metric"),
    "dpt": save_dpt,
    "dpt_on_dinov2": save_dpt_on_dinov2,
    "glpn": save_glpn,
    "zoedepth": save_zoedepth,
}
