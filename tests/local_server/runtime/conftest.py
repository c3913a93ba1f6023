"""Real models, loaded once each."""

import pytest
from cloudserve.local_server.runtime.session import load_model


@pytest.fixture(scope="module")
def models(shared_models):
    """Load each model once; give them by their path."""
    loaded = {}

    def load(path):
        if path not in loaded:
            loaded[path] = load_model(shared_models / path)
        return loaded[path]

    yield load
    for model in loaded.values():
        model.close()
