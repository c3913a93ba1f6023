"""One reading of botocore's service models for all tests here: each session reads them anew."""

from __future__ import annotations

import botocore.session
import pytest


@pytest.fixture(scope="package", autouse=True)
def shared_service_models():
    """Give every botocore session one loader, with its cache."""
    loader = botocore.session.create_loader(None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", lambda *_: loader)
        yield
