"""Segments made one by one against diffusers' pipelines, which make the whole; going on; plans; what stays."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import ModularPipeline, WanAnimatePipeline
from numpy.typing import NDArray
from PIL import Image
from written_assignment import written

from understudy.engines.diffusion import loading
from understudy.engines.diffusion.assignment import (
    Assignment,
    mapped,
    segment,
    segment_name,
)
from understudy.engines.diffusion.generator import Generator
from understudy.engines.diffusion.maker import StoppedError
from understudy.engines.diffusion.plan import Plan
from understudy.engines.diffusion.source import STAGE
from understudy.engines.diffusion.spec import SPECS, WAN_ANIMATE_1, WAN_ANIMATE_2, ModelSpec
from understudy.errors import ModelError
from understudy.progress import silent

WIDTH, HEIGHT, FRAMES, STEPS, SEED = 48, 64, 17, 3, 7  # two segments of nine
HERE = Plan("processor", 0, 0, encoders_stay=True)
SPEC_2, SPEC_1 = (replace(spec, segment_frames=9) for spec in (WAN_ANIMATE_2, WAN_ANIMATE_1))
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    for spec in (SPEC_2, SPEC_1):
        monkeypatch.setitem(SPECS, spec.name, spec)


def assigned(folder: Path, model: str, frames: int = FRAMES) -> Assignment:
    blank = Assignment(
        model, WIDTH, HEIGHT, frames, "人物外观描述：一只猫。背景描述：白色。", SEED, STEPS, ""
    )
    return written(folder, blank)


def loaded(spec: ModelSpec, weights: Path, plan: Plan = HERE) -> Any:
    model: Any = loading.load(spec, weights, CPU, plan)
    model._distilled = True  # the first model's LoRA is for the real one; without it there are 20 steps
    return model


def made(folder: Path, assignment: Assignment) -> NDArray[np.uint8]:
    parts = [segment(folder, assignment, number) for number in range(assignment.segments)]
    return np.concatenate(parts)[: assignment.frames]


def pictures(folder: Path, assignment: Assignment, name: str, side: int | None = None) -> list[Image.Image]:
    found = [Image.fromarray(np.array(entry)) for entry in mapped(folder, assignment, name)]
    return found if side is None else [picture.resize((side, side)) for picture in found]


def reference(folder: Path, assignment: Assignment) -> Image.Image:
    return Image.fromarray(np.array(mapped(folder, assignment, "reference")))


def assert_same(found: NDArray[np.uint8], wanted: NDArray[np.float32]) -> None:
    assert found.std() > 3
    assert found.shape == wanted.shape
    off = np.abs(found - wanted.astype(np.float64) * 255)
    assert off.max() <= 1.01
    assert off.mean() < 0.3  # rounding alone


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
def test_wan_animate_2_is_diffusers_pipeline(tiny_animate2: Path, tmp_path: Path) -> None:
    assignment = assigned(tmp_path, SPEC_2.name)
    model = loaded(SPEC_2, tiny_animate2)
    Generator(lambda *_: model).make(tmp_path, silent)
    pipeline = ModularPipeline.from_pretrained(str(tiny_animate2))
    pipeline.load_components(pretrained_model_name_or_path=str(tiny_animate2))
    wanted = pipeline(
        image=reference(tmp_path, assignment),
        driving_video=pictures(tmp_path, assignment, "driving"),
        prompt=assignment.caption,
        num_inference_steps=STEPS,
        segment_frame_length=9,
        height=HEIGHT,
        width=WIDTH,
        generator=torch.Generator().manual_seed(SEED),
        output="videos",
    )
    assert_same(made(tmp_path, assignment), np.asarray(wanted)[0])


def test_wan_animate_1_is_diffusers_pipeline(tiny_animate1: Path, tmp_path: Path) -> None:
    assignment = assigned(tmp_path, SPEC_1.name)
    model = loaded(SPEC_1, tiny_animate1)
    Generator(lambda *_: model).make(tmp_path, silent)
    pipeline = WanAnimatePipeline.from_pretrained(tiny_animate1)
    scene = {f"{name}_video": pictures(tmp_path, assignment, name) for name in ("pose", "background", "mask")}
    wanted = pipeline(
        image=reference(tmp_path, assignment),
        **scene,
        face_video=pictures(tmp_path, assignment, "face"),
        prompt=assignment.caption,
        height=HEIGHT,
        width=WIDTH,
        segment_frame_length=9,
        num_inference_steps=STEPS,
        mode="replace",
        generator=torch.Generator().manual_seed(SEED),
    ).frames[0]
    found = made(tmp_path, assignment)
    assert found.shape == wanted.shape
    # The faces are scaled to the motion encoder's size in two ways; all else is the same.
    assert np.abs(found - wanted * 255).mean() < 1


@pytest.mark.parametrize("which", [2, 1])
def test_a_killed_run_goes_on_to_the_same_video(
    which: int, tiny_animate2: Path, tiny_animate1: Path, tmp_path: Path
) -> None:
    spec, weights = (SPEC_2, tiny_animate2) if which == 2 else (SPEC_1, tiny_animate1)
    assignment = assigned(tmp_path / "whole", spec.name)
    model = loaded(spec, weights)
    generator = Generator(lambda *_: model)
    generator.make(tmp_path / "whole", silent)
    assigned(tmp_path / "killed", spec.name)
    told: list[tuple[str, int, int]] = []
    with pytest.raises(StoppedError):  # after the second segment's first step
        generator.make(
            tmp_path / "killed",
            lambda *now: told.append(now),
            lambda: told[-1][0] == STAGE and told[-1][1] > STEPS,
        )
    assert (tmp_path / "killed" / segment_name(0)).exists()
    assert not (tmp_path / "killed" / segment_name(1)).exists()
    again = loaded(spec, weights)
    Generator(lambda *_: again).make(tmp_path / "killed", silent)
    assert (made(tmp_path / "killed", assignment) == made(tmp_path / "whole", assignment)).all()


def test_seeds_and_captions_matter(tiny_animate2: Path, tmp_path: Path) -> None:
    model = loaded(SPEC_2, tiny_animate2)
    one = assigned(tmp_path / "one", SPEC_2.name, 5)
    Generator(lambda *_: model).make(tmp_path / "one", silent)
    for changes in ({"seed": 8}, {"caption": "人物外观描述：一只狗。背景描述：黑色。"}):
        begun = model.begin(tmp_path / "one", replace(one, **changes))
        frames, _ = model.make(begun, 0, None, lambda *_: None)
        assert (frames[:5] != made(tmp_path / "one", one)).any()


@pytest.mark.parametrize("trait", ["small_cache", "small_weights"])
def test_plans_of_less_memory_make_nearly_the_same(trait: str, tiny_animate2: Path, tmp_path: Path) -> None:
    assignment = assigned(tmp_path, SPEC_2.name, 9)
    plans = (HERE, replace(HERE, **{trait: True}))
    frames = []
    for plan in plans:
        model = loaded(SPEC_2, tiny_animate2, plan)
        frames.append(model.make(model.begin(tmp_path, assignment), 0, None, lambda *_: None)[0])
    off = np.abs(frames[0].astype(float) - frames[1])
    assert 0 < off.mean() < 8


@pytest.mark.parametrize("which", [SPEC_2, SPEC_1])
def test_a_stop_is_heard_before_the_first_step_too(
    which: ModelSpec, tiny_animate2: Path, tiny_animate1: Path, tmp_path: Path
) -> None:
    """What comes before it takes as long on a card as a step."""
    assignment = assigned(tmp_path, which.name)
    model = loaded(which, tiny_animate2 if which is SPEC_2 else tiny_animate1)
    told: list[tuple[int, int]] = []
    model.make(model.begin(tmp_path, assignment), 0, None, lambda *now: told.append(now))
    before = [(0, STEPS)] * (2 if which is SPEC_2 else 1)
    assert told == [*before, *((done + 1, STEPS) for done in range(STEPS))]


def test_a_model_stays_for_the_next_assignment_of_its_kind(
    tiny_animate2: Path, tiny_animate1: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = {SPEC_2.name: tiny_animate2, SPEC_1.name: tiny_animate1}
    monkeypatch.setattr(loading, "weights_folder", lambda name: folders[name])
    load = loading.Loading("cpu")
    newer = assigned(tmp_path / "newer", SPEC_2.name, 5)
    older = assigned(tmp_path / "older", SPEC_1.name, 5)
    first = load(newer)
    assert load(newer) is first
    assert load(older).spec.name == SPEC_1.name
    assert load(newer) is not first


def _empty_config(folder: Path) -> None:
    (folder / "transformer" / "config.json").write_text("{}")


def _cut_off(folder: Path) -> None:
    path = folder / "transformer" / "config.json"
    path.write_text(path.read_text()[:40])


def _unknown_scheduler(folder: Path) -> None:
    (folder / "scheduler" / "scheduler_config.json").write_text('{"_class_name": "NoSuchScheduler"}')


def _no_tokenizer(folder: Path) -> None:
    shutil.rmtree(folder / "tokenizer")


@pytest.mark.parametrize("spoil", [_empty_config, _cut_off, _unknown_scheduler, _no_tokenizer])
def test_weights_that_cannot_be_loaded_are_one_error(
    spoil: Callable[[Path], None], tiny_animate2: Path, tmp_path: Path
) -> None:
    shutil.copytree(tiny_animate2, tmp_path / "weights")
    spoil(tmp_path / "weights")
    with pytest.raises(ModelError) as caught:
        loaded(SPEC_2, tmp_path / "weights")
    assert caught.value.code == "weights_corrupt"
    assert "models pull wan-animate-2" in caught.value.fix


@pytest.mark.parametrize(("chosen", "taken"), [(False, 20), (True, STEPS)])
def test_without_the_lora_only_a_chosen_number_of_steps_holds(
    tiny_animate1: Path, tmp_path: Path, chosen: bool, taken: int
) -> None:
    assignment = replace(assigned(tmp_path, SPEC_1.name), chosen=chosen)
    model: Any = loading.load(replace(SPEC_1, steps=STEPS), tiny_animate1, CPU, HERE)
    told: list[int] = []

    def step(done: int, steps: int) -> None:
        told.append(steps)
        raise StoppedError

    with pytest.raises(StoppedError):
        model.make(model.begin(tmp_path, assignment), 0, None, step)
    assert told == [taken]
