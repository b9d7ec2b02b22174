"""A model's parts out of its weights' folder, each where the plan wants it; the last model stays loaded."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import diffusers
import torch
import transformers

from understudy.engines.diffusion.animate1 import Animate1
from understudy.engines.diffusion.animate2 import Animate2
from understudy.engines.diffusion.assignment import Assignment
from understudy.engines.diffusion.availability import DEVICE
from understudy.engines.diffusion.card import free_bytes, give_back, machine_bytes
from understudy.engines.diffusion.eight_bits import WIDE, best_product, into_eight_bits
from understudy.engines.diffusion.maker import StoppedError
from understudy.engines.diffusion.model import Step
from understudy.engines.diffusion.plan import (
    GIB,
    PLAN_VARIABLE,
    PLANS,
    PRECISION_VARIABLE,
    Plan,
    plan_for,
    traits_of,
)
from understudy.engines.diffusion.shortage import shortage
from understudy.engines.diffusion.shunned import Shunned
from understudy.engines.diffusion.spec import WAN_ANIMATE_2, ModelSpec
from understudy.engines.diffusion.weights import fingerprint, lora_path, weights_folder
from understudy.errors import EngineError, ModelError

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

MB = 10**6

Parts = dict[str, Any]
"""A model's components, by their names in its pipeline."""

log = logging.getLogger(__name__)


class Kept(NamedTuple):
    """A model that stays loaded; ``files`` is the fingerprint of its weights."""

    name: str
    files: str
    plan: Plan
    model: Animate1 | Animate2


class Read(NamedTuple):
    """Parts of a model whose loading was broken off."""

    name: str
    files: str
    parts: Parts


