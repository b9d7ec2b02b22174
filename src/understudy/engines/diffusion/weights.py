"""The GPU models' weights: which sets there are, by whom, where they lie, and whether a set is whole.

A set is a folder in the hub's own layout, so one that anybody's tool downloaded, or that was copied from another
machine, is as good as one that `understudy models pull` made. Nothing here loads a model or needs a network.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from understudy import config
from understudy.engines.diffusion.manifest import Fact, Manifest
from understudy.engines.diffusion.plan import PRECISION_VARIABLE
from understudy.engines.diffusion.presence import State, look, named, present
from understudy.engines.diffusion.safetensors_file import fault_of
from understudy.errors import ModelError

GB = 10**9
# What is loaded; not .bin, the same weights as a pickle. No name leads out of its folder.
OF_USE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\.(safetensors|json|txt|model)")


@dataclass(frozen=True)
class Component:
    """A folder of a pipeline. Each of ``files`` must be there, or one of those parted by ``|``; ``stem`` begins the
    names of its weights."""

    folder: str
    files: tuple[str, ...]
    stem: str = ""

    def wants(self, name: str) -> bool:
        """Whether a file of this name in the folder is of use: not the same weights once more in another precision."""
        if OF_USE.fullmatch(name) is None:
            return False
        if name.endswith(".safetensors"):
            return (
                bool(self.stem) and re.fullmatch(rf"{self.stem}(-\d+-of-\d+)?\.safetensors", name) is not None
            )
        return not name.endswith(".index.json") or name == self.index

    @property
    def index(self) -> str:
        return f"{self.stem}.safetensors.index.json"


@dataclass(frozen=True)
class Source:
    """A repository of the hub, and what of it is of use.

    ``revision`` is a commit, or a name that a pull turns into one; ``begins`` are the first digits of the commit that
    the name is known to have led to. ``folder`` is where its files lie in the set. ``known`` are files whose bytes a
    public source states. Without ``needed`` the set is ready without it; ``without``
    says what that means.
    """

    repo: str
    revision: str
    licence: str
    files: tuple[str, ...]
    components: tuple[Component, ...] = ()
    begins: str = ""
    folder: str = ""
    known: Mapping[str, Fact] = field(default_factory=lambda: MappingProxyType({}))
    needed: bool = True
    without: str = ""

    def wants(self, path: str) -> bool:
        """Whether the file ``path`` of the repository is of use."""
        parts = path.split("/")
        if len(parts) == 1:
            return any(path in names.split("|") for names in self.files)
        kinds = {component.folder: component for component in self.components}
        return len(parts) == 2 and parts[0] in kinds and kinds[parts[0]].wants(parts[1])

    def place(self, path: str) -> str:
        """Where the repository's file ``path`` lies in the set."""
        return str(PurePosixPath(self.folder, path))


@dataclass(frozen=True)
class WeightSet:
    """``options`` are those of `understudy animate` that use it; ``size_bytes`` is what is known of its size before the
    hub states it file by file."""

    name: str
    purpose: str
    options: str
    size_bytes: int
    sources: tuple[Source, ...]

    @property
    def folder(self) -> Path:
        return config.weights_dir() / self.name

    @property
    def licences(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(source.licence for source in self.sources))


SCHEDULER = "scheduler_config.json"
TRANSFORMER = Component("transformer", ("config.json",), "diffusion_pytorch_model")
COMPONENTS = (
    TRANSFORMER,
    Component("vae", ("config.json",), "diffusion_pytorch_model"),
    Component("text_encoder", ("config.json",), "model"),
    Component("tokenizer", ("tokenizer_config.json", "tokenizer.json|spiece.model")),
    Component("image_encoder", ("config.json",), "model"),
    Component("scheduler", (SCHEDULER,)),
)
IMAGE_PROCESSOR = Component("image_processor", ("preprocessor_config.json|processor_config.json",))
INDEX, MODULAR_INDEX = "model_index.json", "modular_model_index.json"
LORA_FOLDER = "lora"
LORA = "wan2.1_i2v_lora_rank64_lightx2v_4step.safetensors"

# The hub could not be reached where this was written. The commit is the one that several public projects pin for this
# repository; one of them counts 45,920,934,868 bytes of weights in it (transformer 30.5 GiB, text encoder 10.6).
WAN_ANIMATE_2 = WeightSet(
    name="wan-animate-2",
    purpose="the engine wan-animate",
    options="--engine wan-animate",
    size_bytes=45_920_934_868,
    sources=(
        Source(
            repo="Wan-AI/Wan2.2-Animate-2-14B-Distilled-Diffusers",
            revision="59e4141466bcb1bf9733eca1bc78be6891c9fbdf",
            licence="Apache-2.0, by Alibaba's Wan team (huggingface.co/Wan-AI)",
            files=(f"{MODULAR_INDEX}|{INDEX}",),
            components=COMPONENTS,
        ),
    ),
)

