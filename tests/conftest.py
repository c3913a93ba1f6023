"""What all tests share: where the real models are."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED_MODELS = Path(__file__).resolve().parents[2] / "shared" / "models"


@pytest.fixture(scope="session")
def shared_models() -> Path:
    """Give the folder of real SavedModels, or skip where it is absent (a user's machine)."""
    if not SHARED_MODELS.is_dir():
        pytest.skip(f"the real SavedModels are not at {SHARED_MODELS}")
    return SHARED_MODELS
