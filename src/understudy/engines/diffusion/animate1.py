"""Wan2.2-Animate-14B (arXiv 2509.14055) in replacement mode: the character takes the performer's place in the scene.

The parts are those of diffusers' ``WanAnimatePipeline``, called segment by segment for the reasons of `animate2`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import WanAnimatePipeline
from diffusers.modular_pipelines.wan_animate_2.denoise import decode_vae
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from understudy.engines.diffusion.animate2 import frames_of, pixels, tail_of
from understudy.engines.diffusion.assignment import REFERENCE, Assignment, mapped
from understudy.engines.diffusion.card import give_back, visiting, wait_for
from understudy.engines.diffusion.model import Made, Step, segment_frames
from understudy.engines.diffusion.plan import Plan
from understudy.engines.diffusion.spec import UNDISTILLED_STEPS, WAN_ANIMATE_1, ModelSpec

CAPTION_TOKENS = 512
REPLACE = "replace"


@dataclass(frozen=True)
class Begun:
    """What all segments of an assignment share."""

    folder: Path
    assignment: Assignment
    caption: Tensor
    picture_seen: Tensor  # by CLIP
    reference: Tensor  # (1, 20, 1, h, w) mask and latents of the picture


class Animate1:
    """``parts`` are the pipeline's components, where the plan wants them, on ``device``. ``distilled``: the LoRA is in
    them with which an assignment's few steps suffice; else there are as many as the model's authors take."""

    def __init__(
        self,
        parts: dict[str, Any],
        device: torch.device,
        plan: Plan,
        *,
        distilled: bool = True,
        spec: ModelSpec = WAN_ANIMATE_1,
    ) -> None:
        self.spec = spec
        self._distilled = distilled
        self._device, self.plan = device, plan
        self._pipeline = WanAnimatePipeline(**parts)
        self._face_side = parts["transformer"].config.motion_encoder_size

    def take(self, plan: Plan) -> None:
        """Go on by another plan with the same weights."""
        self.plan = plan
        if not plan.encoders_stay:
            for network in (self._pipeline.text_encoder, self._pipeline.image_encoder):
                network.to("cpu")

    @torch.no_grad()
    def begin(self, folder: Path, assignment: Assignment) -> Begun:
        pipeline, device = self._pipeline, self._device
        dtype = pipeline.transformer.dtype
        picture = mapped(folder, assignment, REFERENCE)
        with visiting(pipeline.text_encoder, self._device, stays=self.plan.encoders_stay):
            caption, _ = pipeline.encode_prompt(
                assignment.caption,
                do_classifier_free_guidance=False,
                max_sequence_length=CAPTION_TOKENS,
                device=device,
            )
        with visiting(pipeline.image_encoder, self._device, stays=self.plan.encoders_stay):
            seen = pipeline.encode_image(Image.fromarray(np.array(picture)), device)
        reference = pipeline.prepare_reference_image_latents(pixels(picture[None], device), device=device)
        return Begun(folder, assignment, caption.to(dtype), seen.to(dtype), reference)

    @torch.no_grad()
    def make(self, begun: Begun, number: int, before: NDArray[np.float32] | None, step: Step) -> Made:
        pipeline, assignment, device = self._pipeline, begun.assignment, self._device
        dtype = pipeline.transformer.dtype
        chosen = segment_frames(self.spec, assignment.frames, number)
        pose, face, background, mask = (
            mapped(begun.folder, assignment, name)[chosen] for name in ("pose", "face", "background", "mask")
        )
        overlap = self.spec.overlap
        known = None if before is None else torch.from_numpy(np.array(before)[None]).to(device)
        pose_latents = pipeline.prepare_pose_latents(pixels(pose, device), device=device).to(dtype)
        condition = pipeline.prepare_prev_segment_cond_latents(
            known,
            background_video=pixels(background, device),
            mask_video=torch.from_numpy(np.array(mask)[None, None]).to(device).float() / 255,
            segment_frame_length=self.spec.segment_frames,
            start_frame=number * self.spec.advance,
            height=assignment.height,
            width=assignment.width,
            prev_segment_cond_frames=overlap,
            task=REPLACE,
            device=device,
        )
        conditions = torch.cat([begun.reference, condition], dim=2)
        latents = self._noise(number, assignment)
        faces = self._faces(face).to(dtype)
        scheduler = pipeline.scheduler
        steps = assignment.steps if self._distilled or assignment.chosen else UNDISTILLED_STEPS
        scheduler.set_timesteps(steps, device=device)
        wait_for(device)
        step(0, steps)  # encoding takes as long as a step
        for index, t in enumerate(scheduler.timesteps):
            noise = pipeline.transformer(
                hidden_states=torch.cat([latents, conditions], dim=1).to(dtype),
                timestep=t.expand(1),
                encoder_hidden_states=begun.caption,
                encoder_hidden_states_image=begun.picture_seen,
                pose_hidden_states=pose_latents,
                face_pixel_values=faces,
                return_dict=False,
            )[0]
            latents = scheduler.step(noise, t, latents, return_dict=False)[0]
            wait_for(device)
            step(index + 1, steps)
        made = decode_vae(pipeline.vae, latents[:, :, 1:])  # the first is the reference's place
        made = made if before is None else made[:, :, overlap:]
        return frames_of(made), tail_of(made, overlap)

    def forget(self) -> None:
        give_back(self._device)

    def _faces(self, face: NDArray[np.uint8]) -> Tensor:
        """(1, 3, T, side, side) at the size that the model's motion encoder takes."""
        there = pixels(face, self._device)
        if there.shape[-1] == self._face_side:
            return there
        small = torch.nn.functional.interpolate(
            there[0].transpose(0, 1), size=(self._face_side, self._face_side), mode="bilinear", antialias=True
        )
        return small.transpose(0, 1)[None]

    def _noise(self, number: int, assignment: Assignment) -> Tensor:
        """Drawn on the CPU, so that every device makes the same; one draw a segment, as the pipeline's loop has it."""
        generator = torch.Generator().manual_seed(assignment.seed)
        for _ in range(number + 1):
            latents = self._pipeline.prepare_latents(
                1,
                self._pipeline.vae.config.z_dim,
                assignment.height,
                assignment.width,
                self.spec.segment_frames,
                torch.float32,
                self._device,
                generator,
            )
        return latents
