"""Whether the GPU engine can work here, told without loading any of it: the first thing missing, and its cure."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from understudy import cli, doctor
from understudy.engines.capabilities import FAKE, PUPPET, WAN_ANIMATE
from understudy.engines.diffusion import availability as state
from understudy.engines.diffusion import devices
from understudy.engines.diffusion.availability import availability, check_available
from understudy.engines.diffusion.devices import Device, gpus
from understudy.engines.registry import engine_named
from understudy.errors import EngineError, ModelError
from understudy.request import Scene
from understudy.tracking import models

FOUND = {"torch": "2.13.0+cpu", "diffusers": "0.42.1", "transformers": "5.0.0"}
CARD = Device("NVIDIA H200", 143771)


@pytest.fixture(autouse=True)
def _no_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UNDERSTUDY_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("UNDERSTUDY_WEIGHTS_DIR", str(tmp_path / "weights"))
    for name in ("UNDERSTUDY_GPU_DEVICE", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    tracker(monkeypatch, here=True)


def tracker(monkeypatch: pytest.MonkeyPatch, *, here: bool) -> None:
    monkeypatch.setattr(models, "lacking_models", lambda: [] if here else ["pose"])


def installed(monkeypatch: pytest.MonkeyPatch, **versions: str | None) -> None:
    monkeypatch.setattr(state, "package_versions", lambda: FOUND | versions)


def weights(monkeypatch: pytest.MonkeyPatch, *here: str) -> None:
    def folder(name: str) -> Path:
        if name not in here:
            raise ModelError(
                "weights_missing", f"Not in /there/{name}.", fix=f"Run `understudy models pull {name}`."
            )
        return Path(name)

    monkeypatch.setattr(state, "weights_folder", folder)


def card(monkeypatch: pytest.MonkeyPatch, *cards: Device) -> None:
    monkeypatch.setattr(state, "gpus", lambda: cards)


def refused(scene: Scene = Scene.IMAGE) -> EngineError:
    with pytest.raises(EngineError) as caught:
        check_available(WAN_ANIMATE, scene)
    assert caught.value.code == "engine_unavailable"
    return caught.value


def test_the_first_thing_that_is_missing_is_told_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    card(monkeypatch)
    weights(monkeypatch)
    installed(monkeypatch, torch=None, transformers=None)
    error = refused()
    assert "torch, transformers" in error.message
    assert "[gpu]" in error.fix
    for old in ("0.41.3", "0.9", "unknown"):
        installed(monkeypatch, diffusers=old)
        assert f"diffusers {old} is too old, 0.42" in refused().message
    installed(monkeypatch, diffusers="0.43.0.dev0")
    assert "No NVIDIA or AMD GPU" in refused().message
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "CUDA_VISIBLE_DEVICES" in refused().message
    card(monkeypatch, CARD)
    error = refused()
    assert "wan-animate-2" in error.message
    assert "/there" not in error.message  # strangers are told it, too
    assert error.fix == "Run `understudy models pull wan-animate-2`."


def test_each_scene_has_weights_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)
    card(monkeypatch, CARD)
    weights(monkeypatch, "wan-animate-2")
    found = availability(WAN_ANIMATE)
    assert (found.available, found.scenes, found.devices) == (True, (Scene.IMAGE,), (CARD,))
    check_available(WAN_ANIMATE, Scene.IMAGE)
    assert "wan-animate-1" in refused(Scene.VIDEO).fix
    weights(monkeypatch, "wan-animate-1")
    assert availability(WAN_ANIMATE).scenes == (Scene.VIDEO,)
    weights(monkeypatch, "wan-animate-1", "wan-animate-2")
    found = availability(WAN_ANIMATE)
    assert (found.scenes, found.first) == (WAN_ANIMATE.scenes, None)


def test_the_processor_can_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)
    weights(monkeypatch, "wan-animate-2")
    card(monkeypatch)
    assert not availability(WAN_ANIMATE).available
    monkeypatch.setenv("UNDERSTUDY_GPU_DEVICE", "cpu")
    assert availability(WAN_ANIMATE).devices == (Device("cpu", None),)
    assert availability(WAN_ANIMATE).available


def test_without_the_trackers_files_it_can_make_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)
    card(monkeypatch, CARD)
    weights(monkeypatch, "wan-animate-2")
    tracker(monkeypatch, here=False)
    found = availability(WAN_ANIMATE)
    assert (found.available, set(found.missing)) == (False, set(WAN_ANIMATE.scenes))
    assert refused().fix == models.PULL
    assert "wan-animate-1" in refused(Scene.VIDEO).fix  # the weights first


def test_engines_of_the_processor_lack_the_trackers_files_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    tracker(monkeypatch, here=False)
    lacks = availability(PUPPET).first
    assert lacks is not None
    assert "pull tracker" in lacks.fix
    assert availability(FAKE).scenes == (Scene.IMAGE,)


def test_weights_that_are_not_pulled_are_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the weights' own module, on an empty data folder."""
    installed(monkeypatch)
    card(monkeypatch, CARD)
    error = refused()
    assert error.message.endswith("The weights wan-animate-2 are not here.")
    assert "`understudy models pull wan-animate-2`" in error.fix


