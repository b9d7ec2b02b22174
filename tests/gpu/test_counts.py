"""The script that counts operations and memory, on its tiny size; what it counts, against arithmetic."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from understudy.engines.diffusion.spec import SPECS, WAN_ANIMATE_2

sys.path.append(str(Path(__file__).parents[2] / "benchmarks" / "gpu"))
import count


def test_it_counts_a_segment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = replace(WAN_ANIMATE_2, segment_frames=9)
    monkeypatch.setattr(count, "SPEC", short)
    monkeypatch.setitem(SPECS, short.name, short)
    monkeypatch.setattr(sys, "argv", ["count.py", "--tiny", "--out", str(tmp_path)])
    count.main()
    assert "Counted, not measured." in capsys.readouterr().out
    counted = json.loads((tmp_path / "count.json").read_text())["rows"]
    rows = {(row["plan"], row["precision"]): row for row in counted}
    plain, small, narrow = rows["resident", "16"], rows["small-cache", "16"], rows["resident", "8"]
    # Keys and values of 2 layers, 64 wide, of 60 tokens, 16 bits against 8 and a scale for each channel.
    saved = (plain["cache_gib"] - small["cache_gib"]) * 2**30
    assert saved == 2 * 2 * 64 * (60 - 2)
    assert plain["tflop"] == small["tflop"] == narrow["tflop"]
    # In 8 bits: of 80 tokens six products 64 wide and two in the feed-forward part, of text and picture two each.
    products = 2 * 2 * 64 * 64 * (80 * 8 + 512 * 2 + 257 * 2)
    assert narrow["narrow_tflop"]["denoising step"] * 1e12 == products
    assert narrow["narrow_tflop"]["decoding"] == 0
    assert not any(plain["narrow_tflop"].values())
    # Matrices of a byte less for each number, and a scale for each channel.
    matrices = 2 * 12
    spared = (plain["weights_gib"]["transformer"] - narrow["weights_gib"]["transformer"]) * 2**30
    assert spared == pytest.approx(matrices * (64 * 64 - 4 * 64))
    assert rows["small-weights", "16"]["weights_gib"] == narrow["weights_gib"]
    assert narrow["peak_gib"]["denoising step"] == pytest.approx(plain["peak_gib"]["denoising step"], rel=0.2)
    assert set(plain["peak_gib"]) >= {"driving pass", "denoising step", "encoding", "decoding"}
    assert all(figure > 0 for figure in plain["tflop"].values())
    segments = short.segments(10 * 24)
    assert plain["pflop"] * 1e15 > segments * 9 * plain["tflop"]["denoising step"] * 1e12


def test_what_is_held_is_what_lives() -> None:
    held = count.Held()
    with held:
        one = torch.empty(1000, device="meta")
        two = one[:10] + 1  # a view holds nothing of its own
        assert held.now == 4000 + 40
        del one
        assert held.now == 40
        held.reset()
        two.add_(1)
        assert held.peak == 40
        torch.zeros(100)  # the machine's own memory is not the card's
        assert (held.now, held.peak) == (40, 40)


def test_floors_are_arithmetic() -> None:
    operations = {"text": 1, "picture": 1, "picture seen": 1, "encoding": 10, "denoising step": 100}
    whole = 3 + 3 * (10 + 100 + 9 * 100)
    assert count.clip(operations) == whole
    stages = count.Stages()
    stages.operations, stages.narrow, stages.scaled = operations, {"denoising step": 0}, {"denoising step": 0}
    assert count.floor(stages) == whole / 790e12
    stages.narrow, stages.scaled = {"denoising step": 60}, {"denoising step": 7}
    narrow, passed = 3 * 10 * 60, 3 * 10 * 7 * 9
    assert count.floor(stages) == pytest.approx((whole - narrow / 2) / 790e12 + passed / 4.8e12)
