"""Wan-Animate-2, distilled (arXiv 2608.06009): makes a segment from a picture, the driving frames and a caption.

The parts are those of diffusers' ``WanAnimate2DistilledModularPipeline``, called one by one: its own loop holds the
whole clip on the device, tells nobody how far it is and cannot go on in the middle. Noise is drawn as its loop would,
so that both give the same frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import WanAnimate2DistilledModularPipeline
from diffusers.modular_pipelines import WanAnimate2DistilledBlocks
from diffusers.modular_pipelines.wan_animate_2.denoise import decode_vae
from diffusers.modular_pipelines.wan_animate_2.encoders import (
    clip_visual_encode,
    encode_vae,
    get_i2v_mask,
    get_t5_prompt_embeds,
)
from diffusers.utils.torch_utils import randn_tensor
from numpy.typing import NDArray
from torch import Tensor

from understudy.engines.diffusion.assignment import REFERENCE, Assignment, mapped
from understudy.engines.diffusion.attention import best_kernel, split_attention
from understudy.engines.diffusion.card import give_back, visiting, wait_for
from understudy.engines.diffusion.driving_cache import DrivingCache, Keeping
from understudy.engines.diffusion.model import Made, Step, segment_frames
from understudy.engines.diffusion.plan import Plan
from understudy.engines.diffusion.spec import WAN_ANIMATE_2, ModelSpec

DRIVING_CAPTION = "人物动作的参考视频"  # what the model was trained to be told of the driving video
CAPTION_TOKENS = 512


@dataclass(frozen=True)
class Begun:
    """What all segments of an assignment share."""

    folder: Path
    assignment: Assignment
    caption: Tensor
    driving_caption: Tensor
    picture_seen: Tensor  # by CLIP
    driving_seen: Tensor  # its first frame, by CLIP
    reference: Tensor  # (20, 1, h, w) mask and latents of the picture


class Animate2:
    """``parts`` are the pipeline's components, where the plan wants them, on ``device``."""

    def __init__(
        self, parts: dict[str, Any], device: torch.device, plan: Plan, *, spec: ModelSpec = WAN_ANIMATE_2
    ) -> None:
        self.spec = spec
        self._device, self.plan = device, plan
        self._pipeline = WanAnimate2DistilledModularPipeline(blocks=WanAnimate2DistilledBlocks())
        self._pipeline.update_components(**parts)
        self._captions: dict[str, Tensor] = {}
        self._nothing_known: dict[tuple[int, int], Tensor] = {}
        transformer = self._pipeline.transformer
        config = transformer.config
        kernel = best_kernel(device, transformer.dtype, config.num_heads, config.dim // config.num_heads)
        self._attention = split_attention(transformer, kernel)

    def take(self, plan: Plan) -> None:
        """Go on by another plan with the same weights."""
        self.plan = plan
        if not plan.encoders_stay:
            for network in (self._pipeline.text_encoder, self._pipeline.image_encoder):
                network.to("cpu")

    @torch.no_grad()
    def begin(self, folder: Path, assignment: Assignment) -> Begun:
        pipeline = self._pipeline
        reference = pixels(mapped(folder, assignment, REFERENCE)[None], self._device)
        driving = pixels(mapped(folder, assignment, "driving")[:1], self._device)
        with visiting(pipeline.text_encoder, self._device, stays=self.plan.encoders_stay):
            caption, driving_caption = map(self._read, (assignment.caption, DRIVING_CAPTION))
        with visiting(pipeline.image_encoder, self._device, stays=self.plan.encoders_stay) as encoder:
            seen = [
                clip_visual_encode(encoder, each[0], self._device, encoder.dtype)
                for each in (reference, driving)
            ]
        latents = encode_vae(pipeline.vae, reference)[0]
        mask = get_i2v_mask(1, *latents.shape[-2:], 1, device=self._device).to(latents.dtype)
        reference = torch.cat([mask, latents])
        return Begun(folder, assignment, caption, driving_caption, seen[0], seen[1], reference)

    @torch.no_grad()
    def make(self, begun: Begun, number: int, before: NDArray[np.float32] | None, step: Step) -> Made:
        pipeline, assignment = self._pipeline, begun.assignment
        dtype, device = pipeline.transformer.dtype, self._device
        chosen = segment_frames(self.spec, assignment.frames, number)
        driving = encode_vae(
            pipeline.vae, pixels(mapped(begun.folder, assignment, "driving")[chosen], device)
        )[0]
        height, width = driving.shape[-2:]
        grid = torch.tensor([[driving.shape[1], height // 2, width // 2]])
        area = (height // 2) * (width // 2)
        condition = torch.cat([self._mask(driving, self.spec.segment_frames), driving])
        known = torch.cat([begun.reference, self._known(before, height * 8, width * 8)], dim=1)
        cache = DrivingCache(len(pipeline.transformer.blocks), self._keeping())
        latents = self._noise(known, number, assignment.seed)
        scheduler = pipeline.scheduler
        scheduler.set_timesteps(assignment.steps, device=device)
        wait_for(device)
        step(0, assignment.steps)  # encoding takes as long as a step, and so does what comes now
        pipeline.transformer(
            [driving.to(dtype)],
            timestep=scheduler.timesteps[:1].to(dtype),
            encoder_hidden_states=[begun.driving_caption[0].to(dtype)],
            encoder_hidden_states_image=begun.driving_seen.to(dtype),
            condition_latents=[condition.to(dtype)],
            kv_cache=cache,
            kv_cache_mode="extract",
            seq_len=driving.shape[1] * area,
            offset_grid_sizes=grid,
        )
        wait_for(device)
        step(0, assignment.steps)
        for index, t in enumerate(scheduler.timesteps):
            noise = pipeline.transformer(
                [latents.to(dtype)],
                timestep=t[None],
                encoder_hidden_states=[begun.caption[0].to(dtype)],
                encoder_hidden_states_image=begun.picture_seen.to(dtype),
                condition_latents=[known.to(dtype)],
                kv_cache=cache,
                kv_cache_mode="cached",
                seq_len=known.shape[1] * area,
                reference_grid_sizes=grid,
                origin_len=self.spec.segment_frames,
                origin_area=[assignment.height, assignment.width],
            ).sample[0]
            latents = scheduler.step(noise[None], t, latents[None], return_dict=False)[0][0]
            wait_for(device)
            step(index + 1, assignment.steps)
        cache.clear()
        made = decode_vae(pipeline.vae, latents[:, 1:].float())  # the first is the reference's place
        made = made if before is None else made[:, :, self.spec.overlap :]
        return frames_of(made), tail_of(made, self.spec.overlap)

    def forget(self) -> None:
        self._nothing_known.clear()
        self._attention.forget()
        give_back(self._device)

    def _read(self, caption: str) -> Tensor:
        known = self._captions.get(caption)
        if known is None:
            known = get_t5_prompt_embeds(
                self._pipeline.text_encoder, self._pipeline.tokenizer, caption, CAPTION_TOKENS, self._device
            )
            if caption == DRIVING_CAPTION:
                self._captions[caption] = known
        return known

    def _known(self, before: NDArray[np.float32] | None, height: int, width: int) -> Tensor:
        """(20, T, h, w) what is known of the segment: the frames of the one before that it begins with."""
        frames = torch.zeros(1, 3, self.spec.segment_frames, height, width, device=self._device)
        if before is not None:
            frames[0, :, : self.spec.overlap] = torch.from_numpy(np.array(before)).to(self._device)
            return self._conditioned(frames, self.spec.overlap)
        key = (height, width)
        if key not in self._nothing_known:  # the same for each first segment of a size
            self._nothing_known = {key: self._conditioned(frames, 0)}
        return self._nothing_known[key]

    def _conditioned(self, frames: Tensor, known: int) -> Tensor:
        latents = encode_vae(self._pipeline.vae, frames)[0]
        return torch.cat([self._mask(latents, known), latents])

    def _mask(self, latents: Tensor, frames: int) -> Tensor:
        return get_i2v_mask(*latents.shape[1:], frames, device=self._device).to(latents.dtype)

    def _noise(self, known: Tensor, number: int, seed: int) -> Tensor:
        """Drawn on the CPU, so that every device makes the same; one draw a segment, as the pipeline's loop has it."""
        generator = torch.Generator().manual_seed(seed)
        shape = (self._pipeline.num_channels_latents, *known.shape[1:])
        for _ in range(number):
            torch.randn(shape, generator=generator)
        return randn_tensor(shape, generator=generator, device=self._device, dtype=torch.float32)

    def _keeping(self) -> Keeping:
        if self.plan.streamed:
            return Keeping.HOST
        return Keeping.FP8 if self.plan.small_cache else Keeping.DEVICE


def pixels(frames: NDArray[np.uint8], device: torch.device) -> Tensor:
    """(1, 3, T, H, W) float32, -1..1, of (T, H, W, 3)."""
    there = torch.from_numpy(np.array(frames)).to(device)  # a copy: what is mapped cannot be written
    return (there.permute(3, 0, 1, 2)[None].float() / 255 - 0.5) * 2


def frames_of(made: Tensor) -> NDArray[np.uint8]:
    """(T, H, W, 3) of (1, 3, T, H, W), -1..1."""
    small = ((made[0].float() / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8)
    return np.ascontiguousarray(small.permute(1, 2, 3, 0).cpu().numpy())


def tail_of(made: Tensor, overlap: int) -> NDArray[np.float32]:
    return np.ascontiguousarray(made[0, :, -overlap:].float().cpu().numpy())
