"""Many models on one endpoint: archives below its prefix, and a catalog of what is live."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from dataclasses import replace

import pytest
from cloudserve.adapters.aws.sagemaker.multi_model.catalog import Catalog, Catalogs
from cloudserve.adapters.aws.sagemaker.provider import create
from hypothesis import given
from hypothesis import strategies as st

from cloudserve.errors import ConflictError, RemoteError, UserError
from cloudserve.predict.batch import Batch
from cloudserve.release.types import Revision, State
from cloudserve.storage.events import Reporter
from cloudserve.testing.provider_steps import live, perform, plan, promote, put
from tests.adapters.aws.conftest import deploy

BODY = b'{"instances": [1.0]}'
HANDLER = "def handler(data, context):\n    raise ValueError('no instances')\n"
ONE, TWO = Revision(1, "1" * 64), Revision(2, "2" * 64)


@pytest.fixture
def shared(target):
    """Give what makes a target whose models share the endpoint `all`."""
    return lambda **more: target(multi_model="all", **more)


def answer(provider, model, revision=None):
    return json.loads(provider.predict(model, BODY, revision and revision.id))["predictions"]


def test_a_named_projects_archives_and_catalog_are_below_its_name(described, clouds, half_plus_two):
    provider = create(replace(described(multi_model="all"), project="shop"), clouds)
    one = deploy(provider, 1, half_plus_two)
    folder = "cloudserve-multi/project.shop/all/"
    assert {blob.key for blob in provider.blobs.list("cloudserve-multi/")} == {
        f"{folder}models/half/{one.id}.tar.gz",
        f"{folder}catalog/half.json",
    }
    assert answer(provider, "half") == [2.5]


def test_the_second_model_adds_its_archive_and_changes_nothing_else(
    shared, client, half_plus_two, half_plus_three
):
    provider = shared()
    one = put(provider, "first", 1, half_plus_two)
    steps = plan(provider, "first", one)
    assert [step.kind for step in steps] == [
        "create-archive",
        "create-model",
        "create-endpoint-config",
        "create-endpoint",
        "load-model",
    ]
    assert steps[-1].sentence == f"have the endpoint all load first/{one.id}.tar.gz"
    perform(provider, steps)
    other = put(provider, "second", 1, half_plus_three)
    steps = plan(provider, "second", other)
    assert [step.kind for step in steps] == ["create-archive", "load-model"]
    perform(provider, steps)
    assert (answer(provider, "first"), answer(provider, "second")) == ([2.5], [3.5])
    sagemaker = client("sagemaker")
    assert [e["EndpointName"] for e in sagemaker.list_endpoints()["Endpoints"]] == ["all"]
    (name,) = [m["ModelName"] for m in sagemaker.list_models()["Models"]]
    container = sagemaker.describe_model(ModelName=name)["PrimaryContainer"]
    prefix = f"{provider.blobs.url}/cloudserve-multi/all/models/"
    assert (container["Mode"], container["ModelDataUrl"]) == ("MultiModel", prefix)
    assert container["Environment"] == {"SAGEMAKER_MULTI_MODEL": "true"}
    # A program names the revision itself.
    response = client("sagemaker-runtime").invoke_endpoint(
        EndpointName="all",
        TargetModel=f"second/{other.id}.tar.gz",
        ContentType="application/json",
        Body=BODY,
    )
    assert json.load(response["Body"]) == {"predictions": [3.5]}


def test_an_archive_has_the_version_and_the_code_at_its_top(shared, tmp_path, half_plus_two):
    folder = tmp_path / "model"
    shutil.copytree(half_plus_two, folder)
    (folder / "code").mkdir()
    (folder / "code" / "inference.py").write_text(
        "def handler(data, context):\n    return b'from the script', 'text/plain'\n"
    )
    provider = shared()
    one = deploy(provider, 7, folder)
    content, _ = provider.blobs.read(f"cloudserve-multi/all/models/half/{one.id}.tar.gz")
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as tar:
        names = set(tar.getnames())
    assert {"7/saved_model.pb", "code/inference.py"} < names
    assert provider.predict("half", BODY) == b"from the script"


def test_a_promotion_and_a_way_back_move_nothing_on_the_endpoint(
    shared, client, half_plus_two, half_plus_three
):
    provider = shared()
    one, two = deploy(provider, 1, half_plus_two), deploy(provider, 2, half_plus_three)
    before = client("sagemaker").describe_endpoint(EndpointName="all")["LastModifiedTime"]
    assert answer(provider, "half", two) == [3.5]
    (step,) = provider.plan_traffic(provider.read("half"), two.id)
    assert step.sentence == f"make {two.id} the live revision of half on all"
    assert step.undo == f"promote {one.id} again"
    for revision, expected in ((two, [3.5]), (one, [2.5])):
        promote(provider, "half", revision)
        assert answer(provider, "half") == expected
        assert live(provider.read("half").deployment) == {revision.id: 1.0}
    after = client("sagemaker").describe_endpoint(EndpointName="all")["LastModifiedTime"]
    assert before == after


def test_deployed_revisions_are_listed_with_their_location(shared, half_plus_two, half_plus_three):
    provider = shared()
    one, two = deploy(provider, 1, half_plus_two), deploy(provider, 2, half_plus_three)
    reading = provider.read("half")
    observed = reading.deployment
    assert (observed.endpoint, observed.state, dict(observed.traffic)) == (
        "all",
        State.READY,
        {one.id: 1.0, two.id: 0.0},
    )
    assert [d.source for d in observed.revisions] == [
        f"{provider.blobs.url}/cloudserve-multi/all/models/half/{revision.id}.tar.gz"
        for revision in (one, two)
    ]
    assert all(d.created for d in observed.revisions)


def test_another_container_is_for_all_models(shared, client, half_plus_two):
    one = deploy(shared(), 1, half_plus_two)
    changed = shared(instance_count=2, env={"SAGEMAKER_TFS_NGINX_LOGLEVEL": "info"})
    steps = plan(changed, "half", one)
    assert [step.kind for step in steps] == [
        "create-model",
        "create-endpoint-config",
        "update-endpoint",
    ]
    assert "2 x ml.m5.large for all models of the target" in steps[-1].sentence
    perform(changed, steps)
    assert plan(changed, "half", one) == ()
    assert answer(changed, "half") == [2.5]
    (result,) = client("sagemaker").describe_endpoint(EndpointName="all")["ProductionVariants"]
    assert result["CurrentInstanceCount"] == 2


def test_a_model_that_does_not_load_is_reported_and_not_live(shared, tmp_path, half_plus_two):
    provider = shared()
    one = deploy(provider, 1, half_plus_two)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "saved_model.pb").write_bytes(b"no model")
    with pytest.raises(RemoteError, match=r"does not load half/v2-\w+\.tar\.gz: ") as error:
        deploy(provider, 2, broken)
    assert "/opt/ml/models" in error.value.message or "Timed out" in error.value.message
    reading = provider.read("half")
    observed = reading.deployment
    assert live(observed) == {one.id: 1.0}
    assert [d.state for d in observed.revisions] == [State.READY, State.FAILED]
    failed = observed.revisions[1].revision
    with pytest.raises(ConflictError, match="is not on the endpoint all any more"):
        perform(provider, provider.plan_traffic(reading, failed.id))


@pytest.mark.parametrize(
    ("script", "loads"),
    [
        ("import no_such_module_at_all\n" + HANDLER, False),
        (HANDLER, True),
    ],
)
def test_a_script_that_raises_is_loaded_and_one_that_is_not_imported_is_not(
    shared, tmp_path, half_plus_two, script, loads
):
    folder = tmp_path / "model"
    shutil.copytree(half_plus_two, folder)
    (folder / "code").mkdir()
    (folder / "code" / "inference.py").write_text(script)
    provider = shared()
    if loads:
        one = deploy(provider, 1, folder)
        assert live(provider.read("half").deployment) == {one.id: 1.0}
        return
    with pytest.raises(RemoteError, match="does not load half/v1-"):
        deploy(provider, 1, folder)
    assert live(provider.read("half").deployment) == {}


def test_an_endpoint_of_that_name_that_is_not_ours_is_a_conflict(target, shared, half_plus_two):
    deploy(target(), 1, half_plus_two, "all")
    with pytest.raises(ConflictError, match="the endpoint all belongs to the model `all`"):
        shared().read("half")


def test_missing_resources_are_reported(shared, half_plus_two):
    provider = shared()
    with pytest.raises(RemoteError, match="nothing of half is live") as error:
        provider.predict("half", BODY)
    assert error.value.hint == "cloudserve deploy half --target aws"
    one = deploy(provider, 1, half_plus_two)
    with pytest.raises(UserError, match="v9-0 is not on the endpoint all") as error:
        provider.predict("half", BODY, "v9-0")
    assert error.value.hint == f"there: {one.id}"
    with pytest.raises(UserError, match="has no batch transform") as error:
        provider.batch("half", one.id, Batch((), "s3://b/out"), Reporter(print))
    assert "`archive: true`" in error.value.hint


def test_a_catalog_that_cannot_be_read_is_a_conflict(shared):
    provider = shared()
    provider.blobs.ensure(Reporter(print))
    provider.blobs.write("cloudserve-multi/all/catalog/half.json", b'{"live": 5}')
    with pytest.raises(ConflictError, match="the catalog of half cannot be read") as error:
        provider.read("half")
    assert error.value.where.endswith("/cloudserve-multi/all/catalog/half.json")


class Overtaken:
    """A bucket in which somebody else writes before the first writes of ours."""

    def __init__(self, blobs, times, theirs):
        self._blobs = blobs
        self._left = times
        self._theirs = theirs

    def __getattr__(self, name):
        return getattr(self._blobs, name)

    def write(self, key, data, expect):
        if self._left:
            self._left -= 1
            self._theirs(self._left)
        return self._blobs.write(key, data, expect)


@pytest.mark.parametrize(("times", "arrives"), [(1, True), (4, True), (5, False)])
def test_two_changes_of_a_catalog_at_once_are_both_made(shared, times, arrives):
    blobs = shared().blobs
    blobs.ensure(Reporter(print))
    others = Catalogs(blobs, "all")

    def meddle(number):
        other = Revision(number + 10, f"{number}" * 64)
        others.change("half", lambda catalog: catalog.tried(other, ""))

    ours = Catalogs(Overtaken(blobs, times, meddle), "all")
    if not arrives:
        with pytest.raises(ConflictError):
            ours.change("half", lambda catalog: catalog.tried(ONE, ""))
        return
    ours.change("half", lambda catalog: catalog.tried(ONE, ""))
    result = others.read("half")
    assert len(result.revisions) == times + 1
    assert result.find(ONE)


TRIES = st.lists(st.tuples(st.sampled_from([ONE, TWO]), st.sampled_from(["", "no memory"])))


@given(TRIES)
def test_the_first_that_loads_is_live_and_stays_so(tries):
    catalog = Catalog()
    for revision, reason in tries:
        catalog = catalog.tried(revision, reason)
    loaded = [revision.id for revision, reason in tries if not reason]
    assert catalog.live == (loaded[0] if loaded else "")
    assert catalog.promoted(TWO.id).live == TWO.id
    assert Catalog().find(ONE) is None


def test_the_shared_endpoint_is_scaled_by_the_requests_to_all_its_models(
    shared, client, half_plus_two, half_plus_three
):
    scaled = {"autoscaling": {"min": 1, "max": 3, "invocations_per_instance": 90}}
    provider = shared(**scaled)
    one = put(provider, "first", 1, half_plus_two)
    steps = plan(provider, "first", one)
    assert [step.kind for step in steps][-2:] == ["register-scaling", "load-model"]
    perform(provider, steps)

    def registered():
        answer = client("application-autoscaling").describe_scalable_targets(
            ServiceNamespace="sagemaker"
        )
        return [(t["ResourceId"], t["MaxCapacity"]) for t in answer["ScalableTargets"]]

    assert registered() == [("endpoint/all/variant/AllTraffic", 3)]
    other = put(provider, "second", 1, half_plus_three)
    assert [s.kind for s in plan(provider, "second", other)] == ["create-archive", "load-model"]
    assert [s.kind for s in plan(shared(), "first", one)] == ["deregister-scaling"]
    removal = provider.plan_undeploy(provider.read("first"), None)
    kinds = [step.kind for step in removal]
    assert kinds.index("deregister-scaling") < kinds.index("delete-shared-endpoint")
    perform(provider, removal)
    assert registered() == []


def test_extra_fields_of_a_shared_endpoint_reach_its_requests_and_changes_are_planned(
    shared, client, half_plus_two
):
    cache = {"PrimaryContainer": {"MultiModelConfig": {"ModelCacheSetting": "Disabled"}}}
    routing = {"RoutingConfig": {"RoutingStrategy": "RANDOM"}}
    fields = {"extra": {"create_model": cache, "production_variant": routing}}
    provider = shared(**fields)
    one = deploy(provider, 1, half_plus_two)
    sagemaker = client("sagemaker")
    endpoint = sagemaker.describe_endpoint(EndpointName="all")
    config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    (variant,) = config["ProductionVariants"]
    assert variant["RoutingConfig"] == routing["RoutingConfig"]
    model = sagemaker.describe_model(ModelName=variant["ModelName"])
    assert model["PrimaryContainer"]["MultiModelConfig"] == {"ModelCacheSetting": "Disabled"}
    assert plan(provider, "half", one) == ()
    assert provider.settings(provider.read("half")) == ()
    (create, *_) = plan(shared(), "half", one)
    assert create.kind == "create-model"
    assert (
        "MultiModelConfig.ModelCacheSetting of `extra`"
        in plan(shared(extra={"create_model": cache}), "half", one)[0].sentence
    )
