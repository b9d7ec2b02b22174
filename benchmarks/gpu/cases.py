"""What is measured, the most important first."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

from understudy.engines.diffusion.plan import PLANS, Plan, plans
from understudy.engines.diffusion.spec import ModelSpec

FIRST, WARM = "first", "warm"


@dataclass(frozen=True)
class Case:
    """What is loaded once; ``plan`` is none for diffusers' own pipeline."""

    way: str
    size: str
    plan: Plan | None
    runs: tuple[str, ...]


def cases_of(asked: argparse.Namespace, spec: ModelSpec, sizes: dict[str, tuple[int, int]]) -> Iterator[Case]:
    """The most important first. In 8 bits all plans have small weights, so that the one of that name is none of its
    own."""
    wanted = list(sizes) if asked.tiny else asked.sizes
    for named in asked.plans:
        for size in wanted:
            main = (named, size) == (asked.plans[0], wanted[0])
            runs = (FIRST, WARM) if main else (WARM,)
            cases = []
            for precision in asked.precisions:
                if (named, precision) != ("small-weights", "8"):
                    way = f"understudy, {named}" + (", 8 bits" if precision == "8" else "")
                    plan = plans(spec, *sizes[size], precision)[PLANS.index(named)]
                    cases.append(Case(way, size, plan, runs))
            if asked.diffusers and named == asked.plans[0]:
                cases.insert(1 if main else len(cases), Case("diffusers", size, None, runs))
            yield from cases
