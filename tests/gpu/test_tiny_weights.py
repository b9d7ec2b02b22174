"""diffusers' own pipelines take the tiny weights for real ones: the right number of frames, and not all of one grey."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import ModularPipeline, WanAnimate2DistilledModularPipeline, WanAnimatePipeline
from numpy.typing import NDArray
from PIL import Image
from tiny_weights import REPOSITORY_2, write_tiny_animate2

HEIGHT, WIDTH = 48, 32
CAPTION = "人物外观描述：一只银灰色虎斑纹的小猫。背景描述：背景为纯白色。"


def pictures(count: int, height: int = HEIGHT, width: int = WIDTH) -> list[Image.Image]:
    noise = np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8)
    return [Image.fromarray(picture) for picture in noise]


def animate2(folder: Path, frames: int, segment: int, caption: str = CAPTION) -> NDArray[np.float32]:
    pipeline = ModularPipeline.from_pretrained(str(folder))
    assert isinstance(pipeline, WanAnimate2DistilledModularPipeline)
    pipeline.load_components(pretrained_model_name_or_path=str(folder))
    videos = pipeline(
        image=pictures(1)[0],
        driving_video=pictures(frames),
        prompt=caption,
        height=HEIGHT,
        width=WIDTH,
        segment_frame_length=segment,
        num_inference_steps=3,
        generator=torch.Generator().manual_seed(5),
        output="videos",
    )
    return np.asarray(videos)[0]


@pytest.mark.parametrize(("segment", "frames"), [(5, 8), (9, 9), (9, 17)])
def test_wan_animate_2_makes_every_frame_of_one_or_more_segments(
    tiny_animate2: Path, segment: int, frames: int
) -> None:
    video = animate2(tiny_animate2, frames, segment)
    assert video.shape == (frames, HEIGHT, WIDTH, 3)
    assert np.isfinite(video).all()
    assert video.std() > 0.01


def test_the_same_seed_makes_the_same_and_another_caption_something_else(tiny_animate2: Path) -> None:
    first = animate2(tiny_animate2, 5, 5)
    np.testing.assert_array_equal(first, animate2(tiny_animate2, 5, 5))
    assert not np.array_equal(first, animate2(tiny_animate2, 5, 5, CAPTION.replace("猫", "狗")))


def test_the_weights_are_the_same_each_time(tiny_animate2: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    write_tiny_animate2(tmp_path)
    for path in tiny_animate2.rglob("*.safetensors"):
        assert path.read_bytes() == (tmp_path / path.relative_to(tiny_animate2)).read_bytes()


def test_the_index_names_the_published_repository_so_that_a_local_folder_must_be_told(
    tiny_animate2: Path,
) -> None:
    index = json.loads((tiny_animate2 / "modular_model_index.json").read_text())
    sources = {part[2]["pretrained_model_name_or_path"] for part in index.values() if isinstance(part, list)}
    assert sources == {REPOSITORY_2}


@pytest.mark.parametrize("mode", ["animate", "replace"])
def test_wan_animate_1_makes_every_frame_in_both_modes(tiny_animate1: Path, mode: str) -> None:
    pipeline = WanAnimatePipeline.from_pretrained(tiny_animate1)
    frames = 14
    scene: dict[str, Any] = {}
    if mode == "replace":
        masks = [picture.convert("L") for picture in pictures(frames)]
        scene = {"background_video": pictures(frames), "mask_video": masks}
    video = pipeline(
        image=pictures(1)[0],
        pose_video=pictures(frames),
        face_video=pictures(frames, 512, 512),
        **scene,
        prompt=CAPTION,
        height=HEIGHT,
        width=WIDTH,
        segment_frame_length=9,
        num_inference_steps=2,
        guidance_scale=1.0,
        mode=mode,
        generator=torch.Generator().manual_seed(5),
    ).frames[0]
    assert video.shape == (frames, HEIGHT, WIDTH, 3)
    assert np.isfinite(video).all()
    assert video.std() > 0.01
