"""A model's parts out of its weights' folder, each where the plan wants it; the last model stays loaded."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers

from understudy.engines.diffusion.animate1 import Animate1
from understudy.engines.diffusion.animate2 import Animate2
from understudy.engines.diffusion.assignment import Assignment
from understudy.engines.diffusion.availability import DEVICE
from understudy.engines.diffusion.card import free_bytes, give_back, machine_bytes
from understudy.engines.diffusion.plan import GIB, PLAN_VARIABLE, Plan, plan_for
from understudy.engines.diffusion.spec import WAN_ANIMATE_2, ModelSpec
from understudy.engines.diffusion.weights import lora_path, weights_folder
from understudy.errors import ModelError

SMALL = torch.float8_e4m3fn
# Networks, in each library's way of naming a type; then what is read as it is. The scheduler's class is in its file.
NETWORKS_2 = {
    "text_encoder": (transformers.UMT5EncoderModel, "dtype"),
    "image_encoder": (transformers.CLIPVisionModel, "dtype"),
    "vae": (diffusers.AutoencoderKLWan, "torch_dtype"),
    "transformer": (diffusers.WanAnimate2Transformer3DModel, "torch_dtype"),
}
NETWORKS_1 = {**NETWORKS_2, "transformer": (diffusers.WanAnimateTransformer3DModel, "torch_dtype")}
READ_2 = {"tokenizer": transformers.AutoTokenizer}
READ_1 = {**READ_2, "image_processor": transformers.CLIPImageProcessorPil}  # the other one wants torchvision
ON_DEVICE, ENCODERS = ("transformer", "vae"), ("text_encoder", "image_encoder")

log = logging.getLogger(__name__)


class Loading:
    """Loads what an assignment wants, and keeps it while the next ones want the same."""

    def __init__(self, device: str | None = None) -> None:
        self._device = torch.device(device or os.environ.get(DEVICE) or "cuda")
        self._kept: tuple[tuple[str, Plan], Animate1 | Animate2] | None = None

    def __call__(self, assignment: Assignment) -> Animate1 | Animate2:
        """Raises ModelError (``weights_...``, ``gpu_missing``), EngineError (``gpu_memory``, ``gpu_plan``)."""
        plan = self._plan(assignment)
        if self._kept is not None:
            name, kept = self._kept[0]
            if (name, kept.name) == (assignment.model, plan.name):
                return self._kept[1]
        self._kept = None  # before the next takes its place
        give_back(self._device)
        folder = weights_folder(assignment.model)
        log.info("loading %s from its folder: plan %s on %s", assignment.model, plan.name, self._device)
        model = load(assignment.spec, folder, self._device, plan)
        self._kept = ((assignment.model, plan), model)
        return model

    def _plan(self, assignment: Assignment) -> Plan:
        if self._device.type != "cuda":
            return Plan("processor", 0, 0, encoders_stay=True)
        if not torch.cuda.is_available():
            raise ModelError(
                "gpu_missing",
                "PyTorch sees no GPU.",
                fix="Look at `nvidia-smi`, and that PyTorch was built for this card: docs/gpu.md.",
            )
        ours_gib = 0.0 if self._kept is None else self._kept[0][1].host_gib  # makes room for what comes
        return plan_for(
            assignment.spec,
            assignment.width,
            assignment.height,
            free_gib=free_bytes(self._device) / GIB,
            host_gib=machine_bytes() / GIB + ours_gib,
            named=os.environ.get(PLAN_VARIABLE, ""),
        )


def load(
    spec: ModelSpec, folder: Path, device: torch.device, plan: Plan, dtype: torch.dtype | None = None
) -> Animate1 | Animate2:
    """The model of that spec, out of a folder in the hub's layout. ``dtype`` is what it computes in: 16 bits on a GPU,
    where nothing else is said."""
    dtype = dtype or (torch.bfloat16 if device.type == "cuda" else torch.float32)
    parts, distilled = read(spec, folder, dtype)
    place(parts, device, plan, dtype)
    if _newer(spec):
        return Animate2(parts, device, plan, spec=spec)
    return Animate1(parts, device, plan, distilled=distilled, spec=spec)


def read(spec: ModelSpec, folder: Path, dtype: torch.dtype) -> tuple[dict[str, Any], bool]:
    """A model's parts in the machine's memory, and whether the LoRA for few steps is in them."""
    newer = _newer(spec)
    parts: dict[str, Any] = {}
    with _whole(spec, "scheduler"):
        parts["scheduler"] = _scheduler(folder)
    for name, (kind, typed) in (NETWORKS_2 if newer else NETWORKS_1).items():
        # The first model's authors decode in 32 bits, the second's in the model's own type.
        type_of = torch.float32 if name == "vae" and not newer else dtype
        with _whole(spec, name):
            network = kind.from_pretrained(folder / name, local_files_only=True, **{typed: type_of})
            parts[name] = network.eval().requires_grad_(False)
    for name, kind in (READ_2 if newer else READ_1).items():
        with _whole(spec, name):
            parts[name] = kind.from_pretrained(folder / name, local_files_only=True)
    lora = None if newer else lora_path()
    if lora is not None:
        with _whole(spec, "lora"):
            diffusers.WanAnimatePipeline(**parts).load_lora_weights(lora.parent, weight_name=lora.name)
            parts["transformer"].fuse_lora()
            parts["transformer"].unload_lora()
    elif not newer:
        log.warning(
            "the LoRA of %s is not here: it takes more steps; `understudy models pull` brings it", spec.name
        )
    return parts, lora is not None


@contextmanager
def _whole(spec: ModelSpec, part: str) -> Iterator[None]:
    """Whatever the libraries say of files that they cannot load is one error. Raises ModelError (``weights_corrupt``);
    a lack of memory comes as it is."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        why = " ".join(str(error).split())[:200]
        raise ModelError(
            "weights_corrupt",
            f"The part {part!r} of the weights {spec.name} cannot be loaded ({type(error).__name__}: {why}).",
            value=part,
            fix=f"Run `understudy models verify {spec.name}`, then `understudy models pull {spec.name}`.",
        ) from error


def _newer(spec: ModelSpec) -> bool:
    return spec.name == WAN_ANIMATE_2.name


def _scheduler(folder: Path) -> Any:
    config = json.loads((folder / "scheduler" / "scheduler_config.json").read_text(encoding="utf-8"))
    return getattr(diffusers, config["_class_name"]).from_config(config)


def place(parts: dict[str, Any], device: torch.device, plan: Plan, dtype: torch.dtype) -> None:
    """Put a model's parts where the plan wants them, and into the types that it wants."""
    if plan.small_weights:
        parts["transformer"].enable_layerwise_casting(storage_dtype=SMALL, compute_dtype=dtype)
    if plan.streamed:
        parts["vae"].enable_tiling()
        parts["transformer"].enable_group_offload(
            onload_device=device,
            offload_device=torch.device("cpu"),
            offload_type="block_level",
            num_blocks_per_group=1,
            use_stream=True,
        )
    for name in ON_DEVICE + (ENCODERS if plan.encoders_stay else ()):
        if not (plan.streamed and name == "transformer"):
            parts[name].to(device)
