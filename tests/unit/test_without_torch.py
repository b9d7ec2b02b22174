"""The base needs nothing of the extra ``gpu``: every module but the GPU's own is imported where it is refused."""

from __future__ import annotations

import subprocess
import sys

GPUS_OWN = "understudy.engines.diffusion."
IMPORT_ALL = """
import importlib, pkgutil, sys

REFUSED = {"torch", "diffusers", "transformers", "accelerate", "peft", "huggingface_hub", "safetensors", "ftfy"}

class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in REFUSED:
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Refusing())
import understudy

for module in pkgutil.walk_packages(understudy.__path__, "understudy."):
    if module.name.endswith(".__main__") or ".migrations." in module.name:  # run, not imported
        continue
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:
        print(module.name, error.name)
    else:
        print("imported")
"""


def test_no_module_but_the_gpus_own_needs_what_the_extra_brings() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT_ALL], check=True, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert lines.count("imported") > 300
    assert [line for line in lines if line != "imported" and not line.startswith(GPUS_OWN)] == []


def test_what_is_imported_for_the_border_of_the_gpu_engine_is_without_torch() -> None:
    see = (
        "import sys, understudy.cli, understudy.engines.diffusion.source, understudy.engines.registry\n"
        "print([name for name in ('torch', 'diffusers', 'huggingface_hub') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", see], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