# 82.3 GB is what the hub's page says, of which 69.1 are the transformer in float32; of the commit the page gives the
# first digits only. The LoRA's commit, size and sum are those that a public project pins; the hub's page of its
# repository shows the commit's first digits and 739 MB.
WAN_ANIMATE_1 = WeightSet(
    name="wan-animate-1",
    purpose="the engine wan-animate with --scene video",
    options="--engine wan-animate --scene video",
    size_bytes=82_300_000_000 + 739_472_104,
    sources=(
        Source(
            repo="Wan-AI/Wan2.2-Animate-14B-Diffusers",
            revision="main",
            begins="6f4df10",
            licence="Apache-2.0, by Alibaba's Wan team (huggingface.co/Wan-AI)",
            files=(f"{INDEX}|{MODULAR_INDEX}",),
            components=(*COMPONENTS, IMAGE_PROCESSOR),
        ),
        Source(
            repo="lightx2v/Wan2.1-Distill-Loras",
            revision="27ae38da91014b947dd39cc3fa78b97cd7b386dd",
            licence="4-step LoRA: Apache-2.0, by LightX2V (huggingface.co/lightx2v)",
            files=(LORA,),
            folder=LORA_FOLDER,
            known=MappingProxyType(
                {LORA: Fact(739_472_104, "8833bd4fd7c8eabebf0bc8ee5cfaf47f4f310ce116928a02c1adf8941dd4b0f1")}
            ),
            needed=False,
            without="Its 4-step LoRA is not here: it takes 20 steps instead of 4.",
        ),
    ),
)
SETS: Mapping[str, WeightSet] = MappingProxyType(
    {known.name: known for known in (WAN_ANIMATE_2, WAN_ANIMATE_1)}
)


def weights_folder(name: str) -> Path:
    """The folder of a set that is whole as far as names, sizes and headers tell; nothing is hashed.

    Raises ModelError: ``weights_missing``, ``weights_partial`` or ``weights_corrupt``.
    """
    weights = SETS[name]
    found = look(weights)
    if found.state is State.READY:
        return weights.folder
    pull = f"Run `understudy models pull {name}`."
    if found.state is State.DAMAGED:
        raise ModelError(
            "weights_corrupt",
            f"The weights {name} in {weights.folder} are damaged: {named(found.damaged)}.",
            value=named(found.damaged),
            fix=f"{pull} It downloads what is damaged once more.",
        )
    if found.state is State.PARTIAL:
        raise ModelError(
            "weights_partial",
            f"The weights {name} in {weights.folder} are not whole: {named(found.lacking)} missing.",
            value=named(found.lacking),
            fix=f"{pull} It goes on where it stopped.",
        )
    raise ModelError(
        "weights_missing",
        f"The weights {name} are not in {weights.folder}: {named(found.lacking)} missing.",
        value=named(found.lacking),
        fix=f"{pull} It downloads {weights.size_bytes / GB:.0f} GB.",
    )


def fingerprint(name: str) -> str:
    """Of the files that a set consists of, 16 digits: by names, sizes and the checksums of their pull, or else the time
    of their last change; and of the precision that is asked for. Frames made with others do not go on into each other.
    """
    weights = SETS[name]
    try:
        manifest = Manifest.read(weights.folder, weights)
    except ValueError:
        manifest = None
    facts = manifest.facts if manifest else {}
    digest = hashlib.blake2b((os.environ.get(PRECISION_VARIABLE) or "16").encode(), digest_size=8)
    for path, file in present(weights, weights.folder).items():
        with suppress(OSError):
            found = file.stat()
            known = facts[path].sum if path in facts else str(found.st_mtime_ns)
            digest.update(f"{path} {found.st_size} {known}\n".encode())
    return digest.hexdigest()


def shortcomings(weights: WeightSet) -> tuple[str, ...]:
    """What it means that parts are not here without which the set is ready."""
    lacking = (
        source.without
        for source in weights.sources
        if not source.needed
        and not all((weights.folder / source.place(path)).is_file() for path in source.files)
    )
    return tuple(lacking)


def lora_path() -> Path | None:
    """The 4-step LoRA of wan-animate-1, where it was pulled."""
    path = WAN_ANIMATE_1.folder / LORA_FOLDER / LORA
    return path if path.is_file() and fault_of(path) is None else None
