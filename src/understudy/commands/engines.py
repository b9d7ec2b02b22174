"""``understudy engines``: what makes videos, what each can do, and why one cannot work here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from understudy.engines.capabilities import Capabilities
    from understudy.engines.diffusion.availability import Availability
    from understudy.engines.diffusion.devices import Device

GB = 1024  # MiB


def engines(
    as_json: Annotated[
        bool, typer.Option("--json", help="Say it as JSON: a list, one entry an engine.")
    ] = False,
) -> None:
    """List the engines: what each can do, and what it lacks where it cannot work here."""
    from understudy.engines.diffusion.availability import availability
    from understudy.engines.registry import engine_capabilities

    found = [(engine, availability(engine)) for engine in engine_capabilities()]
    if as_json:
        typer.echo(json.dumps([_fields(engine, state) for engine, state in found], indent=2))
    else:
        _show(found)


def _fields(engine: Capabilities, state: Availability) -> dict[str, Any]:
    """``reason`` and ``fix`` are those of the first scene that cannot be made."""
    from understudy.engines.diffusion.availability import package_versions, weights_here

    gpu = engine.device == "gpu"
    return {
        "name": engine.name,
        "description": engine.description,
        "device": engine.device,
        "available": state.available,
        "reason": state.first.reason if state.first else None,
        "fix": state.first.fix if state.first else None,
        "follows_motion": engine.follows_motion,
        "reads_prompt": engine.reads_prompt,
        "scenes": list(engine.scenes),
        "scenes_available": list(state.scenes),
        "seeded": engine.seeded,
        "needs": {
            "gpu": gpu,
            "packages": package_versions() if gpu else {},
            "weights": weights_here(engine),
        },
        "devices": [{"name": device.name, "memory_mb": device.memory_mb} for device in state.devices],
    }


def _show(found: list[tuple[Capabilities, Availability]]) -> None:
    from understudy.commands.columns import columns
    from understudy.terminal import say

    rows: list[Sequence[str]] = [("ENGINE", "HERE", "DEVICE", "SCENES", "PROMPT", "SEED")]
    for engine, state in found:
        device = ", ".join(map(_device, state.devices)) or engine.device
        here = "yes" if state.first is None else "in part" if state.available else "no"
        told = ("yes" if answer else "no" for answer in (engine.reads_prompt, engine.seeded))
        rows.append((engine.name, here, device, ", ".join(engine.scenes), *told))
    say(columns(rows))
    for engine, state in found:
        say(f"\n{engine.name}: {engine.description}")
        if not state.available and state.first is not None:
            say(f"  not here: {state.first.reason}\n  do: {state.first.fix}")
        else:
            for scene, lacks in state.missing.items():
                say(f"  no scene {scene} here: {lacks.reason}\n  do: {lacks.fix}")


def _device(device: Device) -> str:
    return device.name if device.memory_mb is None else f"{device.name} ({device.memory_mb / GB:.0f} GB)"
