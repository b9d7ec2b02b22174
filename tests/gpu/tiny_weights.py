"""Weights as published, only tiny and random: the models' real classes, saved in the folders that the hub has.

What they make is noise, the same for the same seed. Which classes: of Wan-Animate-2 distilled, those of its published
``modular_model_index.json`` (FlowMatchEulerDiscreteScheduler; the base model has DPMSolverMultistepScheduler); of
Wan2.2-Animate, those of diffusers' ``scripts/convert_wan_to_diffusers.py``. Shapes that code relies on are the real
ones: a VAE that takes 8 x 8 pixels and 4 frames together, 16 channels, patches of 2 x 2, 512 tokens of text, and CLIP's
width of 1280, which Wan-Animate-2 has in its code.

So sides are multiples of 16 and segments 4 n + 1 frames long, from 5 on.
"""

from __future__ import annotations

import json
import string
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLWan,
    FlowMatchEulerDiscreteScheduler,
    UniPCMultistepScheduler,
    WanAnimate2Transformer3DModel,
    WanAnimatePipeline,
    WanAnimateTransformer3DModel,
)
from transformers import (
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    CLIPVisionModel,
    T5TokenizerFast,
    UMT5Config,
    UMT5EncoderModel,
)

REPOSITORY_2 = (
    "Wan-AI/Wan2.2-Animate-2-14B-Distilled-Diffusers"  # its index names itself, not the local folder
)
TEXT_TOKENS, TEXT_WIDTH = 512, 32
CLIP_WIDTH = 1280  # in WanAnimate2Transformer3DModel's code
HANZI = (0x4E00, 0x9FFF)  # captions are Chinese, and two of them should differ
SEED = 20


def write_tiny_animate2(folder: Path) -> None:
    """`WanAnimate2DistilledModularPipeline` loads it: transformer, vae, text_encoder, tokenizer, image_encoder,
    scheduler."""
    with _seeded():
        transformer = WanAnimate2Transformer3DModel(
            text_len=TEXT_TOKENS,
            in_dim=36,
            dim=64,
            ffn_dim=64,
            freq_dim=32,
            text_dim=TEXT_WIDTH,
            out_dim=16,
            num_heads=2,
            num_layers=2,
        )
        parts: dict[str, Any] = {
            "transformer": transformer,
            **_shared(),
            "image_encoder": _clip(CLIP_WIDTH, 224, 14),
        }
    parts["scheduler"] = FlowMatchEulerDiscreteScheduler(shift=5.0)
    for name, part in parts.items():
        part.save_pretrained(folder / name)
    (folder / "modular_model_index.json").write_text(json.dumps(_modular_index(parts), indent=2))


def write_tiny_animate1(folder: Path) -> None:
    """`WanAnimatePipeline` loads it, for both of its modes."""
    with _seeded():
        transformer = WanAnimateTransformer3DModel(
            num_attention_heads=2,
            attention_head_dim=16,  # of both models, all widths in blocks are multiples of 16
            text_dim=TEXT_WIDTH,
            freq_dim=32,
            ffn_dim=32,
            num_layers=2,
            image_dim=16,
            added_kv_proj_dim=32,
            rope_max_seq_len=128,
            motion_encoder_channel_sizes={"4": 16, "8": 16, "16": 16},
            motion_encoder_size=16,
            motion_style_dim=8,
            motion_dim=4,
            motion_encoder_dim=16,
            face_encoder_hidden_dim=16,
            face_encoder_num_heads=2,
            inject_face_latents_blocks=2,
        )
        shared, image_encoder = _shared(), _clip(16, 32, 16)
    scheduler = UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=5.0
    )
    pipeline = WanAnimatePipeline(
        transformer=transformer,
        scheduler=scheduler,
        **shared,
        image_encoder=image_encoder,
        image_processor=CLIPImageProcessorPil(
            size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
        ),
    )
    pipeline.save_pretrained(folder)
    index = folder / "model_index.json"
    names = {"CLIPImageProcessorPil": "CLIPImageProcessor", "T5Tokenizer": "T5TokenizerFast"}
    text = index.read_text()
    for here, published in names.items():
        text = text.replace(f'"{here}"', f'"{published}"')
    index.write_text(text)


@contextmanager
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        yield


def _shared() -> dict[str, Any]:
    vae = AutoencoderKLWan(
        base_dim=4, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True]
    )
    tokenizer = _tokenizer()
    config = UMT5Config(
        vocab_size=len(tokenizer),
        d_model=TEXT_WIDTH,
        d_kv=8,
        d_ff=32,
        num_layers=2,
        num_heads=2,
        dropout_rate=0.0,
    )
    return {"vae": vae, "text_encoder": UMT5EncoderModel(config), "tokenizer": tokenizer}


def _clip(width: int, side: int, patch: int) -> CLIPVisionModel:
    """The pipelines take the layer before the last: two layers are the fewest of which one counts."""
    config = CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=16,
        projection_dim=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=side,
        patch_size=patch,
    )
    return CLIPVisionModel(config)


def _tokenizer() -> T5TokenizerFast:
    """A token for each character that captions have; any other is the unknown one."""
    letters = string.ascii_letters + string.digits + string.punctuation + "▁，。：、；！？"
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces += [(piece, -1.0) for piece in (*letters, *map(chr, range(HANZI[0], HANZI[1] + 1)))]
    return T5TokenizerFast(vocab=pieces, extra_ids=0)


def _modular_index(parts: dict[str, Any]) -> dict[str, Any]:
    index: dict[str, Any] = {
        "_class_name": "WanAnimate2DistilledModularPipeline",
        "_blocks_class_name": "WanAnimate2DistilledBlocks",
        "_diffusers_version": "0.40.0",
    }
    for name, part in parts.items():
        hint = [type(part).__module__.partition(".")[0], type(part).__name__]
        if name == "tokenizer":
            hint[1] = "T5TokenizerFast"
        source = {
            "pretrained_model_name_or_path": REPOSITORY_2,
            "subfolder": name,
            "variant": None,
            "revision": None,
        }
        index[name] = [*hint, {**source, "type_hint": hint}]
    return index
