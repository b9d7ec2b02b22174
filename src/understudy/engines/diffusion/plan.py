"""Where the model's parts lie and how they are kept, chosen from the memory that is free.

The figures are those that benchmarks/gpu/count.py counts from published sizes (docs/gpu.md has the table), not
measurements.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from understudy.config import PREFIX
from understudy.engines.diffusion.spec import WAN_ANIMATE_2, ModelSpec
from understudy.errors import EngineError

GIB = 2**30
LAYERS, WIDTH = 40, 5120  # of either model's transformer
TOKEN_SIDE = 16  # pixels of a token
LATENT_FRAMES = 4  # frames in one of the latent's
TRANSFORMER_GIB = {"wan-animate-2": 30.9, "wan-animate-1": 32.2}  # 16 bits
TEXT_ENCODER_GIB, IMAGE_ENCODER_GIB = 10.6, 1.2  # 16 bits
ENCODERS_GIB = TEXT_ENCODER_GIB + IMAGE_ENCODER_GIB
VAE_GIB = 0.3
# Of a denoising step, which needs the most, and of decoding, which needs as much; the first
# model's is taken as equal, but for its VAE.
WORKING_GIB_PER_TOKEN = 5.2 / 42_000
RESERVE_GIB = 2.0  # the driver's, the allocator's, what kernels need for themselves
USABLE = 0.92  # of what is free: the figures are estimates
STREAMED_GIB = 3.0  # blocks under way
# Memory that a card copies from is handed out in powers of two: of a block ten matrices of 50 MiB and two of 135.
STREAMED_HOST_GIB = LAYERS * (10 * 64 + 2 * 256) / 1024
SPARED_GIB = (
    LAYERS * (10 * 25 + 2 * 67.5) / 1024
)  # of either transformer, where its blocks' matrices are in 8 bits
STREAMED_SPARED_GIB = 2 * SPARED_GIB / LAYERS
PLAN_VARIABLE, PRECISION_VARIABLE = f"{PREFIX}GPU_PLAN", f"{PREFIX}GPU_PRECISION"
PLANS = ("resident", "encoders-aside", "small-cache", "small-weights", "streamed")
PRECISIONS = (
    "16",
    "8",
)  # bits of the transformer's matrix products; the first is what is taken where none is named


@dataclass(frozen=True)
class Plan:
    """``encoders_stay`` on the device between uses. ``small_cache`` and ``small_weights``: in 8 bits; with
    ``small_products`` too what is multiplied with those weights. ``streamed``: the transformer's blocks come from the
    machine's memory for each pass, and the cache stays there. ``needs_gib`` is on the device, ``host_gib`` in the
    machine's memory, ``loading_gib`` of that only until all is loaded; all are estimates."""

    name: str
    needs_gib: float
    host_gib: float
    loading_gib: float = 0.0
    encoders_stay: bool = False
    small_cache: bool = False
    small_weights: bool = False
    small_products: bool = False
    streamed: bool = False

    def same_weights(self, other: Plan) -> bool:
        """Whether a model's transformer lies and is kept alike: then what is loaded for one serves the other."""
        mine, its = (
            replace(
                plan,
                name="",
                needs_gib=0.0,
                host_gib=0.0,
                loading_gib=0.0,
                small_cache=False,
                encoders_stay=False,
            )
            for plan in (self, other)
        )
        return mine == its


