"""The parts of Wan-Animate-2 at their published sizes with random weights, made where they are used.

For speed and memory alone: what such a model makes is noise. Nothing is read from a disk or a network. ``full`` has the
published sizes (the defaults of diffusers' classes, umT5-XXL's and CLIP ViT-H's), ``tiny`` is for trying the scripts.
"""

from __future__ import annotations

from typing import Any

import diffusers
import torch
import transformers

TEXT_TOKENS = 512
SIZES: dict[str, dict[str, dict[str, Any]]] = {
    "full": {
        "transformer": {},
        "vae": {},
        "text_encoder": {
            "vocab_size": 256384,
            "d_model": 4096,
            "d_kv": 64,
            "d_ff": 10240,
            "num_layers": 24,
            "num_heads": 64,
        },
        "image_encoder": {
            "hidden_size": 1280,
            "intermediate_size": 5120,
            "num_hidden_layers": 32,
            "num_attention_heads": 16,
            "patch_size": 14,
        },
    },
    "tiny": {
        "transformer": {
            "dim": 64,
            "ffn_dim": 64,
            "freq_dim": 32,
            "text_dim": 32,
            "num_heads": 2,
            "num_layers": 2,
        },
        "vae": {"base_dim": 4, "dim_mult": [1, 1, 1, 1], "num_res_blocks": 1},
        "text_encoder": {
            "vocab_size": 1000,
            "d_model": 32,
            "d_kv": 8,
            "d_ff": 32,
            "num_layers": 2,
            "num_heads": 2,
        },
        "image_encoder": {
            "hidden_size": 1280,
            "intermediate_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "patch_size": 14,
        },
    },
}
CHANGED = 0.02  # standard deviation of random weights


class Words:
    """In the place of the tokenizer: a number for each character, with as many numbers as the model has."""

    def __init__(self, numbers: int) -> None:
        self._numbers = numbers

    def __call__(self, prompts: list[str], *, max_length: int, **_: Any) -> Any:
        ids = torch.zeros(len(prompts), max_length, dtype=torch.long)
        for row, prompt in zip(ids, prompts, strict=True):
            known = torch.tensor([ord(character) % self._numbers for character in prompt[:max_length]])
            row[: len(known)] = known
        return transformers.BatchEncoding({"input_ids": ids, "attention_mask": (ids > 0).long()})


def random_parts(size: str, device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
    """Components for `WanAnimate2DistilledModularPipeline`."""
    sizes = SIZES[size]
    text = transformers.UMT5Config(feed_forward_proj="gated-gelu", dropout_rate=0.0, **sizes["text_encoder"])
    image = transformers.CLIPVisionConfig(image_size=224, **sizes["image_encoder"])
    kinds = {
        "transformer": lambda: diffusers.WanAnimate2Transformer3DModel(**sizes["transformer"]),
        "vae": lambda: diffusers.AutoencoderKLWan(**sizes["vae"]),
        "text_encoder": lambda: transformers.UMT5EncoderModel(text),
        "image_encoder": lambda: transformers.CLIPVisionModel(image),
    }
    # A device that holds no numbers draws none.
    generator = None if device.type == "meta" else torch.Generator(device).manual_seed(0)
    parts = {name: _random(make, device, dtype, generator) for name, make in kinds.items()}
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=5.0)
    return {**parts, "tokenizer": Words(sizes["text_encoder"]["vocab_size"]), "scheduler": scheduler}


def _random(make: Any, device: torch.device, dtype: torch.dtype, generator: torch.Generator) -> Any:
    """Made where it will be, in its own type: no copy of 30 GB passes through the machine's memory."""
    kept = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device), torch.no_grad():
            module = make().to(dtype).eval().requires_grad_(False)
    finally:
        torch.set_default_dtype(kept)
    # transformers has such a list too, and keeps to it with float16 alone.
    kept_wide = (module._keep_in_fp32_modules or ()) if isinstance(module, diffusers.ModelMixin) else ()
    for name, weight in module.named_parameters():
        if any(part in kept_wide for part in name.split(".")):
            weight.data = weight.data.float()
        if weight.dim() > 1:
            weight.normal_(0, CHANGED, generator=generator)
        elif "norm" not in name:
            weight.zero_()
    return module
