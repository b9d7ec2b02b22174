"""Operations and memory of Wan-Animate-2 by counting: no GPU, no weights, nothing measured.

    PYTHONPATH=src python benchmarks/gpu/count.py --out out/gpu

Runs this project's own code for one segment at the published sizes on PyTorch's ``meta`` device, which knows shapes
and holds no numbers. Operations are those of matrix products, convolutions and attention
(`torch.utils.flop_counter`); memory is what is held at once beside the weights. Left out: what kernels need for
themselves (attention's is taken as nothing, as a flash kernel's nearly is; convolutions have a workspace), the
allocator's gaps, the driver. ``--tiny`` tries the script.

Floors are arithmetic: counted operations at a rate that matrix products in 16 bits reach on the card and a whole
program does not, those in 8 bits at twice that. What passes through memory is left out, but for one thing that 8 bits
add: states are brought to them, at the rate of the card's memory.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from random_parts import random_parts
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode
from transformers.models.umt5 import modeling_umt5

from understudy.engines.diffusion import animate2, eight_bits
from understudy.engines.diffusion.assignment import Assignment, AssignmentWriter
from understudy.engines.diffusion.eight_bits import INT8, scaled
from understudy.engines.diffusion.plan import GIB, plans, tokens
from understudy.engines.diffusion.spec import WAN_ANIMATE_2

SPEC = WAN_ANIMATE_2
META = torch.device("meta")
SIZES = {"640x800": (640, 800), "720x1280": (720, 1280)}
TINY = {"64x80": (64, 80)}
H200_FLOPS = 790e12  # a second, of matrix products in 16 bits, as others have measured the card
FASTER = 2  # in 8 bits, as the card's own figures have it: 1979 to 989 TFLOP/s
H200_BYTES = 4.8e12  # a second, through the card's memory
# To 8 bits: a state of 16 is read for the largest, read and written when multiplied, read and written when rounded.
SCALING_BYTES = 2 + (2 + 2) + (2 + 1)
SECONDS = 10  # of video, for the floor
STEPS = SPEC.steps
PLANS: tuple[tuple[str, str], ...] = (
    ("resident", "16"),
    ("small-cache", "16"),
    ("small-weights", "16"),
    ("resident", "8"),
)
# What each stage of a segment is done with, and how often: the first segment's, which has all of them.
ONCE_A_TASK = ("text", "picture", "picture seen")


class Held(TorchDispatchMode):
    """Bytes of the tensors on ``meta`` that were made while it was entered and still live; ``peak`` since `reset`."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known: weakref.WeakSet[Any] = weakref.WeakSet()

    def reset(self) -> None:
        self.peak = self.now

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        given = {leaf.untyped_storage()._cdata for leaf in _tensors((args, kwargs))}
        for tensor in _tensors(made):
            storage = tensor.untyped_storage()
            if storage._cdata in given or storage in self._known:
                continue
            self._known.add(storage)
            self.now += storage.nbytes()
            weakref.finalize(storage, self._released, storage.nbytes())
        self.peak = max(self.peak, self.now)
        return made

    def _released(self, size: int) -> None:
        self.now -= size


def _tensors(tree: Any) -> Iterator[Tensor]:
    return (leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor) and leaf.device == META)


class Stages:
    """By stage: operations, those of them that are in 8 bits, numbers that are brought to 8 bits, and bytes at the most
    beside the weights."""

    def __init__(self) -> None:
        self.operations: dict[str, int] = {}
        self.narrow: dict[str, int] = {}
        self.scaled: dict[str, int] = {}
        self.peaks: dict[str, int] = {}
        self.begins_with: dict[str, int] = {}
        self._counter, self._held = FlopCounterMode(display=False), Held()
        self._scaled = 0

    @contextmanager
    def counting(self) -> Iterator[None]:
        with self._counter, self._held:
            yield

    def counted(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **options: Any) -> Any:
            named = {"extract": "driving pass", "cached": "denoising step"}
            name = named.get(options.get("kv_cache_mode", ""), stage)
            before, before_narrow, before_scaled = self._so_far()
            self._held.reset()
            self.begins_with.setdefault(name, self._held.now)
            made = function(*arguments, **options)
            now, now_narrow, now_scaled = self._so_far()
            self.operations[name] = self.operations.get(name, 0) + now - before
            self.narrow[name] = self.narrow.get(name, 0) + now_narrow - before_narrow
            self.scaled[name] = self.scaled.get(name, 0) + now_scaled - before_scaled
            self.peaks[name] = max(self.peaks.get(name, 0), self._held.peak)
            return made

        return run

    def scaling(self, states: Tensor, kept: eight_bits.Format) -> eight_bits.Scaled:
        self._scaled += states.numel()
        return scaled(states, kept)

    def _so_far(self) -> tuple[int, int, int]:
        counts = self._counter.get_flop_counts().get("Global", {})
        return self._counter.get_total_flops(), counts.get(torch.ops.aten._scaled_mm, 0), self._scaled


