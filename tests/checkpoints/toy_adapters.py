"""Folders of toy networks and of adapters for them, as PEFT and transformers write them."""

import warnings

import torch
from torch import nn

from deixis.checkpoints.adapters import write_adapter

TARGETS = r"language_model.*\.[qv]_proj"


def adapted(network, folder, base, full=()):
    """The weights of a network with an adapter of random values merged by PEFT, which is written into `folder`."""
    from peft import LoraConfig, get_peft_model

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # PEFT asks transformers by a name that it will drop
        model = get_peft_model(network, LoraConfig(r=2, lora_alpha=6, target_modules=TARGETS))
    torch.manual_seed(1)
    for name, weight in network.named_parameters():
        if "lora_B" in name or name in full:
            nn.init.normal_(weight, std=0.3)
    folder.mkdir()
    write_adapter(folder, model, base, {name: network.get_parameter(name) for name in full})
    return model.merge_and_unload().state_dict()


def saved(network, processor, folder):
    """A folder of a network."""
    network.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
