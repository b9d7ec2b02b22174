"""A finished task's video as the database keeps it."""

from __future__ import annotations

from dataclasses import replace

from kling_examples import OUTPUT

from understudy.tasks.task import Output


def test_an_output_comes_back_as_it_was() -> None:
    with_cover = replace(OUTPUT, cover_key="results/9007199254740991/1/cover.jpg")
    assert Output.from_json(with_cover.to_json()) == with_cover


def test_what_an_earlier_version_kept_has_no_cover() -> None:
    kept = OUTPUT.to_json()
    del kept["cover_key"]
    assert Output.from_json(kept) == OUTPUT
    assert OUTPUT.cover_key is None