def tokens(spec: ModelSpec, width: int, height: int) -> int:
    """Of one segment's driving frames."""
    frames = (spec.segment_frames - 1) // LATENT_FRAMES + 1
    return frames * (width // TOKEN_SIDE) * (height // TOKEN_SIDE)


def plans(spec: ModelSpec, width: int, height: int, precision: str = "") -> tuple[Plan, ...]:
    """Every plan for frames of that size, the fastest and largest first; ``precision`` is one of PRECISIONS."""
    seen = tokens(spec, width, height)
    small = TRANSFORMER_GIB[spec.name] - SPARED_GIB
    narrow = traits_of(precision)
    transformer = small if narrow else TRANSFORMER_GIB[spec.name]
    streamed = STREAMED_GIB - STREAMED_SPARED_GIB if narrow else STREAMED_GIB
    streamed_host = STREAMED_HOST_GIB / 2 if narrow else STREAMED_HOST_GIB
    newer = spec.name == WAN_ANIMATE_2.name
    # Keys and values of every layer, 16 bits. The first model has no such cache.
    cache = 2 * LAYERS * seen * WIDTH * 2 / GIB if newer else 0.0
    kept_aside = 2 * LAYERS * _power_of_two(seen * WIDTH * 2) / GIB if cache else 0.0
    other, working = VAE_GIB + RESERVE_GIB, WORKING_GIB_PER_TOKEN * seen
    if not newer:  # its VAE computes in 32 bits
        other, working = other + VAE_GIB, working * 2

    def without_encoders(weights: float, keys: float) -> float:
        """The text encoder comes for the caption, before there are keys and steps."""
        return weights + max(keys + working, TEXT_ENCODER_GIB) + other

    # What lies in 16 bits on the disk is mapped; the first model's 32 bits become 16 in memory before they go anywhere.
    loading = 0.0 if newer else TRANSFORMER_GIB[spec.name]
    aside = ENCODERS_GIB + 4
    sizes = (
        (transformer + ENCODERS_GIB + cache + working + other, 4.0),
        (without_encoders(transformer, cache), aside),
        (without_encoders(transformer, cache / 2), aside),
        (without_encoders(small, cache / 2), aside),
        (without_encoders(streamed, 2 * cache / LAYERS), streamed_host + kept_aside + aside),
    )
    traits: tuple[dict[str, bool], ...] = (
        {"encoders_stay": True},
        {},
        {"small_cache": True},
        {"small_cache": True, "small_weights": True},
        {"streamed": True},
    )
    return tuple(
        Plan(name, round(needs, 1), round(host + loading, 1), loading, **{**trait, **narrow})
        for name, (needs, host), trait in zip(PLANS, sizes, traits, strict=True)
    )


def _power_of_two(size: int) -> int:
    """The first that is not less."""
    return 1 << (size - 1).bit_length()


def check_named(name: str) -> None:
    """Raises EngineError (``gpu_plan``) where there is no such plan; an empty name leaves the choice."""
    if name and name not in PLANS:
        known = ", ".join(PLANS)
        raise EngineError(
            "gpu_plan",
            f"There is no plan {name!r} for the GPU's memory.",
            value=name,
            limit=known,
            fix=f"Set {PLAN_VARIABLE} to one of: {known}; or leave it empty.",
        )


def traits_of(precision: str) -> dict[str, bool]:
    """What a plan has of its own with a precision. Raises EngineError (``gpu_plan``) where there is no such one."""
    if precision and precision not in PRECISIONS:
        known = " or ".join(PRECISIONS)
        raise EngineError(
            "gpu_plan",
            f"The GPU engine has no precision of {precision!r} bits.",
            value=precision,
            limit=known,
            fix=f"Set {PRECISION_VARIABLE} to {known}; or leave it empty.",
        )
    return {"small_weights": True, "small_products": True} if precision == "8" else {}


def plan_for(
    spec: ModelSpec,
    width: int,
    height: int,
    *,
    free_gib: float,
    host_gib: float,
    named: str = "",
    after: str = "",
    loaded: Plan | None = None,
    precision: str = "",
) -> Plan:
    """The first plan that fits, of those that come ``after`` one that did not, or the one that is ``named``. What is
    ``loaded`` needs no loading. Raises EngineError (``gpu_memory``, ``gpu_plan``)."""
    check_named(named)
    all_plans = plans(spec, width, height, precision)
    if named:
        return all_plans[PLANS.index(named)]
    too_much = all_plans[PLANS.index(after)].needs_gib if after else float("inf")
    # One that needs no less is another name for the same: not every model and precision has each.
    left = [plan for plan in all_plans if plan.needs_gib < too_much]

    def in_machine(plan: Plan) -> float:
        is_there = loaded is not None and loaded.same_weights(plan)
        return plan.host_gib - (plan.loading_gib if is_there else 0.0)

    on_card = [plan for plan in left if plan.needs_gib <= free_gib * USABLE]
    for plan in on_card:
        if in_machine(plan) <= host_gib:
            return plan
    least = min(on_card, key=in_machine, default=all_plans[-1])
    raise EngineError(
        "gpu_memory",
        f"The GPU has {free_gib:.1f} GiB free and the machine {host_gib:.1f} GiB; {width} x {height} pixels need at "
        f"least {least.needs_gib:.1f} and {in_machine(least):.1f}.",
        value=f"{host_gib if on_card else free_gib:.1f} GiB",
        limit=f"{in_machine(least) if on_card else least.needs_gib:.1f} GiB",
        fix="Close what else uses the machine's memory, or give it more: it is the machine's that is short."
        if on_card
        else "Close what else uses the GPU, take a mode or a picture of fewer pixels, or a larger card.",
    )
