"""The doctor's other processes, which load what may crash: ``python -m understudy.doctor check|load ...``."""

from __future__ import annotations

import sys
from importlib import import_module

from understudy.doctor.apart import answer
from understudy.doctor.check import Check


def check(module: str, name: str) -> None:
    """Run one check and tell what it found."""
    found: Check = getattr(import_module(module), name)()
    answer(name=found.name, found=found.found, fix=found.fix)


def load(*modules: str) -> None:
    """Import each and tell, one after the other, what hindered it: whoever listens knows at which one we crashed."""
    for module in modules:
        fault = None
        try:
            import_module(module)
        except (Exception, SystemExit) as error:  # whatever a library may raise
            fault = " ".join(f"{type(error).__name__}: {error}".split())
        answer(module=module, fault=fault)


if __name__ == "__main__":
    if sys.argv[1] == "check":
        check(*sys.argv[2:])
    else:
        load(*sys.argv[2:])
