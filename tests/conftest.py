"""Fixtures for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def media() -> Path:
    """The folder of real pictures and clips: ``UNDERSTUDY_MEDIA``, or ``../shared/media`` beside the repository.

    Without it a test is skipped; where ``CI`` is true it fails, so that a missing folder cannot pass for success.
    """
    chosen = os.environ.get("UNDERSTUDY_MEDIA")
    folder = Path(chosen) if chosen else Path(__file__).parents[2] / "shared" / "media"
    if folder.is_dir():
        return folder
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(f"The media folder is missing: {folder}. Set UNDERSTUDY_MEDIA.")
    pytest.skip(f"The media folder is missing: {folder}. Set UNDERSTUDY_MEDIA.")
