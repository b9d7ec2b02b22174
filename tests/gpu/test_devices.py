"""Both models in 16 bits, with their parts on a card in name: nothing is left on the processor, no type is mixed."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from named_card import CARD, MisplacedError, NamedCard
from numpy.typing import NDArray
from written_assignment import written

from understudy.engines.diffusion import animate2, attention, loading
from understudy.engines.diffusion.assignment import Assignment
from understudy.engines.diffusion.card import machine_bytes, visiting
from understudy.engines.diffusion.generator import Generator
from understudy.engines.diffusion.maker import StoppedError
from understudy.engines.diffusion.plan import GIB, Plan, plan_for
from understudy.engines.diffusion.plan import PLANS as PLAN_NAMES
from understudy.engines.diffusion.shunned import SHUNNED_S
from understudy.engines.diffusion.spec import SPECS, WAN_ANIMATE_1, WAN_ANIMATE_2, ModelSpec
from understudy.errors import EngineError
from understudy.progress import silent

WIDTH, HEIGHT, SEGMENT, STEPS = 48, 64, 5, 2
FRAMES = 2 * SEGMENT - 1  # two segments
CPU = torch.device("cpu")
SPEC = {
    2: replace(WAN_ANIMATE_2, segment_frames=SEGMENT, steps=STEPS),
    1: replace(WAN_ANIMATE_1, segment_frames=SEGMENT, steps=STEPS),
}
PLANS = {
    plan.name: plan
    for plan in (
        Plan("resident", 0, 0, encoders_stay=True),
        Plan("encoders-aside", 0, 0),
        Plan("small-cache", 0, 0, small_cache=True),
        Plan("small-weights", 0, 0, small_cache=True, small_weights=True),
        Plan("streamed", 0, 0, streamed=True),
        Plan("8 bits", 0, 0, encoders_stay=True, small_weights=True, small_products=True),
        Plan("8 bits, streamed", 0, 0, small_weights=True, small_products=True, streamed=True),
    )
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """For tensors this small, more wait for one another."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    for spec in SPEC.values():
        monkeypatch.setitem(SPECS, spec.name, spec)


def assigned(folder: Path, spec: ModelSpec) -> Assignment:
    return written(
        folder, Assignment(spec.name, WIDTH, HEIGHT, FRAMES, "人物外观描述：一只猫。", 7, STEPS, "")
    )


def model_of(spec: ModelSpec, parts: dict[str, Any], device: torch.device, plan: Plan) -> Any:
    loading.place(parts, device, plan, torch.bfloat16)
    if spec is SPEC[2]:
        return animate2.Animate2(parts, device, plan, spec=spec)
    return loading.Animate1(parts, device, plan, spec=spec)


def both_segments(model: Any, folder: Path, assignment: Assignment) -> NDArray[np.float64]:
    begun = model.begin(folder, assignment)
    first, end = model.make(begun, 0, None, lambda *_: None)
    second, _ = model.make(begun, 1, end, lambda *_: None)
    return np.concatenate([first, second]).astype(float)