class Loading:
    """Loads what an assignment wants, and keeps it while the next ones want the same."""

    def __init__(self, device: str | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._device = torch.device(device or os.environ.get(DEVICE) or "cuda")
        self._kept: Kept | None = None
        self._read: Read | None = None
        self._tried: Plan | None = None
        self._shunned = Shunned(clock)

    def __call__(self, assignment: Assignment, told: Step = lambda *_: None) -> Animate1 | Animate2:
        """The model, loaded. ``told`` is called after each part with how many MB of how many are read; where it raises,
        what is read stays for the next call. Raises ModelError (``weights_...``, ``gpu_missing``), EngineError
        (``gpu_memory``, ``gpu_plan``)."""
        name, files = assignment.model, fingerprint(assignment.model)
        self._drop_others(name, files)
        try:
            plan = self._tried = self._plan(assignment)
        except EngineError:
            self._read = None
            raise
        if self._kept is not None and self._kept.plan.same_weights(plan):
            self._kept = self._kept._replace(plan=plan)
            self._kept.model.take(plan)
            return self._kept.model
        self._kept = None  # before the next takes its place: nothing may refer to it
        give_back(self._device)
        folder = weights_folder(name)
        log.info("loading %s from its folder: plan %s on %s", name, plan.name, self._device)
        self._read = self._read or Read(name, files, {})
        try:
            model = load(assignment.spec, folder, self._device, plan, parts=self._read.parts, told=told)
        except StoppedError:
            raise
        except BaseException:
            self._read = None
            raise
        self._read = None
        self._kept = Kept(name, files, plan, model)
        return model

    def _drop_others(self, name: str, files: str) -> None:
        """What is held of another model, or of weights that are others now: it makes room for what comes."""
        if self._kept is not None and self._kept[:2] != (name, files):
            self._kept = None
            give_back(self._device)
        if self._read is not None and self._read[:2] != (name, files):
            self._read = None
            give_back(self._device)

    def step_down(self, assignment: Assignment) -> bool:
        """After the plan that was tried took more memory than there was: whether there is one that needs less. The next
        call takes it."""
        tried = self._tried
        if tried is None or tried.name not in PLANS[:-1] or os.environ.get(PLAN_VARIABLE):
            return False
        self._shunned.add(assignment.model, tried.name, assignment.width * assignment.height)
        log.warning("plan %s took more memory than there is: on with the next", tried.name)
        return True

    def _plan(self, assignment: Assignment) -> Plan:
        precision = os.environ.get(PRECISION_VARIABLE, "")
        if self._device.type != "cuda":
            return Plan("processor", 0, 0, encoders_stay=True, **traits_of(precision))
        if not torch.cuda.is_available():
            raise ModelError(
                "gpu_missing",
                "PyTorch sees no GPU.",
                fix="Look at `nvidia-smi`, and that PyTorch was built for this card: docs/gpu.md.",
            )
        ours_gib = 0.0  # what is loaded makes room for what comes
        if self._kept is not None:
            ours_gib = self._kept.plan.host_gib - self._kept.plan.loading_gib
        elif self._read is not None and not _newer(assignment.spec):  # the other's files are mapped
            ours_gib = _bytes(self._read.parts.get("transformer")) / GIB
        return plan_for(
            assignment.spec,
            assignment.width,
            assignment.height,
            free_gib=free_bytes(self._device) / GIB,
            host_gib=machine_bytes() / GIB + ours_gib,
            named=os.environ.get(PLAN_VARIABLE, ""),
            after=self._shunned.last(assignment.model, assignment.width * assignment.height),
            loaded=None if self._kept is None else self._kept.plan,
            precision=precision,
        )


def load(
    spec: ModelSpec,
    folder: Path,
    device: torch.device,
    plan: Plan,
    dtype: torch.dtype | None = None,
    *,
    parts: Parts | None = None,
    told: Step = lambda *_: None,
) -> Animate1 | Animate2:
    """The model of that spec, out of a folder in the hub's layout. ``dtype`` is what it computes in: 16 bits on a GPU,
    where nothing else is said. ``parts`` and ``told``: see ``read``."""
    dtype = dtype or (torch.bfloat16 if device.type == "cuda" else torch.float32)
    parts, distilled = read(spec, folder, dtype, parts=parts, told=told)
    place(parts, device, plan, dtype)
    if _newer(spec):
        return Animate2(parts, device, plan, spec=spec)
    return Animate1(parts, device, plan, distilled=distilled, spec=spec)


def read(
    spec: ModelSpec,
    folder: Path,
    dtype: torch.dtype,
    *,
    parts: Parts | None = None,
    told: Step = lambda *_: None,
) -> tuple[Parts, bool]:
    """A model's parts in the machine's memory, and whether the LoRA for few steps is in them. What is in ``parts`` is
    not read again; ``told`` is called after each network with how many MB of how many are read."""
    newer = _newer(spec)
    parts = {} if parts is None else parts
    networks = NETWORKS_2 if newer else NETWORKS_1
    sizes = {name: _size_mb(folder / name) for name in networks}
    with _whole(spec, "scheduler"):
        parts["scheduler"] = _scheduler(folder)
    for name, (kind, typed) in networks.items():
        if name in parts:
            continue
        # The first model's authors decode in 32 bits, the second's in the model's own type.
        type_of = torch.float32 if name == "vae" and not newer else dtype
        with _whole(spec, name):
            network = kind.from_pretrained(folder / name, local_files_only=True, **{typed: type_of})
            parts[name] = network.eval().requires_grad_(False)
        told(sum(size for name, size in sizes.items() if name in parts), sum(sizes.values()))
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
    except Exception as error:
        if shortage(error) is not None:
            raise
        why = " ".join(str(error).split())[:200]
        raise ModelError(
            "weights_corrupt",
            f"The part {part!r} of the weights {spec.name} cannot be loaded ({type(error).__name__}: {why}).",
            value=part,
            fix=f"Run `understudy models verify {spec.name}`, then `understudy models pull {spec.name}`.",
        ) from error


def _bytes(network: Any) -> int:
    """Of what a network is made of; 0 for none."""
    return 0 if network is None else sum(parameter.nbytes for parameter in network.parameters())


def _size_mb(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.safetensors")) // MB


def _newer(spec: ModelSpec) -> bool:
    return spec.name == WAN_ANIMATE_2.name


def _scheduler(folder: Path) -> Any:
    config = json.loads((folder / "scheduler" / "scheduler_config.json").read_text(encoding="utf-8"))
    return getattr(diffusers, config["_class_name"]).from_config(config)


def place(parts: dict[str, Any], device: torch.device, plan: Plan, dtype: torch.dtype) -> None:
    """Put a model's parts where the plan wants them, and into the types that it wants."""
    aside = torch.device("cpu")
    if plan.small_weights:
        product = best_product(device, dtype) if plan.small_products else WIDE
        into_eight_bits(parts["transformer"], device, product, home=aside if plan.streamed else device)
    if plan.streamed:
        parts["vae"].enable_tiling()
        parts["transformer"].enable_group_offload(
            onload_device=device,
            offload_device=aside,
            offload_type="block_level",
            num_blocks_per_group=1,
            use_stream=True,
        )
    for name in ON_DEVICE + (ENCODERS if plan.encoders_stay else ()):
        if not (plan.streamed and name == "transformer"):
            parts[name].to(device)
