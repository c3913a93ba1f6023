"""The Provider contract as tests: deploy, promote, roll back and predict on a real endpoint."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from cloudserve.errors import RemoteError, UserError
from cloudserve.release.provider import Provider, UndeployProvider
from cloudserve.release.types import Action, Artifact, State
from cloudserve.testing.provider_steps import (
    deploy,
    live,
    locate,
    perform,
    plan,
    promote,
    put,
    removal,
)

# ruff: noqa: D102 - tests: a name is a sentence, and asserts are the point
MODEL = "half-plus"
BODY = b'{"instances": [1.0]}'


class ProviderContract:
    """Subclasses give the fixtures below; each test has a provider that knows of nothing.

    The two SavedModels serve one input: `first` answers x/2 + 2, `second` another number.
    """

    splits_traffic = True
    """Whether the platform can give a revision a part of the traffic."""
    asks_any_revision = True
    """Whether a prediction can name a revision that shares the traffic with others."""
    takes_down = True
    """Whether the adapter has `plan_undeploy`, which is optional."""

    @pytest.fixture
    def provider(self) -> Provider:
        raise NotImplementedError("give a Provider of an account and a bucket of its own")

    @pytest.fixture
    def first(self) -> Path:
        raise NotImplementedError("give a SavedModel directory that answers x/2 + 2")

    @pytest.fixture
    def second(self) -> Path:
        raise NotImplementedError("give another SavedModel directory with the same signature")

    @pytest.fixture
    def broken(self, tmp_path: Path) -> Path:
        """Give a directory that looks like a SavedModel and cannot be loaded."""
        folder = tmp_path / "broken"
        folder.mkdir()
        (folder / "saved_model.pb").write_bytes(b"\x08\x01 not a model")
        return folder

    def test_the_destination_names_the_cloud_and_stays_the_same(self, provider: Provider) -> None:
        destination = provider.destination()
        assert str(destination).startswith(f"{destination.cloud} · ")
        assert provider.destination().is_same(destination)

    def test_a_missing_model_is_an_empty_deployment(self, provider: Provider) -> None:
        deployment = provider.read(MODEL).deployment
        assert (deployment.model, deployment.revisions, dict(deployment.traffic)) == (MODEL, (), {})
        assert deployment.state is None

    def test_a_prediction_of_a_missing_model_is_an_error(self, provider: Provider) -> None:
        with pytest.raises(RemoteError):
            provider.predict(MODEL, BODY)

    def test_the_check_of_a_model_returns_sentences_and_creates_nothing(
        self, provider: Provider
    ) -> None:
        assert all(provider.check(Artifact("2.4.0", 10_000, 4)))
        assert provider.read(MODEL).deployment.revisions == ()

    def test_planning_changes_nothing(self, provider: Provider, first: Path) -> None:
        revision = put(provider, MODEL, 1, first)
        assert plan(provider, MODEL, revision) == plan(provider, MODEL, revision)
        assert provider.read(MODEL).deployment.revisions == ()

    def test_a_plan_is_data_with_unique_ids_and_sentences(
        self, provider: Provider, first: Path
    ) -> None:
        actions = plan(provider, MODEL, put(provider, MODEL, 1, first))
        assert actions
        assert len({action.id for action in actions}) == len(actions)
        assert all(action.sentence for action in actions)
        data = msgspec.json.encode(actions)
        assert msgspec.json.decode(data, type=tuple[Action, ...]) == actions

    def test_the_first_revision_gets_all_traffic_and_answers(
        self, provider: Provider, first: Path
    ) -> None:
        revision = deploy(provider, MODEL, 1, first)
        deployment = provider.read(MODEL).deployment
        assert [d.revision for d in deployment.revisions] == [revision]
        assert deployment.revisions[0].state is State.READY
        assert deployment.revisions[0].source.startswith(provider.blobs.url)
        assert (live(deployment), deployment.live) == ({revision.id: 1.0}, revision.id)
        assert deployment.state is State.READY
        answer = msgspec.json.decode(provider.predict(MODEL, b'{"instances": [1.0, 2.0]}'))
        assert answer == {"predictions": [2.5, 3.0]}

    def test_later_revisions_get_no_traffic_until_they_are_promoted(
        self, provider: Provider, first: Path, second: Path
    ) -> None:
        one, two = put(provider, MODEL, 1, first), put(provider, MODEL, 2, second)
        perform(provider, plan(provider, MODEL, one))
        perform(provider, plan(provider, MODEL, two))
        assert live(provider.read(MODEL).deployment) == {one.id: 1.0}
        old = provider.predict(MODEL, BODY, one.id)
        assert provider.predict(MODEL, BODY) == old
        if self.asks_any_revision:
            new = provider.predict(MODEL, BODY, two.id)
        else:
            with pytest.raises(UserError) as error:
                provider.predict(MODEL, BODY, two.id)
            assert error.value.hint

        promote(provider, MODEL, two)
        reading = provider.read(MODEL)
        assert live(reading.deployment) == {two.id: 1.0}
        if not self.asks_any_revision:
            new = provider.predict(MODEL, BODY, two.id)
        assert new != old
        assert provider.predict(MODEL, BODY) == new
        assert provider.plan_traffic(reading, two.id) == ()

        promote(provider, MODEL, one)
        assert live(provider.read(MODEL).deployment) == {one.id: 1.0}
        assert provider.predict(MODEL, BODY) == old

    def test_a_third_revision_leaves_the_live_one_alone_and_the_first_can_come_back(
        self, provider: Provider, first: Path, second: Path
    ) -> None:
        one, two = deploy(provider, MODEL, 1, first), deploy(provider, MODEL, 2, second)
        three = put(provider, MODEL, 3, first)
        promote(provider, MODEL, two)
        perform(provider, plan(provider, MODEL, three))
        deployment = provider.read(MODEL).deployment
        assert live(deployment) == {two.id: 1.0}
        assert {d.revision for d in deployment.revisions} == {one, two, three}
        promote(provider, MODEL, one)
        assert live(provider.read(MODEL).deployment) == {one.id: 1.0}
        answer = msgspec.json.decode(provider.predict(MODEL, BODY))
        assert answer == {"predictions": [2.5]}

    def test_traffic_is_shifted_by_percent_and_taken_back(
        self, provider: Provider, first: Path, second: Path
    ) -> None:
        one, two = deploy(provider, MODEL, 1, first), deploy(provider, MODEL, 2, second)
        three = put(provider, MODEL, 3, first)
        if not self.splits_traffic:
            with pytest.raises(UserError) as error:
                promote(provider, MODEL, two, 10)
            assert error.value.hint
            assert live(provider.read(MODEL).deployment) == {one.id: 1.0}
            return
        for percent in (10, 50):
            promote(provider, MODEL, two, percent)
            reading = provider.read(MODEL)
            assert live(reading.deployment) == {one.id: 1 - percent / 100, two.id: percent / 100}
            assert provider.plan_traffic(reading, two.id, percent) == ()
        answers = {provider.predict(MODEL, BODY) for _ in range(64)}
        assert len(answers) == len((one, two))  # one chance in 2 ** 63 to be wrong

        perform(provider, plan(provider, MODEL, three))
        assert live(provider.read(MODEL).deployment) == {one.id: 0.5, two.id: 0.5}
        promote(provider, MODEL, three, 20)
        assert live(provider.read(MODEL).deployment) == {one.id: 0.4, two.id: 0.4, three.id: 0.2}
        promote(provider, MODEL, one)
        assert live(provider.read(MODEL).deployment) == {one.id: 1.0}

    def test_a_plan_that_is_made_twice_is_the_same(
        self, provider: Provider, first: Path, second: Path
    ) -> None:
        one, two = put(provider, MODEL, 1, first), put(provider, MODEL, 2, second)
        assert plan(provider, MODEL, one) == plan(provider, MODEL, one)
        perform(provider, plan(provider, MODEL, one))
        assert plan(provider, MODEL, two) == plan(provider, MODEL, two)
        before = provider.read(MODEL).deployment
        perform(provider, plan(provider, MODEL, two))
        reading, again = provider.read(MODEL), provider.read(MODEL)
        fingerprint = reading.deployment.fingerprint
        assert before.fingerprint != fingerprint == again.deployment.fingerprint
        traffic = provider.plan_traffic(reading, two.id)
        assert traffic == provider.plan_traffic(again, two.id)

    def test_a_plan_is_made_of_its_reading_whatever_has_changed_since(
        self, provider: Provider, first: Path, second: Path
    ) -> None:
        deploy(provider, MODEL, 1, first)
        two = deploy(provider, MODEL, 2, second)
        three = put(provider, MODEL, 3, first)
        reading, location = provider.read(MODEL), locate(provider, MODEL, three)
        actions = provider.plan_deploy(reading, three, location)
        traffic = provider.plan_traffic(reading, two.id)
        perform(provider, traffic)
        assert provider.read(MODEL).deployment.fingerprint != reading.deployment.fingerprint
        assert provider.plan_deploy(reading, three, location) == actions
        assert provider.plan_traffic(reading, two.id) == traffic

    def test_a_deployed_revision_needs_no_action(self, provider: Provider, first: Path) -> None:
        revision = deploy(provider, MODEL, 1, first)
        assert plan(provider, MODEL, revision) == ()

    def test_every_action_may_be_performed_twice(
        self, provider: Provider, first: Path, second: Path
    ) -> None:
        one, two = put(provider, MODEL, 1, first), put(provider, MODEL, 2, second)
        for revision in (one, two):
            for action in plan(provider, MODEL, revision):
                perform(provider, (action, action))
        for action in provider.plan_traffic(provider.read(MODEL), two.id):
            perform(provider, (action, action))
        deployment = provider.read(MODEL).deployment
        assert {d.revision for d in deployment.revisions} == {one, two}
        assert live(deployment) == {two.id: 1.0}

    def test_an_interrupted_deployment_continues_from_any_step(
        self, provider: Provider, first: Path
    ) -> None:
        steps = len(plan(provider, "cut-0", put(provider, "cut-0", 1, first)))
        for done in range(steps):
            model = f"cut-{done}"
            revision = put(provider, model, 1, first)
            perform(provider, plan(provider, model, revision)[:done])
            perform(provider, plan(provider, model, revision))
            assert plan(provider, model, revision) == ()
            assert live(provider.read(model).deployment) == {revision.id: 1.0}

    def test_a_failed_first_revision_has_a_reason_and_is_replaced(
        self, provider: Provider, first: Path, broken: Path
    ) -> None:
        revision = put(provider, MODEL, 1, broken)
        with pytest.raises(RemoteError) as error:
            perform(provider, plan(provider, MODEL, revision))
        assert error.value.message
        assert error.value.hint
        failed = provider.read(MODEL).deployment.find(revision.id)
        assert failed is not None
        assert failed.state is State.FAILED
        assert failed.reason

        put(provider, MODEL, 1, first)
        perform(provider, plan(provider, MODEL, revision))
        deployment = provider.read(MODEL).deployment
        assert [d.state for d in deployment.revisions] == [State.READY]
        assert live(deployment) == {revision.id: 1.0}

    def test_a_revision_that_fails_leaves_the_live_one_serving(
        self, provider: Provider, first: Path, second: Path, broken: Path
    ) -> None:
        one = deploy(provider, MODEL, 1, first)
        two = put(provider, MODEL, 2, broken)
        with pytest.raises(RemoteError):
            perform(provider, plan(provider, MODEL, two))
        assert live(provider.read(MODEL).deployment) == {one.id: 1.0}
        assert provider.predict(MODEL, BODY)

        put(provider, MODEL, 2, second)
        perform(provider, plan(provider, MODEL, two))
        assert plan(provider, MODEL, two) == ()
        promote(provider, MODEL, two)
        assert live(provider.read(MODEL).deployment) == {two.id: 1.0}

    def test_another_digest_of_one_number_is_another_revision(
        self, provider: Provider, first: Path, second: Path
    ) -> None:
        old = put(provider, MODEL, 1, first)
        new = put(provider, MODEL, 1, second, salt="changed")
        perform(provider, plan(provider, MODEL, old))
        perform(provider, plan(provider, MODEL, new))
        deployment = provider.read(MODEL).deployment
        assert {d.revision for d in deployment.revisions} == {old, new}

    def test_models_of_one_account_are_apart(
        self, provider: Provider, first: Path, second: Path
    ) -> None:
        one, other = put(provider, "one", 1, first), put(provider, "one-more", 1, second)
        perform(provider, plan(provider, "one", one))
        assert provider.read("one-more").deployment.revisions == ()
        perform(provider, plan(provider, "one-more", other))
        assert len(provider.read("one").deployment.revisions) == 1
        assert provider.predict("one", BODY) != provider.predict("one-more", BODY)

    def test_a_prediction_that_the_model_refuses_is_an_error_with_its_reason(
        self, provider: Provider, first: Path
    ) -> None:
        deploy(provider, MODEL, 1, first)
        with pytest.raises(RemoteError) as error:
            provider.predict(MODEL, b'{"instances": ["text"]}')
        assert error.value.where
        assert len(error.value.message) > len("predict: ")

    def _skip_unless_it_takes_down(self, provider: Provider) -> None:
        if not self.takes_down:
            assert not isinstance(provider, UndeployProvider)
            pytest.skip("the adapter has no `plan_undeploy`")

    def test_a_revision_without_traffic_is_undeployed_and_can_come_back(
        self, provider: Provider, first: Path, second: Path
    ) -> None:
        self._skip_unless_it_takes_down(provider)
        one, two = deploy(provider, MODEL, 1, first), deploy(provider, MODEL, 2, second)
        perform(provider, removal(provider, MODEL, two))
        deployment = provider.read(MODEL).deployment
        assert [d.revision for d in deployment.revisions] == [one]
        assert live(deployment) == {one.id: 1.0}
        assert removal(provider, MODEL, two) == ()
        assert provider.predict(MODEL, BODY)

        perform(provider, plan(provider, MODEL, two))
        promote(provider, MODEL, two)
        assert live(provider.read(MODEL).deployment) == {two.id: 1.0}
        perform(provider, removal(provider, MODEL, one))
        assert [d.revision for d in provider.read(MODEL).deployment.revisions] == [two]

    def test_a_model_is_undeployed_as_a_whole_and_can_come_back(
        self, provider: Provider, first: Path, second: Path
    ) -> None:
        self._skip_unless_it_takes_down(provider)
        other = deploy(provider, "other", 1, first)
        one = deploy(provider, MODEL, 1, first)
        deploy(provider, MODEL, 2, second)
        actions = removal(provider, MODEL)
        assert actions == removal(provider, MODEL)
        assert len({action.id for action in actions}) == len(actions)
        for action in actions:
            perform(provider, (action, action))
        deployment = provider.read(MODEL).deployment
        assert (deployment.revisions, dict(deployment.traffic)) == ((), {})
        assert removal(provider, MODEL) == ()
        with pytest.raises(RemoteError):
            provider.predict(MODEL, BODY)
        assert live(provider.read("other").deployment) == {other.id: 1.0}
        assert provider.predict("other", BODY)

        perform(provider, plan(provider, MODEL, one))
        assert live(provider.read(MODEL).deployment) == {one.id: 1.0}
        answer = msgspec.json.decode(provider.predict(MODEL, BODY))
        assert answer == {"predictions": [2.5]}

    def test_an_interrupted_undeployment_continues_from_any_step(
        self, provider: Provider, first: Path, second: Path
    ) -> None:
        self._skip_unless_it_takes_down(provider)
        steps, done = 1, 0
        while done < steps:
            for number, source in ((1, first), (2, second)):
                deploy(provider, MODEL, number, source)
            actions = removal(provider, MODEL)
            steps = len(actions)
            perform(provider, actions[:done])
            perform(provider, removal(provider, MODEL))
            assert removal(provider, MODEL) == ()
            assert provider.read(MODEL).deployment.revisions == ()
            done += 1

    def test_a_missing_model_needs_no_undeployment(self, provider: Provider) -> None:
        self._skip_unless_it_takes_down(provider)
        assert removal(provider, MODEL) == ()

    def test_a_revision_that_failed_is_undeployed(
        self, provider: Provider, first: Path, broken: Path
    ) -> None:
        self._skip_unless_it_takes_down(provider)
        one, two = put(provider, MODEL, 1, first), put(provider, MODEL, 2, broken)
        perform(provider, plan(provider, MODEL, one))
        with pytest.raises(RemoteError):
            perform(provider, plan(provider, MODEL, two))
        perform(provider, removal(provider, MODEL, two))
        deployment = provider.read(MODEL).deployment
        assert [d.revision for d in deployment.revisions] == [one]
        assert live(deployment) == {one.id: 1.0}

    def test_an_unknown_action_is_refused(self, provider: Provider) -> None:
        with pytest.raises(UserError):
            perform(provider, [Action("no-such-kind", "do what nobody knows")])
