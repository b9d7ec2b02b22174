"""Which engines a service takes tasks for: none whose task would wait for a worker that never comes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from small_service import SmallService
from typer.testing import CliRunner

from understudy import cli
from understudy.config import Settings
from understudy.engines.capabilities import Capabilities
from understudy.engines.diffusion import availability as state
from understudy.engines.diffusion.availability import Availability, Missing, availability
from understudy.engines.diffusion.devices import Device
from understudy.errors import SettingError
from understudy.request import Scene
from understudy.server import offered
from understudy.server.offered import offered_by
from understudy.tasks.task import Status
from understudy.tracking import models

NO_GPU = Missing("No NVIDIA or AMD GPU is seen.", "Use a machine with a GPU.")
LINKS = {"image_url": "https://a.example/i.png", "video_url": "https://a.example/v.mp4"}
KIE = {
    "model": "kling-3.0/motion-control",
    "input": {
        "input_urls": [LINKS["image_url"]],
        "video_urls": [LINKS["video_url"]],
        "background_source": "input_video",
    },
}


def settings(**given: object) -> Settings:
    return Settings(Path("/nowhere"), **given)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    with_gpu(monkeypatch)


def with_gpu(monkeypatch: pytest.MonkeyPatch, *scenes: Scene) -> None:
    """One that can make those scenes, if any."""

    def found(engine: Capabilities) -> Availability:
        if engine.device == "cpu":
            return Availability((), {}, engine.scenes)
        missing = {scene: NO_GPU for scene in engine.scenes if scene not in scenes}
        return Availability((Device("a GPU", None),), missing, scenes)

    monkeypatch.setattr(offered, "availability", found)


def without_tracker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offered, "availability", availability)
    monkeypatch.setattr(models, "lacking_models", lambda: ["hand_recrop"])


def test_without_a_gpu_what_the_processor_draws_is_offered() -> None:
    made = offered_by(settings())
    assert made.names == ("puppet", "fake", "fake-slow")
    assert made.scenes == (Scene.IMAGE,)
    wan = made.of("wan-animate")
    assert wan is not None
    assert (wan.taken, wan.missing) == (False, NO_GPU)


def test_what_works_on_this_machine_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    with_gpu(monkeypatch, Scene.IMAGE)
    made = offered_by(settings(engine="wan-animate"))
    assert made.names == ("puppet", "wan-animate", "fake", "fake-slow")
    assert made.scenes == (Scene.IMAGE,)  # the weights of the other scene are not here


def test_a_default_engine_without_the_usual_scene_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    with_gpu(monkeypatch, Scene.VIDEO)
    assert offered_by(settings()).of("wan-animate").scenes == (Scene.VIDEO,)  # type: ignore[union-attr]
    with pytest.raises(SettingError, match="scene image") as caught:
        offered_by(settings(engine="wan-animate"))
    assert caught.value.code == "engine_unavailable"
    assert NO_GPU.reason in caught.value.message


def test_the_processors_engines_are_offered_where_they_work(monkeypatch: pytest.MonkeyPatch) -> None:
    without_tracker(monkeypatch)
    made = offered_by(settings(engine="fake", engines=("puppet",)))  # its worker here would take the tasks
    puppet = made.of("puppet")
    assert puppet is not None
    assert (puppet.scenes, made.names) == ((), ("fake",))
    with pytest.raises(SettingError) as caught:
        offered_by(settings())
    assert caught.value.code == "engine_unavailable"
    assert "models pull tracker" in caught.value.fix
    assert "GPU" not in caught.value.fix


def test_a_machine_whose_worker_does_no_gpu_tasks_offers_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with_gpu(monkeypatch, Scene.IMAGE)
    wan = offered_by(settings(work="cpu")).of("wan-animate")
    assert wan is not None
    assert wan.missing is not None
    assert "leaves" in wan.missing.reason
    assert "wan-animate" in offered_by(settings(work="cpu", engines=("wan-animate",))).names


def test_a_named_engine_is_offered_whole_where_one_worker_lacks_a_scene(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_gpu(monkeypatch, Scene.IMAGE)  # this machine's worker leaves the other scene's queue alone
    wan = offered_by(settings(engines=("wan-animate",))).of("wan-animate")
    assert wan is not None
    assert (wan.scenes, wan.missing) == ((Scene.IMAGE, Scene.VIDEO), None)


def test_the_operator_names_engines_whose_workers_are_elsewhere() -> None:
    made = offered_by(settings(engines=("wan-animate",)))
    assert made.names == ("puppet", "wan-animate")
    wan, fake = made.of("wan-animate"), made.of("fake")
    assert wan is not None
    assert wan.scenes == (Scene.IMAGE, Scene.VIDEO)
    assert fake is not None
    assert fake.missing is not None
    assert "setting engines" in fake.missing.fix


@pytest.mark.parametrize(
    ("given", "code", "named"),
    [
        ({"engines": ("puppet", "magic")}, "setting_invalid", "'magic'"),
        ({"engine": "wan-animate"}, "engine_unavailable", "No NVIDIA"),
        ({"engine": "wan-animate", "engines": ("puppet",)}, "engine_unavailable", "No NVIDIA"),
    ],
)
def test_a_service_that_could_not_make_its_tasks_does_not_start(
    given: dict[str, object], code: str, named: str
) -> None:
    with pytest.raises(SettingError) as caught:
        offered_by(settings(**given))
    assert caught.value.code == code
    assert named in caught.value.message
    assert "engines" in caught.value.fix or "ENGINES" in caught.value.fix


def engines(service: SmallService) -> dict[str, dict[str, object]]:
    answer = service.ask("GET", "/understudy/v1/engines")
    assert answer.status_code == 200
    return {each["name"]: each for each in answer.json()["engines"]}


def test_the_api_tells_which_are_offered() -> None:
    told = engines(SmallService(settings()))
    assert told["puppet"] == {
        "name": "puppet",
        "description": told["puppet"]["description"],
        "default": True,
        "device": "cpu",
        "available": True,
        "reason": None,
        "fix": None,
        "follows_motion": True,
        "reads_prompt": False,
        "scenes": ["image"],
        "seeded": False,
    }
    wan = told["wan-animate"]
    assert (wan["available"], wan["reason"], wan["scenes"]) == (False, NO_GPU.reason, [])
    wan = engines(SmallService(settings(engine="wan-animate", engines=("wan-animate",))))["wan-animate"]
    assert (wan["available"], wan["default"], wan["scenes"], wan["seeded"]) == (
        True,
        True,
        ["image", "video"],
        True,
    )


@pytest.mark.parametrize("scenes", [(), (Scene.IMAGE,), (Scene.IMAGE, Scene.VIDEO)])
@pytest.mark.parametrize("tracker", [True, False])
def test_the_command_and_the_api_say_the_same(
    monkeypatch: pytest.MonkeyPatch, scenes: tuple[Scene, ...], tracker: bool
) -> None:
    with_gpu(monkeypatch, *scenes)
    if not tracker:
        without_tracker(monkeypatch)
    monkeypatch.setattr(state, "availability", offered.availability)  # whom the command asks
    said = {
        each["name"]: each for each in json.loads(CliRunner().invoke(cli.app, ["engines", "--json"]).stdout)
    }
    told = engines(SmallService(settings(engine="fake")))
    assert said.keys() == told.keys()
    for name, each in told.items():
        alike = ("available", "reason", "fix", "device", "follows_motion", "reads_prompt", "seeded")
        assert {key: each[key] for key in alike} == {key: said[name][key] for key in alike}
        assert each["scenes"] == said[name]["scenes_available"]


def test_a_task_that_nobody_would_make_is_refused() -> None:
    service = SmallService(settings())
    for given, field in (({"engine": "wan-animate"}, "engine"), ({"scene": "video"}, "scene")):
        answer = service.ask("POST", "/understudy/v1/tasks", json.dumps({**LINKS, **given}))
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (422, "field_invalid")
        assert error["message"].startswith(f"{field} is ")
    assert service.tasks.submitted == []


def test_a_task_is_not_tried_again_with_an_engine_that_is_gone() -> None:
    service = SmallService(settings())
    service.tasks.found = replace(service.tasks.found, engine="wan-animate")
    answer = service.ask("POST", f"/understudy/v1/tasks/{service.tasks.found.id}/retry")
    assert (answer.status_code, answer.json()["error"]["value"]) == (422, "wan-animate")


def test_an_answer_tells_scene_and_seed() -> None:
    service = SmallService(settings())
    path = f"/understudy/v1/tasks/{service.tasks.found.id}"
    service.tasks.found = replace(
        service.tasks.found, engine="wan-animate", scene=Scene.VIDEO, status=Status.PROCESSING
    )
    told = service.ask("GET", path).json()
    assert (told["scene"], told["seed"]) == ("video", service.tasks.found.noise_seed)
    service.tasks.found = replace(service.tasks.found, seed=5)
    assert service.ask("GET", path).json()["seed"] == 5
    service.tasks.found = replace(service.tasks.found, engine="puppet")
    assert service.ask("GET", path).json()["seed"] is None


def test_kies_background_is_the_videos_where_the_engine_can() -> None:
    service = SmallService(settings(engine="wan-animate", engines=("wan-animate",)))
    answer = service.ask("POST", "/api/v1/jobs/createTask", json.dumps(KIE)).json()
    assert answer["code"] == 200, answer
    assert [(each.engine, each.scene) for each in service.tasks.submitted] == [("wan-animate", Scene.VIDEO)]
    answer = SmallService(settings()).ask("POST", "/api/v1/jobs/createTask", json.dumps(KIE)).json()
    assert answer["code"] == 422
    assert "puppet, cannot put the character into the driving video's scene" in answer["msg"]
