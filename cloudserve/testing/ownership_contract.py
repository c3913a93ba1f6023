"""The ownership contract as tests: a target never changes another owner's resources."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cloudserve.errors import ConflictError
from cloudserve.release.provider import Locking, Provider
from cloudserve.release.types import Revision
from cloudserve.testing.provider_contract import MODEL
from cloudserve.testing.provider_steps import deploy, live, perform, plan, promote, put

# ruff: noqa: D102 - tests: a name is a sentence, and asserts are the point
BODY = b'{"instances": [1.0]}'


class OwnershipContract:
    """Subclasses give the fixtures below: providers of one account that knows of nothing yet.

    `first` and `second` are two SavedModels of one signature with different answers.
    """

    @pytest.fixture
    def mine(self) -> Provider:
        raise NotImplementedError("give the provider of a target named `mine`")

    @pytest.fixture
    def theirs(self) -> Provider:
        raise NotImplementedError("give another target's, with a bucket of its own and my names")

    @pytest.fixture
    def apart(self) -> Provider:
        raise NotImplementedError("give the same target's as `theirs`, with names of its own")

    @pytest.fixture
    def first(self) -> Path:
        raise NotImplementedError("give a SavedModel directory")

    @pytest.fixture
    def second(self) -> Path:
        raise NotImplementedError("give another SavedModel directory with the same signature")

    def test_an_endpoint_of_another_target_is_refused_with_its_owner(
        self, mine: Provider, theirs: Provider, first: Path
    ) -> None:
        deploy(mine, MODEL, 1, first)
        before = mine.read(MODEL).deployment
        with pytest.raises(ConflictError, match="mine") as error:
            theirs.read(MODEL)
        assert error.value.hint
        with pytest.raises(ConflictError, match="mine"):
            theirs.predict(MODEL, BODY)
        assert mine.read(MODEL).deployment == before

    def test_a_plan_of_another_target_does_not_touch_it(
        self, mine: Provider, theirs: Provider, first: Path, second: Path
    ) -> None:
        two = put(theirs, MODEL, 1, second)
        actions = plan(theirs, MODEL, two)  # planned while nothing existed
        deploy(mine, MODEL, 1, first)
        before, answer = mine.read(MODEL).deployment, mine.predict(MODEL, BODY)
        with pytest.raises(ConflictError):
            perform(theirs, actions)
        assert (mine.read(MODEL).deployment, mine.predict(MODEL, BODY)) == (before, answer)

    def test_targets_with_names_of_their_own_are_apart(
        self, mine: Provider, apart: Provider, first: Path, second: Path
    ) -> None:
        one = deploy(mine, MODEL, 1, first)
        before, answer = mine.read(MODEL).deployment, mine.predict(MODEL, BODY)
        assert apart.read(MODEL).deployment.revisions == ()
        for step in _releases(apart, first, second):
            step()
            assert (mine.read(MODEL).deployment, mine.predict(MODEL, BODY)) == (before, answer)
        assert live(mine.read(MODEL).deployment) == {one.id: 1.0}

    def test_a_lock_is_the_endpoints(
        self, mine: Provider, theirs: Provider, apart: Provider
    ) -> None:
        if not isinstance(mine, Locking):
            pytest.skip("the provider does not say what its lock protects")
        assert isinstance(theirs, Locking)
        assert isinstance(apart, Locking)
        assert mine.lock_name(MODEL) == theirs.lock_name(MODEL) != apart.lock_name(MODEL)
        assert mine.lock_name(MODEL) != mine.lock_name("another")


def _releases(provider: Provider, first: Path, second: Path) -> Iterator[Callable[[], None]]:
    """Yield the steps of a target: deploy two versions, promote, roll back."""
    one, two = put(provider, MODEL, 1, second), put(provider, MODEL, 2, first)
    yield lambda: _deploy(provider, one)
    yield lambda: _deploy(provider, two)
    yield lambda: promote(provider, MODEL, two)
    yield lambda: promote(provider, MODEL, one)


def _deploy(provider: Provider, revision: Revision) -> None:
    perform(provider, plan(provider, MODEL, revision))