def streamed(transformer: Any, *, onload_device: torch.device, **_: Any) -> None:
    """In the place of diffusers' offloading by groups, whose streams want a card: the blocks are on it while each
    computes, all else while the whole does."""
    for block in transformer.blocks:
        block.register_forward_pre_hook(lambda module, _: module.to(onload_device) and None)
        block.register_forward_hook(lambda module, *_: module.to(CPU) and None)
    rest = [module for name, module in transformer.named_children() if name != "blocks"]
    owned = dict(transformer.named_parameters(recurse=False))

    def there(device: torch.device) -> None:
        for module in rest:
            module.to(device)
        for name, parameter in owned.items():
            transformer._parameters[name] = parameter.to(device)

    transformer.register_forward_pre_hook(lambda *_: there(onload_device))
    transformer.register_forward_hook(lambda *_: there(CPU))


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
@pytest.mark.parametrize("which", SPEC)
def test_nothing_is_left_on_the_processor(
    which: int, plan: Plan, weights: dict[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = SPEC[which]
    assignment = assigned(tmp_path, spec)
    exact, _ = loading.read(spec, weights[which], torch.float32)
    parts, _ = loading.read(spec, weights[which], torch.bfloat16)
    monkeypatch.setattr(type(parts["transformer"]), "enable_group_offload", streamed)
    wanted = both_segments(model_of(spec, exact, CPU, PLANS["resident"]), tmp_path, assignment)
    with NamedCard() as card:
        model = model_of(spec, parts, CARD, plan)
        found = both_segments(model, tmp_path, assignment)
        encoder = next(parts["text_encoder"].parameters())
    assert (encoder.device == CARD) == plan.encoders_stay
    assert (card.pinned > 0) == (plan.streamed and which == 2)  # the cache is kept aside
    assert wanted.std() > 3
    assert np.abs(found - wanted).mean() < 3


@pytest.mark.parametrize("which", SPEC)
def test_sixteen_bits_come_from_the_folder(which: int, weights: dict[int, Path]) -> None:
    """And what the model's authors keep in 32 stays so."""
    model = loading.load(SPEC[which], weights[which], CPU, PLANS["resident"], torch.bfloat16)
    parts = model._pipeline
    for part in (parts.text_encoder, parts.image_encoder, parts.transformer):
        assert part.dtype == torch.bfloat16
    assert parts.vae.dtype == (torch.bfloat16 if which == 2 else torch.float32)
    wide = {name for name, one in parts.transformer.named_parameters() if one.dtype == torch.float32}
    assert any("time_embed" in name for name in wide)
    assert not any("attn" in name and "norm" not in name for name in wide)


def deviceless(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *arguments, **options: function(*arguments, **{**options, "device": CPU})


@pytest.mark.parametrize("forgotten", ["get_i2v_mask", "randn_tensor", "pixels", "visiting"])
def test_what_is_left_on_the_processor_would_show(
    forgotten: str, weights: dict[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The card in name answers as a real one."""
    spec = SPEC[2]
    assignment = assigned(tmp_path, spec)
    parts, _ = loading.read(spec, weights[2], torch.bfloat16)
    real = getattr(animate2, forgotten, None)
    if forgotten == "visiting":
        monkeypatch.setattr(torch.nn.Module, "to", lambda module, *_, **__: module)
    elif forgotten == "pixels":
        monkeypatch.setattr(animate2, "pixels", lambda frames, device: real(frames, CPU))
    else:
        monkeypatch.setattr(animate2, forgotten, deviceless(real))
    with NamedCard(), pytest.raises(MisplacedError):
        both_segments(model_of(spec, parts, CARD, PLANS["resident"]), tmp_path, assignment)


def test_memory_of_the_machine_counts_what_files_are_kept_in(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 100 kB\nMemFree: 1 kB\nMemAvailable: 90 kB\n")
    none = tmp_path / "none"
    assert machine_bytes(tmp_path / "meminfo", none) == 90 * 1024
    assert machine_bytes(none, none) > 0


@pytest.mark.parametrize(
    ("line", "folder", "names"),
    [
        ("0::/serve/gpu", "serve/gpu", ("memory.max", "memory.current", "file")),
        ("0::/serve/gpu", "serve", ("memory.max", "memory.current", "file")),  # of what holds the group
        ("0::/of/the/machine", "", ("memory.max", "memory.current", "file")),  # not seen in a container
        ("0::/", "", ("memory.max", "memory.current", "file")),
        (
            "4:cpu,memory:/serve",
            "memory/serve",
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache"),
        ),
    ],
)
def test_a_limit_that_a_container_or_a_service_has_counts(
    line: str, folder: str, names: tuple[str, str, str], tmp_path: Path
) -> None:
    (tmp_path / "meminfo").write_text("MemAvailable: 90 kB\n")
    (tmp_path / "group").write_text(f"7:pids:/x\n{line}\n")
    place = tmp_path / "groups" / folder
    place.mkdir(parents=True)
    limit, used, cached = names
    (place / limit).write_text("50000\n")
    (place / used).write_text("40000\n")
    (place / "memory.stat").write_text(f"anon 1\n{cached} 20000\n")

    def found() -> int:
        return machine_bytes(tmp_path / "meminfo", tmp_path / "group", tmp_path / "groups")

    assert found() == 30_000
    (place / limit).write_text("max\n")
    assert found() == 90 * 1024


class Pretended:
    """A model that only knows its plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def take(self, plan: Plan) -> None:
        self.plan = plan


def pretend_card(monkeypatch: pytest.MonkeyPatch, memory: Callable[[], tuple[int, int]]) -> None:
    """A card of which so much is free, and so much this process's own."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (memory()[0], 0))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: memory()[1])
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(torch.accelerator, "empty_host_cache", lambda: None, raising=False)


def test_what_is_loaded_makes_room_for_what_comes(
    weights: dict[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A card and a machine that are full of the model keep it."""
    assignment = assigned(tmp_path, SPEC[2])
    needed = plan_for(SPEC[2], WIDTH, HEIGHT, free_gib=30, host_gib=1000)
    card, machine = {"free": 30 * GIB, "reserved": 0}, [1000 * GIB]
    loads = []
    pretend_card(monkeypatch, lambda: (card["free"], card["reserved"]))
    monkeypatch.setattr(loading, "machine_bytes", lambda: machine[0])
    monkeypatch.setattr(loading, "weights_folder", lambda name: weights[2])
    monkeypatch.setattr(
        loading, "load", lambda *arguments, **more: loads.append(arguments) or Pretended(arguments[-1])
    )
    load = loading.Loading("cuda")
    first = load(assignment)
    card.update(free=GIB, reserved=29 * GIB)
    machine[0] = int(2 * GIB)
    assert needed.host_gib > 2
    assert load(assignment) is first
    assert [arguments[-1].name for arguments in loads] == [needed.name]


def test_a_plan_that_took_too_much_is_left_for_the_next_for_an_hour(
    weights: dict[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assignment = replace(assigned(tmp_path, SPEC[2]), width=640, height=800)
    smaller = replace(assignment, width=624)
    monkeypatch.setitem(SPECS, WAN_ANIMATE_2.name, WAN_ANIMATE_2)
    now = [0.0]
    pretend_card(monkeypatch, lambda: (140 * GIB, 0))
    monkeypatch.setattr(loading, "machine_bytes", lambda: 200 * GIB)
    monkeypatch.setattr(loading, "weights_folder", lambda name: weights[2])
    monkeypatch.setattr(loading, "load", lambda *arguments, **_: Pretended(arguments[-1]))
    load = loading.Loading("cuda", clock=lambda: now[0])
    for name in PLAN_NAMES:
        assert load(assignment).plan.name == name
        assert load.step_down(assignment) == (name != PLAN_NAMES[-1])  # then there is none that needs less
    assert load(smaller).plan.name == "resident"
    assert load(assignment).plan.name == PLAN_NAMES[-1]
    now[0] = SHUNNED_S + 1
    assert load(assignment).plan.name == "resident"
    monkeypatch.setenv("UNDERSTUDY_GPU_PLAN", "resident")  # who names one gets that one
    load(assignment)
    assert not load.step_down(assignment)


def test_a_plan_that_keeps_the_weights_alike_loads_nothing(
    weights: dict[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An 80 GB card that is asked for std and pro in turns: only the cache is kept in another way."""
    small = assigned(tmp_path, SPEC[2])
    std, pro = replace(small, width=640, height=800), replace(small, width=720, height=1280)
    monkeypatch.setitem(SPECS, WAN_ANIMATE_2.name, WAN_ANIMATE_2)
    loads = []
    pretend_card(monkeypatch, lambda: (79 * GIB, 0))
    monkeypatch.setattr(loading, "machine_bytes", lambda: 200 * GIB)
    monkeypatch.setattr(loading, "weights_folder", lambda name: weights[2])
    monkeypatch.setattr(
        loading, "load", lambda *arguments, **more: loads.append(arguments[-1]) or Pretended(arguments[-1])
    )
    load = loading.Loading("cuda")
    models = [load(assignment) for assignment in (std, pro, std)]
    assert [plan.name for plan in loads] == ["encoders-aside"]
    assert models[0] is models[1] is models[2]
    assert load(pro).plan.name == "small-cache"
    assert load(std).plan.name == "encoders-aside"


def test_nothing_refers_to_a_model_while_the_next_is_loaded(
    weights: dict[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two would not fit: the card was full of one."""
    assignment = replace(assigned(tmp_path, SPEC[2]), width=640, height=800)
    monkeypatch.setitem(SPECS, WAN_ANIMATE_2.name, WAN_ANIMATE_2)
    pretend_card(monkeypatch, lambda: (140 * GIB, 0))
    monkeypatch.setattr(loading, "machine_bytes", lambda: 200 * GIB)
    monkeypatch.setattr(loading, "weights_folder", lambda name: weights[2])
    made: list[weakref.ref[Pretended]] = []
    alive: list[int] = []

    def load(*arguments: Any, **_: Any) -> Pretended:
        gc.collect()
        alive.append(sum(each() is not None for each in made))
        model = Pretended(arguments[-1])
        made.append(weakref.ref(model))
        return model

    monkeypatch.setattr(loading, "load", load)
    loads = loading.Loading("cuda")
    for _ in PLAN_NAMES:
        loads(assignment)
        loads.step_down(assignment)
    monkeypatch.setattr(loading, "fingerprint", lambda name: "others")
    loads(assignment)
    assert alive == [0] * len(made)
    assert len(made) == 4  # the first three keep the transformer alike


def test_what_was_read_of_a_model_does_not_keep_it_from_being_loaded(
    weights: dict[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = replace(assigned(tmp_path / "older", SPEC[1]), width=640, height=800)
    newer = replace(assigned(tmp_path / "newer", SPEC[2]), width=640, height=800)
    for spec in (WAN_ANIMATE_1, WAN_ANIMATE_2):
        monkeypatch.setitem(SPECS, spec.name, spec)
    machine = [56 * GIB]
    pretend_card(monkeypatch, lambda: (140 * GIB, 0))
    monkeypatch.setattr(loading, "machine_bytes", lambda: int(machine[0]))
    monkeypatch.setattr(loading, "weights_folder", lambda name: weights[1])
    monkeypatch.setattr(loading, "_bytes", lambda network: 0 if network is None else 33 * GIB)
    stopped = [True]

    def load(*arguments: Any, parts: dict[str, Any], **_: Any) -> Pretended:
        parts["transformer"] = object()
        if stopped.pop() if stopped else False:
            machine[0] = 23 * GIB
            raise StoppedError
        return Pretended(arguments[-1])

    monkeypatch.setattr(loading, "load", load)
    loads = loading.Loading("cuda")
    with pytest.raises(StoppedError):
        loads(older)
    assert loads._read is not None
    assert loads(older).plan.name == "resident"
    stopped.append(True)
    machine[0] = 56 * GIB
    monkeypatch.setattr(loading, "fingerprint", lambda name: "others")
    with pytest.raises(StoppedError):
        loads(older)
    loads(newer)
    assert loads._read is None  # it made room


def test_what_came_half_onto_the_card_goes_back() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))

    def full(device: torch.device) -> None:
        if device != "cpu":
            network[0].to(device)
            raise ScarceError
        torch.nn.Sequential.to(network, device)

    network.to = full  # type: ignore[method-assign, assignment]
    with NamedCard():
        with pytest.raises(ScarceError), visiting(network, CARD, stays=False):
            raise AssertionError("it went on")
        assert {parameter.device.type for parameter in network.parameters()} == {"cpu"}


def test_loading_that_was_broken_off_goes_on_with_what_was_read(
    weights: dict[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assignment = assigned(tmp_path, SPEC[2])
    monkeypatch.setattr(loading, "weights_folder", lambda name: weights[2])
    read = []
    for name, (kind, typed) in loading.NETWORKS_2.items():

        class Told:
            from_pretrained = staticmethod(
                lambda *arguments, kind=kind, name=name, **options: (
                    read.append(name) or kind.from_pretrained(*arguments, **options)
                )
            )

        monkeypatch.setitem(loading.NETWORKS_2, name, (Told, typed))
    load = loading.Loading("cpu")
    told: list[tuple[int, int]] = []

    def stop_at_the_second(done: int, whole: int) -> None:
        told.append((done, whole))
        if len(told) == 2:
            raise StoppedError

    with pytest.raises(StoppedError):
        load(assignment, stop_at_the_second)
    assert read == list(loading.NETWORKS_2)[:2]
    model = load(assignment, lambda *now: told.append(now))
    assert read == list(loading.NETWORKS_2)
    assert told[-1][0] == told[-1][1]
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert load(assignment) is model


class ScarceError(RuntimeError):
    """What a real card raises, by its name."""


ScarceError.__name__ = "OutOfMemoryError"


def test_a_card_that_was_full_is_empty_for_the_next_try(
    weights: dict[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assignment = assigned(tmp_path, SPEC[2])
    model: Any = loading.load(SPEC[2], weights[2], CPU, PLANS["resident"], torch.bfloat16)
    caches: list[weakref.ref[Any]] = []
    real = animate2.DrivingCache

    def watched(*arguments: Any) -> Any:
        cache = real(*arguments)
        caches.append(weakref.ref(cache))
        return cache

    def scarce(*_: Any, **__: Any) -> None:
        raise ScarceError("CUDA out of memory")

    monkeypatch.setattr(animate2, "DrivingCache", watched)
    with monkeypatch.context() as full:
        full.setattr(model._pipeline.scheduler, "step", scarce)
        with pytest.raises(EngineError) as caught:
            Generator(lambda *_: model).make(tmp_path, silent)
    assert caught.value.code == "gpu_memory"  # and is still held here
    assert [cache() for cache in caches] == [None]
    assert not model._nothing_known
    Generator(lambda *_: model).make(tmp_path, silent)
    assert len(caches) == 1 + assignment.segments


def test_a_kernel_is_not_passed_over_for_want_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def scarce(*_: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setitem(attention.KERNELS, "cudnn", scarce)
    with pytest.raises(torch.OutOfMemoryError):
        attention.best_kernel(CPU, torch.float32, 2, 8)
