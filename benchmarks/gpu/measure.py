"""Seconds and memory of Wan-Animate-2 on this GPU, with random weights of the published sizes, beside plain diffusers.

    PYTHONPATH=src python benchmarks/gpu/measure.py --out out/gpu

Needs torch, diffusers and transformers, and nothing from a network. Each run makes one clip of ``--seconds`` from a
random picture and random frames: the same arithmetic as a real one, and noise comes out. Each plan is measured in 16
bits and in 8, and by itself one matrix product in 16 bits and in each way of 8 that the card has. Prints tables and
writes measure.json. ``--tiny`` tries the script itself on any machine.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import __version__ as diffusers_version
from PIL import Image
from products import products, products_table
from random_parts import random_parts

from understudy.engines.diffusion import animate2
from understudy.engines.diffusion.assignment import Assignment, AssignmentWriter, mapped
from understudy.engines.diffusion.generator import Generator
from understudy.engines.diffusion.loading import place
from understudy.engines.diffusion.plan import GIB, PRECISIONS, Plan, plans
from understudy.engines.diffusion.spec import WAN_ANIMATE_2

CAPTION = "人物外观描述：穿着一件浅蓝色衬衫的人物。背景描述：背景为明亮的房间。"
SIZES = {"640x800": (640, 800), "720x1280": (720, 1280)}
TINY_SIZE = (64, 80)


class Stages:
    """Seconds in the parts of a run, each waited for on the device."""

    def __init__(self, device: torch.device) -> None:
        self.seconds: dict[str, float] = {}
        self._device = device

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **options: Any) -> Any:
            named = options.get("kv_cache_mode", stage)
            with self.stage({"extract": "driving pass", "cached": "denoising"}.get(named, stage)):
                return function(*arguments, **options)

        return run

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        synchronize(self._device)
        begun = time.perf_counter()
        yield
        synchronize(self._device)
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun


def main() -> None:
    asked = _arguments()
    device = torch.device("cpu" if asked.tiny and not torch.cuda.is_available() else "cuda")
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    sizes = {"tiny": TINY_SIZE} if asked.tiny else {name: SIZES[name] for name in asked.sizes}
    about = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor(),
        "torch": torch.__version__,
        "diffusers": diffusers_version,
        "dtype": str(dtype).removeprefix("torch."),
        "weights": "random, of the published sizes" if not asked.tiny else "tiny",
    }
    rows: list[dict[str, Any]] = []
    alone = products(device, dtype, "tiny" if asked.tiny else "full")
    print(products_table(alone))
    _empty(device)
    for named, precision in _chosen(asked):
        parts = random_parts("tiny" if asked.tiny else "full", device, dtype)
        planned = {name: _plan(named, precision, *size) for name, size in sizes.items()}
        place(parts, device, next(iter(planned.values())), dtype)
        if asked.compile:
            parts["transformer"].compile_repeated_blocks(fullgraph=False)
        for name, (width, height) in sizes.items():
            rows += ours(asked, device, parts, planned[name], name, width, height, precision)
        del parts
        _empty(device)
    if asked.diffusers:
        parts = random_parts("tiny" if asked.tiny else "full", device, dtype)
        for name, (width, height) in sizes.items():
            rows += theirs(asked, device, parts, name, width, height)
    print(json.dumps(about))
    print(_table(rows))
    if asked.out:
        asked.out.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"about": about, "products": alone, "rows": rows}, indent=2)
        (asked.out / "measure.json").write_text(text, encoding="utf-8")


def ours(
    asked: argparse.Namespace,
    device: torch.device,
    parts: dict[str, Any],
    plan: Plan,
    size: str,
    width: int,
    height: int,
    precision: str,
) -> list[dict[str, Any]]:
    """The first task of a size, and a warm one."""
    model = animate2.Animate2(parts, device, plan)
    rows = []
    for run in ("first", "warm"):
        with tempfile.TemporaryDirectory() as folder:
            assignment = _assigned(Path(folder), width, height, asked)
            stages = Stages(device)
            with _watched(stages, model), _peak(device) as peak:
                begun = time.perf_counter()
                Generator(lambda *_: model).make(Path(folder), lambda *_: None)
                synchronize(device)
                took = time.perf_counter() - begun
            rows.append(
                _row(_way(plan.name, precision), size, run, assignment, took, stages.seconds, peak, plan)
            )
    return rows


def _chosen(asked: argparse.Namespace) -> list[tuple[str, str]]:
    """Plans and precisions. In 8 bits all plans have small weights, so that the one of that name is none of its own."""
    pairs = [(named, precision) for precision in asked.precisions for named in asked.plans]
    return [pair for pair in pairs if pair != ("small-weights", "8")]


def _plan(named: str, precision: str, width: int, height: int) -> Plan:
    return next(plan for plan in plans(WAN_ANIMATE_2, width, height, precision) if plan.name == named)


def _way(named: str, precision: str) -> str:
    return f"understudy, {named}" + (", 8 bits" if precision == "8" else "")


def theirs(
    asked: argparse.Namespace, device: torch.device, parts: dict[str, Any], size: str, width: int, height: int
) -> list[dict[str, Any]]:
    """diffusers' own pipeline as its documentation has it: flex attention, blocks compiled."""
    from diffusers import WanAnimate2DistilledModularPipeline
    from diffusers.modular_pipelines import WanAnimate2DistilledBlocks

    pipeline = WanAnimate2DistilledModularPipeline(blocks=WanAnimate2DistilledBlocks())
    pipeline.update_components(**parts)
    if device.type == "cuda":
        pipeline.transformer.compile_repeated_blocks(fullgraph=False)
    rows = []
    for run in ("first", "warm"):
        with tempfile.TemporaryDirectory() as folder:
            assignment = _assigned(Path(folder), width, height, asked)
            picture = Image.fromarray(np.array(mapped(Path(folder), assignment, "reference")))
            driving = [
                Image.fromarray(np.array(frame)) for frame in mapped(Path(folder), assignment, "driving")
            ]
            with _peak(device) as peak:
                begun = time.perf_counter()
                pipeline(
                    image=picture,
                    driving_video=driving,
                    prompt=assignment.caption,
                    num_inference_steps=assignment.steps,
                    height=height,
                    width=width,
                    generator=torch.Generator().manual_seed(0),
                    output="videos",
                )
                synchronize(device)
                took = time.perf_counter() - begun
            rows.append(_row("diffusers", size, run, assignment, took, {}, peak, None))
    return rows


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@contextmanager
def _watched(stages: Stages, model: Any) -> Iterator[None]:
    """The parts of a segment timed, which costs a wait for the device at each."""
    encode, decode = animate2.encode_vae, animate2.decode_vae
    transformer = model._pipeline.transformer
    forward = transformer.forward
    animate2.encode_vae = stages.timed("encoding", encode)
    animate2.decode_vae = stages.timed("decoding", decode)
    transformer.forward = stages.timed("denoising", forward)
    try:
        yield
    finally:
        animate2.encode_vae, animate2.decode_vae = encode, decode
        transformer.forward = forward