class Steps:
    """In the place of the scheduler, which looks its step up by number."""

    def set_timesteps(self, steps: int, device: torch.device) -> None:
        self.timesteps = torch.ones(steps, device=device)

    def step(self, noise: Tensor, time: Tensor, latents: Tensor, *, return_dict: bool) -> tuple[Tensor]:
        return (latents + noise,)


def flash(query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> Tensor:
    """In the place of PyTorch's choice of a kernel, which on ``meta`` is the one that holds the whole matrix."""
    made: Tensor = torch.ops.aten._scaled_dot_product_flash_attention(query, key, value)[0]
    return made


def main() -> None:
    asked = _arguments()
    rows = []
    for size, (width, height) in (TINY if asked.tiny else SIZES).items():
        for name, precision in PLANS:
            rows.append(segment("tiny" if asked.tiny else "full", size, width, height, name, precision))
    print(table(rows))
    if asked.out:
        asked.out.mkdir(parents=True, exist_ok=True)
        about = {"counted": True, "torch": torch.__version__, "rate": H200_FLOPS, "faster": FASTER}
        text = json.dumps({"about": about, "rows": rows}, indent=2)
        (asked.out / "count.json").write_text(text, encoding="utf-8")


def segment(weights: str, size: str, width: int, height: int, name: str, precision: str) -> dict[str, Any]:
    """The first segment of a task, with one denoising step."""
    parts = random_parts(weights, META, torch.bfloat16)
    parts["scheduler"] = Steps()
    chosen = next(plan for plan in plans(SPEC, width, height, precision) if plan.name == name)
    plan = replace(chosen, encoders_stay=True)
    if plan.small_weights:
        product = "float8" if plan.small_products else eight_bits.WIDE
        with mock.patch.object(eight_bits, "_nearest", lambda weight: (INT8, scaled(weight, INT8))):
            eight_bits.into_eight_bits(parts["transformer"], META, product, META)
    stages = Stages()
    networks = {kind: part for kind, part in parts.items() if isinstance(part, torch.nn.Module)}
    lies = {kind: sum(one.nbytes for one in part.parameters()) / GIB for kind, part in networks.items()}
    with tempfile.TemporaryDirectory() as folder, _stubbed(stages):
        assignment = _assigned(Path(folder), width, height)
        model = animate2.Animate2(parts, META, plan, spec=SPEC)
        transformer = parts["transformer"]
        transformer.forward = stages.counted("transformer", transformer.forward)
        for part, stage in (("text_encoder", "text"), ("image_encoder", "picture seen")):
            parts[part].forward = stages.counted(stage, parts[part].forward)
        with stages.counting(), torch.no_grad():
            begun = model.begin(Path(folder), assignment)
            stages.operations["picture"] = stages.operations.pop("encoding")
            model.make(begun, 0, None, lambda *_: None)
    cache = stages.begins_with["denoising step"] - stages.begins_with["driving pass"]
    return {
        "size": size,
        "plan": name,
        "precision": precision,
        "tokens": tokens(SPEC, width, height),
        "tflop": {stage: count / 1e12 for stage, count in stages.operations.items()},
        "narrow_tflop": {stage: count / 1e12 for stage, count in stages.narrow.items()},
        "peak_gib": {stage: peak / GIB for stage, peak in stages.peaks.items()},
        "weights_gib": lies,
        "cache_gib": cache / GIB,
        "working_gib": _working(stages.peaks, cache) / GIB,
        "pflop": clip(stages.operations) / 1e15,
        "narrow_pflop": clip(stages.narrow) / 1e15,
        "scaling_s": clip(stages.scaled) * SCALING_BYTES / H200_BYTES,
        "floor_s": floor(stages),
        "estimated_gib": chosen.needs_gib,
    }


def floor(stages: Stages) -> float:
    """Seconds for a clip."""
    narrow = clip(stages.narrow)
    products = (clip(stages.operations) - narrow + narrow / FASTER) / H200_FLOPS
    return products + clip(stages.scaled) * SCALING_BYTES / H200_BYTES


def clip(operations: dict[str, int]) -> float:
    """Operations for SECONDS of video in STEPS steps. The first segment has nothing known before it, and its encoding
    of that is counted for the others too, which have one."""
    segments = SPEC.segments(SECONDS * SPEC.fps)
    once = sum(operations.get(stage, 0) for stage in ONCE_A_TASK)
    each = sum(count for stage, count in operations.items() if stage not in ONCE_A_TASK)
    return once + segments * (each + (STEPS - 1) * operations["denoising step"])


def _working(peaks: dict[str, int], cache: int) -> int:
    """At the most beside weights and the driving segment's cache, which is freed before decoding."""
    return max(
        peaks["denoising step"] - cache, peaks["driving pass"] - cache, peaks["decoding"], peaks["encoding"]
    )


def table(rows: list[dict[str, Any]]) -> str:
    figures = ("working_gib", "cache_gib", "pflop", "narrow_pflop", "scaling_s", "floor_s")
    lines = [
        "Counted, not measured.",
        "",
        f"| size | plan | bits | tokens | weights GiB | working GiB | cache GiB | PFLOP for {SECONDS} s "
        "| in 8 bits | to 8 bits, s | floor, s |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        named = row["size"], row["plan"], row["precision"], row["tokens"]
        weights = f"{row['weights_gib']['transformer']:.1f}"
        lines.append(_line(*named, weights, *(f"{row[name]:.1f}" for name in figures)))
    lines += ["", "| size | plan | bits | stage | TFLOP | in 8 bits | GiB beside the weights |"]
    lines += ["|---|---|---|---|---|---|---|"]
    for row in rows:
        for stage, count in row["tflop"].items():
            held = f"{row['peak_gib'][stage]:.2f}" if stage in row["peak_gib"] else ""
            narrow = f"{row['narrow_tflop'].get(stage, 0):.2f}"
            named = row["size"], row["plan"], row["precision"], stage
            lines.append(_line(*named, f"{count:.2f}", narrow, held))
    weights = ", ".join(f"{name} {held:.2f}" for name, held in rows[0]["weights_gib"].items())
    return "\n".join([*lines, "", f"GiB of weights in 16 bits: {weights}."])


def _line(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


@contextmanager
def _stubbed(stages: Stages) -> Iterator[None]:
    """What wants numbers: the choice of a kernel, and what comes back from the device."""
    nothing = np.zeros(1, np.float32)
    with (
        mock.patch.object(animate2, "best_kernel", return_value="flash"),
        mock.patch.object(eight_bits, "scaled", stages.scaling),
        mock.patch.object(animate2, "encode_vae", stages.counted("encoding", animate2.encode_vae)),
        mock.patch.object(animate2, "decode_vae", stages.counted("decoding", animate2.decode_vae)),
        mock.patch.object(animate2, "frames_of", return_value=nothing),
        mock.patch.object(animate2, "tail_of", return_value=nothing),
        mock.patch.object(modeling_umt5, "create_bidirectional_mask", return_value=None),
        mock.patch.object(torch.nn.functional, "scaled_dot_product_attention", flash),
    ):
        yield


def _assigned(folder: Path, width: int, height: int) -> Assignment:
    frames = SPEC.segment_frames
    blank = Assignment(SPEC.name, width, height, frames, "人物外观描述：一只猫。", 0, 1, "")
    frame = np.zeros((height, width, 3), np.uint8)
    writer = AssignmentWriter(folder, blank, frame)
    for _ in range(frames):
        writer.add("driving", frame)
    return writer.finish()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tiny", action="store_true", help="try the script: tiny sizes")
    parser.add_argument("--out", type=Path, help="folder for count.json")
    return parser.parse_args()


if __name__ == "__main__":
    main()
