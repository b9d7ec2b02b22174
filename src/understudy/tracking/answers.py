"""Answers of the pose model to several versions of one picture, weighed against each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from understudy.tracking.tracker import Person

SURE = 0.93  # a score that only needs one other answer like it
FAIR = 0.8  # a score that needs two others
GOOD = 0.45  # the least that is believed, after doubts
CREDIBLE = 0.3  # a score below it is no answer
# What an answer loses for having seen something else than the picture itself: near ties go to the faithful.
FAITH = {"tracker": 1.0, "tracker_flipped": 0.98, "tracker_padded": 0.97, "tracker_blurred": 0.93}
SAME = 0.12  # of the figure's size: two answers that close are the same body


@dataclass(frozen=True, eq=False)
class Answer:
    """A body that was found, its score, and how to have its person with hands and face where those are left out."""

    found_by: str
    person: Person
    score: float
    detailed: Callable[[], Person] | None = None


def settled(answers: list[Answer]) -> Answer | None:
    """An answer that leaves no doubt: two that agree, one of them sure, or three good ones in a row that agree."""
    new = answers[-1]
    like = [a for a in answers[:-1] if alike(a.person, new.person) > 0.5]
    sure = [a for a in like if max(a.score, new.score) >= SURE]
    if sure:
        first = sure[0]
        return first if first.score >= min(SURE, new.score) else new
    if len(answers) >= 3 and len(like) == len(answers) - 1 and min(a.score for a in answers) >= FAIR:
        return max(answers, key=lambda a: a.score * FAITH[a.found_by])
    return None


def best_of(answers: list[Answer], company: list[Answer] | None = None) -> Answer | None:
    """The best of the answers that can be believed; of several people the largest.

    ``company`` are all the answers that may confirm one, if more than those to choose from.
    """
    believed = [
        (worth, a) for a in answers if (worth := _worth(a, company or answers) * FAITH[a.found_by]) >= GOOD
    ]
    if not believed:
        return None
    believed.sort(key=lambda pair: -pair[0])
    most, leader = believed[0]
    for worth, other in believed:
        if (
            worth > 0.6 * most
            and _apart(other.person, leader.person)
            and _size(other.person) > 1.05 * _size(leader.person)
        ):
            leader = other
    return leader


def _apart(a: Person, b: Person) -> bool:
    """Whether two bodies stand beside each other, so that they must be two people."""
    middles = [p.body[[11, 12, 23, 24], 0].mean() for p in (a, b)]
    return abs(float(middles[0] - middles[1])) > 0.2 * max(_size(a), _size(b))


def _worth(answer: Answer, answers: list[Answer]) -> float:
    """An answer's score, less where no other version of the picture confirms it."""
    credible = [a for a in answers if a.score >= CREDIBLE]
    if answer not in credible:
        return 0.0
    support = sum(alike(a.person, answer.person) for a in credible if a is not answer)
    # Beyond its score and company, the answer in the middle of its company is the one to trust.
    central = support / max(len(credible) - 1, 1)
    return answer.score * min(1.0, 0.5 + 0.25 * support) * (0.85 + 0.15 * central)


def alike(a: Person, b: Person) -> float:
    """1 for the same body, 0 for another one."""
    seen = (a.visibility > 0.4) | (b.visibility > 0.4)
    if seen.sum() < 6:
        return 0.0
    size = max(float(np.ptp(a.body[seen, :2], axis=0).max()), 1.0)
    off = np.linalg.norm(a.body[seen, :2] - b.body[seen, :2], axis=1) / size
    return float(np.clip((1 - np.median(off) / SAME) / 0.5, 0, 1) * np.clip(1.3 - off.mean() / SAME, 0.3, 1))


def _size(person: Person) -> float:
    seen = person.visibility > 0.4
    return float(np.ptp(person.body[seen, 1])) + 1.0 if seen.any() else 1.0
