"""The two ways of making a clip that are compared: this project's own, and diffusers' pipeline; random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import WanAnimate2DistilledModularPipeline
from diffusers.modular_pipelines import WanAnimate2DistilledBlocks
from diffusers.modular_pipelines.wan_animate_2 import denoise
from PIL import Image
from random_parts import random_parts

from understudy.engines.diffusion import animate2
from understudy.engines.diffusion.assignment import Assignment, mapped
from understudy.engines.diffusion.generator import Generator
from understudy.engines.diffusion.loading import place
from understudy.engines.diffusion.plan import Plan
from understudy.engines.diffusion.spec import SPECS, WAN_ANIMATE_2
from understudy.progress import silent


class Ours:
    """Loaded as the engine has it with a plan. What is watched lies in ``module`` and ``transformer``."""

    module = animate2

    def __init__(
        self, weights: str, device: torch.device, dtype: torch.dtype, plan: Plan, *, compiled: bool
    ) -> None:
        parts = random_parts(weights, device, dtype)
        place(parts, device, plan, dtype)
        self.transformer = parts["transformer"]
        if compiled:
            self.transformer.compile_repeated_blocks(fullgraph=False)
        self._model = animate2.Animate2(parts, device, plan, spec=SPECS[WAN_ANIMATE_2.name])

    def make(self, folder: Path, assignment: Assignment) -> None:
        Generator(lambda *_: self._model).make(folder, silent)


class Theirs:
    """As diffusers' documentation has it: flex attention, blocks compiled where there is a GPU."""

    module = denoise

    def __init__(self, weights: str, device: torch.device, dtype: torch.dtype) -> None:
        self._pipeline = WanAnimate2DistilledModularPipeline(blocks=WanAnimate2DistilledBlocks())
        self._pipeline.update_components(**random_parts(weights, device, dtype))
        self.transformer = self._pipeline.transformer
        if device.type == "cuda":
            self.transformer.compile_repeated_blocks(fullgraph=False)

    def make(self, folder: Path, assignment: Assignment) -> None:
        self._pipeline(
            image=_picture(mapped(folder, assignment, "reference")),
            driving_video=[_picture(frame) for frame in mapped(folder, assignment, "driving")],
            prompt=assignment.caption,
            num_inference_steps=assignment.steps,
            segment_frame_length=assignment.spec.segment_frames,
            height=assignment.height,
            width=assignment.width,
            generator=torch.Generator().manual_seed(0),
            output="videos",
        )


def _picture(frame: Any) -> Image.Image:
    return Image.fromarray(np.array(frame))
