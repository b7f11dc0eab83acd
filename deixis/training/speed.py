"""How fast a stage is trained, in what is logged: tokens, floating-point operations, and waiting for batches."""

from time import perf_counter
from typing import Any

import torch
from torch import nn
from transformers import TrainerCallback

from deixis.model.network import DeixisForConditionalGeneration
from deixis.training.flops import FlopCounter, peak_flops

TOKENS_PER_S, WAITING, TFLOPS, MFU = "tokens_per_s", "waiting", "tflop_per_s", "mfu"


class SpeedLog(TrainerCallback):
    """Adds `tokens_per_s` (padding left out), `tflop_per_s`, `mfu` (0 to 1, of `peak_flops`) and `waiting` (0 to 1) to
    what is logged, all of this process.

    It must precede the callbacks that write logs. A step begins when its batches are there, so what lies between it and
    what was last done (a step, a log, an evaluation, a checkpoint) is waiting.
    """

    def __init__(self, model: nn.Module):
        self.tokens = torch.zeros((), dtype=torch.int64)
        self.flops = FlopCounter()
        self.waited = 0.0
        self.since = self.last = perf_counter()
        model.register_forward_pre_hook(self._count, with_kwargs=True)

    def _count(self, module: nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
        if module.training and "input_ids" in kwargs:
            ids = kwargs["input_ids"]
            network = module.get_submodule("model")
            assert isinstance(network, DeixisForConditionalGeneration), "the modules of stages with tokens hold one"
            pad_id = network.config.get_text_config().pad_token_id
            self.tokens = self.tokens.to(ids.device) + ids.ne(pad_id).sum()  # read once it is logged

    def on_train_begin(self, args, state, control, **kwargs):
        self.since = self.last = perf_counter()

    def on_step_begin(self, args, state, control, **kwargs):
        self.waited += perf_counter() - self.last

    def on_step_end(self, args, state, control, **kwargs):
        self.last = perf_counter()

    on_evaluate = on_save = on_step_end

    def on_log(self, args, state, control, logs=None, **kwargs):
        if logs is not None and "loss" in logs:
            now = perf_counter()
            found = {WAITING: round(self.waited / (now - self.since), 3)}
            if tokens := int(self.tokens):
                found[TOKENS_PER_S] = round(tokens / (now - self.since), 1)
            rate = self.flops.take() / (now - self.since)
            peak = peak_flops(args.device, torch.bfloat16 if args.bf16 else torch.float32)
            found |= {name: float(f"{value:.3g}") for name, value in ((TFLOPS, rate / 1e12), (MFU, rate / peak))}
            logs |= found
            state.log_history[-1] |= found
            self.tokens.zero_()
            self.waited, self.since = 0.0, now
        self.last = perf_counter()