def test_without_its_packages_the_engine_is_refused_by_name() -> None:
    if all(state.package_versions().values()):
        pytest.skip("the GPU's packages are installed")
    with pytest.raises(EngineError) as caught:
        engine_named("wan-animate")
    assert caught.value.code == "engine_unavailable"


def test_looking_loads_nothing_heavy() -> None:
    script = (
        "import sys; from understudy.engines import registry; from understudy.engines.diffusion import availability;"
        "[availability.availability(each) for each in registry.engine_capabilities()]; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    heavy = {"torch", "diffusers", "transformers", "huggingface_hub", "numpy", "cv2", "av", "PIL"}
    assert not heavy & set(done.stdout.split())


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    def says(text: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        program = folder / "nvidia-smi"
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o700)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    return says


def test_cards_are_named_by_the_driver(driver: Callable[[str], None], tmp_path: Path) -> None:
    driver('echo "$*" > "$0.asked"; printf "NVIDIA H200, 143771\\nNVIDIA GB10, [N/A]\\n"')
    assert gpus(tmp_path) == (CARD, Device("NVIDIA GB10", None))
    asked = (tmp_path / "bin" / "nvidia-smi.asked").read_text()
    assert asked == "--query-gpu=name,memory.total --format=csv,noheader,nounits\n"


def test_a_driver_that_fails_or_hangs_names_none(
    driver: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    driver("echo 'NVIDIA-SMI has failed'; exit 9")
    assert gpus(tmp_path) == ()
    monkeypatch.setattr(devices, "LIMIT_S", 0.2)
    driver("exec sleep 60")
    assert gpus(tmp_path) == ()


def test_hidden_cards_are_none(
    driver: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    driver('echo "NVIDIA H200, 143771"')
    for hidden in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
        assert gpus(tmp_path) == ()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert gpus(tmp_path) == (CARD,)


def test_without_its_program_the_kernel_names_cards(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    told = tmp_path / "proc/driver/nvidia/gpus/0000:01:00.0/information"
    told.parent.mkdir(parents=True)
    told.write_text("Model: \t\t NVIDIA L4\nIRQ:   \t\t 42\n")
    assert gpus(tmp_path) == ()  # as in a container that was not given the card
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/nvidia0").touch()
    assert gpus(tmp_path) == (Device("NVIDIA L4", None),)


def test_cards_of_amd_are_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for number, (vendor, memory) in enumerate((("0x1002", "206158430208"), ("0x8086", "1"), ("0x1002", ""))):
        card = tmp_path / f"sys/class/drm/card{number}/device"
        card.mkdir(parents=True)
        (card / "vendor").write_text(f"{vendor}\n")
        (card / "mem_info_vram_total").write_text(f"{memory}\n")
    assert gpus(tmp_path) == ()
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/kfd").touch()
    assert gpus(tmp_path) == (Device("AMD GPU", 196608),)


def listed(capsys: pytest.CaptureFixture[str], *more: str) -> str:
    with pytest.raises(SystemExit) as caught:
        cli.app(["engines", *more])
    assert caught.value.code == 0
    return capsys.readouterr().out


def test_engines_are_listed_for_programs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installed(monkeypatch)
    weights(monkeypatch, "wan-animate-2")
    card(monkeypatch, CARD)
    told = {each["name"]: each for each in json.loads(listed(capsys, "--json"))}
    assert list(told) == ["puppet", "wan-animate", "fake", "fake-slow"]
    assert all(each.keys() == told["fake"].keys() for each in told.values())
    wan = told["wan-animate"]
    assert (wan["available"], wan["scenes"], wan["scenes_available"]) == (True, ["image", "video"], ["image"])
    assert (wan["device"], wan["seeded"], wan["reads_prompt"], wan["follows_motion"]) == (
        "gpu",
        True,
        True,
        True,
    )
    assert wan["reason"] == "The weights wan-animate-1 are not here."
    assert wan["fix"] == "Run `understudy models pull wan-animate-1`."
    assert wan["needs"]["weights"] == {"wan-animate-2": True, "wan-animate-1": False}
    assert set(wan["needs"]["packages"]) == set(FOUND)
    assert wan["devices"] == [{"name": "NVIDIA H200", "memory_mb": 143771}]
    assert (told["fake"]["available"], told["fake"]["reason"], told["fake"]["needs"]["weights"]) == (
        True,
        None,
        {},
    )


def test_engines_are_listed_for_people(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installed(monkeypatch)
    weights(monkeypatch, "wan-animate-2")
    card(monkeypatch, CARD)
    lines = listed(capsys).splitlines()
    line = next(line for line in lines if line.startswith("wan-animate "))
    assert " ".join(line.split()) == "wan-animate in part NVIDIA H200 (140 GB) image, video yes yes"
    assert "  no scene video here: The weights wan-animate-1 are not here." in lines
    card(monkeypatch)
    out = listed(capsys)
    assert "not here: No NVIDIA or AMD GPU" in out
    assert "do: Use a machine with a GPU" in out


def test_the_doctor_tells_of_the_gpu_and_calls_none_of_it_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)
    weights(monkeypatch, "wan-animate-2")
    card(monkeypatch)
    check = doctor.gpu()
    assert check.good
    assert "No NVIDIA or AMD GPU is seen." in check.found
    card(monkeypatch, CARD)
    assert doctor.gpu().found == "NVIDIA H200; wan-animate makes the scenes: image"


def test_an_engine_that_can_work_is_made_for_its_scene(monkeypatch: pytest.MonkeyPatch) -> None:
    from understudy.engines.diffusion import in_process

    installed(monkeypatch)
    card(monkeypatch, CARD)
    weights(monkeypatch, "wan-animate-1")
    monkeypatch.setattr(in_process, "_maker", lambda: None)
    assert engine_named("wan-animate", scene=Scene.VIDEO).capabilities == WAN_ANIMATE
    with pytest.raises(EngineError) as caught:
        engine_named("wan-animate")
    assert "wan-animate-2" in caught.value.fix


def test_a_device_that_is_none_is_told_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)
    card(monkeypatch, CARD)
    monkeypatch.setenv("UNDERSTUDY_GPU_DEVICE", "banana")
    lacks = availability(WAN_ANIMATE).first
    assert lacks is not None
    assert "UNDERSTUDY_GPU_DEVICE is 'banana'" in lacks.reason


@pytest.mark.parametrize(
    ("named", "shown", "cards", "said"),
    [
        ("cuda:1", None, 1, "the only GPU is cuda:0"),
        ("cuda:2", None, 2, "cuda:0 to cuda:1"),
        ("cuda:1", "1", 2, "the only GPU is cuda:0"),
        ("cuda:1", None, 2, ""),
        ("cuda:1", "0,GPU-8f6a", 2, ""),
        ("cuda:0", None, 1, ""),
        ("cuda", None, 1, ""),
    ],
)
def test_a_card_that_is_not_there_is_told(
    monkeypatch: pytest.MonkeyPatch, named: str, shown: str | None, cards: int, said: str
) -> None:
    installed(monkeypatch)
    weights(monkeypatch, *WAN_ANIMATE.weights)
    card(monkeypatch, *[CARD] * cards)
    monkeypatch.setenv("UNDERSTUDY_GPU_DEVICE", named)
    if shown is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", shown)
    first = availability(WAN_ANIMATE).first
    assert (first is None) == (not said)
    if first is not None:
        assert f"'{named}'" in first.reason
        assert said in first.reason