@contextmanager
def _peak(device: torch.device) -> Iterator[list[float]]:
    peak: list[float] = []
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    yield peak
    peak.append(torch.cuda.max_memory_allocated(device) / GIB if device.type == "cuda" else 0.0)


def _assigned(folder: Path, width: int, height: int, asked: argparse.Namespace) -> Assignment:
    rng = np.random.default_rng(0)
    frames = max(round(asked.seconds * WAN_ANIMATE_2.fps), 1)
    blank = Assignment(WAN_ANIMATE_2.name, width, height, frames, CAPTION, 0, asked.steps, "")
    writer = AssignmentWriter(folder, blank, rng.integers(0, 255, (height, width, 3), np.uint8))
    for _ in range(frames):
        writer.add("driving", rng.integers(0, 255, (height, width, 3), np.uint8))
    return writer.finish()


def _row(
    way: str,
    size: str,
    run: str,
    assignment: Assignment,
    took: float,
    stages: dict[str, float],
    peak: list[float],
    plan: Plan | None,
) -> dict[str, Any]:
    seconds = assignment.frames / WAN_ANIMATE_2.fps
    return {
        "way": way,
        "size": size,
        "run": run,
        "steps": assignment.steps,
        "video_s": round(seconds, 2),
        "work_s": round(took, 2),
        "work_s_per_video_s": round(took / seconds, 2),
        "stages_s": {name: round(value, 2) for name, value in stages.items()},
        "peak_gib": round(peak[0], 1),
        "estimated_gib": plan.needs_gib if plan is not None else None,
    }


def _table(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| way | size | run | steps | s of work per s of video | peak GiB | stages, s |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        stages = ", ".join(f"{name} {value}" for name, value in row["stages_s"].items())
        cells = (
            row["way"],
            row["size"],
            row["run"],
            row["steps"],
            row["work_s_per_video_s"],
            row["peak_gib"],
            stages,
        )
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def _empty(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.empty_cache()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="of video")
    parser.add_argument("--steps", type=int, default=WAN_ANIMATE_2.steps)
    parser.add_argument("--sizes", nargs="+", choices=tuple(SIZES), default=list(SIZES))
    parser.add_argument("--plans", nargs="+", default=["resident", "small-cache", "small-weights"])
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=list(PRECISIONS))
    parser.add_argument("--compile", action="store_true", help="ours with blocks compiled")
    parser.add_argument("--diffusers", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--tiny", action="store_true", help="try the script: tiny weights, any machine")
    parser.add_argument("--out", type=Path, help="folder for measure.json")
    return parser.parse_args()


if __name__ == "__main__":
    main()
