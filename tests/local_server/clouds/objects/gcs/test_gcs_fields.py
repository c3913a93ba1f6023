"""Every field, parameter and header of Cloud Storage's calls: kept and returned, or refused."""

from __future__ import annotations

import json
from pathlib import Path

import googleapiclient.discovery_cache
import pytest
import requests
from cloudserve.local_server.clouds.objects.gcs import fields
from cloudserve.local_server.clouds.objects.gcs.app import ROUTES
from cloudserve.local_server.clouds.objects.gcs.locations import LOCATIONS
from google.api_core.exceptions import (
    BadRequest,
    NotModified,
    PreconditionFailed,
)
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

FOLDER = Path(googleapiclient.discovery_cache.__file__).parent / "documents"
DOCUMENT = json.loads((FOLDER / "storage.v1.json").read_bytes())
SET = {"acl": [{"entity": "allUsers"}]}
"""Values of some fields; any other than an empty one will do for the rest."""
CONDITIONS = {
    f"if{of}{what}{not_}Match"
    for of in ("", "Source")
    for what in ("Generation", "Metageneration")
    for not_ in ("", "Not")
}
HEEDED = CONDITIONS | {
    "contentEncoding", "delimiter", "endOffset", "generation", "includeTrailingDelimiter",
    "matchGlob", "maxResults", "name", "optionsRequestedPolicyVersion", "pageToken", "prefix",
    "softDeleted", "project", "sourceGeneration", "startOffset",
    # Of buckets without ACLs, and that nobody is billed for.
    "projection", "userProject", "versions",
}  # fmt: skip
ACLS = {"predefinedAcl": "projectPrivate", "predefinedDefaultObjectAcl": "bucketOwnerRead"}
METHODS = [*dict.fromkeys(name for _, _, name, _ in ROUTES), "objects.insert"]
TARGETS = {
    "buckets.list": ("GET", "/storage/v1/b?project=p"),
    "buckets.insert": ("POST", "/storage/v1/b?project=p"),
    "buckets.get": ("GET", "/storage/v1/b/bkt"),
    "buckets.patch": ("PATCH", "/storage/v1/b/bkt"),
    "buckets.update": ("PUT", "/storage/v1/b/bkt"),
    "buckets.delete": ("DELETE", "/storage/v1/b/bkt"),
    "objects.list": ("GET", "/storage/v1/b/bkt/o"),
    "objects.get": ("GET", "/storage/v1/b/bkt/o/k"),
    "objects.insert": ("POST", "/upload/storage/v1/b/bkt/o?uploadType=resumable&name=new"),
    "objects.patch": ("PATCH", "/storage/v1/b/bkt/o/k"),
    "objects.update": ("PUT", "/storage/v1/b/bkt/o/k"),
    "objects.delete": ("DELETE", "/storage/v1/b/bkt/o/k"),
    "objects.compose": ("POST", "/storage/v1/b/bkt/o/k/compose"),
    "objects.rewrite": ("POST", "/storage/v1/b/bkt/o/k/rewriteTo/b/bkt/o/m"),
    "objects.copy": ("POST", "/storage/v1/b/bkt/o/k/copyTo/b/bkt/o/m"),
    "objects.move": ("POST", "/storage/v1/b/bkt/o/k/moveTo/o/m"),
    "objects.restore": ("POST", "/storage/v1/b/bkt/o/k/restore"),
    "buckets.getIamPolicy": ("GET", "/storage/v1/b/bkt/iam"),
    "buckets.setIamPolicy": ("PUT", "/storage/v1/b/bkt/iam"),
    "buckets.getStorageLayout": ("GET", "/storage/v1/b/bkt/storageLayout"),
}
WITH_BUCKET = ["buckets.insert", "buckets.patch", "buckets.update"]
WITH_OBJECT = [
    "objects.insert",
    "objects.patch",
    "objects.update",
    "objects.rewrite",
    "objects.copy",
]


def test_the_regions_of_the_api_are_locations():
    regions = {each["location"].upper() for each in DOCUMENT.get("endpoints", ())}
    assert regions <= LOCATIONS


@pytest.fixture(scope="module")
def gcs(gcs_port):
    client = storage.Client(
        project="p",
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": f"http://127.0.0.1:{gcs_port}"},
    )
    yield client
    client.close()


@pytest.fixture(scope="module")
def bucket(gcs):
    made = gcs.create_bucket("bkt")
    made.blob("k").upload_from_string("hello")
    return made


@pytest.fixture(scope="module")
def call(bucket, gcs_port):
    """Give a function that sends a call and returns status and the error's message."""
    session = requests.Session()

    def send(method, body=None, query="", headers=None):
        verb, target = TARGETS[method]
        url = f"http://127.0.0.1:{gcs_port}{target}"
        url += f"{'&' if '?' in url else '?'}{query}" if query else ""
        answer = session.request(verb, url, json=body, headers=headers, timeout=30)
        error = answer.json().get("error") if answer.content else None
        return answer.status_code, error["message"] if error else ""

    yield send
    session.close()


def properties(schema):
    return set(DOCUMENT["schemas"][schema]["properties"])


def parameters(method):
    resource, _, name = method.partition(".")
    declared = DOCUMENT["resources"][resource]["methods"][name]["parameters"]
    return {name for name, spec in declared.items() if spec["location"] == "query"}


def test_the_tables_are_those_of_the_discovery_document():
    bucket = fields.BUCKET_FIELDS, fields.BUCKET_REFUSED, fields.BUCKET_OUTPUT
    entry = fields.OBJECT_FIELDS, fields.OBJECT_REFUSED, fields.OBJECT_OUTPUT
    for schema, tables in (("Bucket", bucket), ("Object", entry)):
        assert set().union(*tables) == properties(schema)
        assert sum(map(len, tables)) == len(properties(schema))
    known = fields.COMPOSE_FIELDS | fields.COMPOSE_REFUSED | {"kind"}
    assert known == properties("ComposeRequest")


@pytest.mark.parametrize("method", METHODS)
def test_every_parameter_is_heeded_or_refused(method):
    refused = fields.QUERY_REFUSED.get(method, frozenset())
    assert refused <= parameters(method)
    heeded = HEEDED | ACLS.keys() if method == "buckets.insert" else HEEDED
    assert parameters(method) - refused <= heeded


def test_a_new_bucket_takes_the_acls_that_let_no_other_project_in(call):
    query = "&".join(f"{name}={acl}" for name, acl in ACLS.items())
    assert call("buckets.insert", {"name": "with-acls"}, query) == (200, "")


@pytest.mark.parametrize("name", ACLS)
def test_a_new_bucket_for_everybody_is_refused_by_name(call, name):
    answer = call("buckets.insert", {"name": "public"}, f"{name}=publicRead")
    assert answer == (501, f"Not implemented: {name}=publicRead")


@pytest.mark.parametrize("name", ACLS)
def test_a_bucket_with_uniform_access_takes_no_acl(call, name):
    uniform = {"iamConfiguration": {"uniformBucketLevelAccess": {"enabled": True}}}
    status, message = call("buckets.insert", {"name": "even"} | uniform, f"{name}={ACLS[name]}")
    assert status == 400
    assert name in message


@pytest.mark.parametrize(
    ("method", "name"),
    [(method, name) for method, names in fields.QUERY_REFUSED.items() for name in sorted(names)],
)
def test_a_parameter_that_is_not_implemented_is_refused_by_name(call, method, name):
    answer = call(method, query=f"{name}=true")
    assert answer == (501, f"Not implemented: the parameter {name}")


@pytest.mark.parametrize("method", WITH_BUCKET)
@pytest.mark.parametrize("name", sorted(fields.BUCKET_REFUSED))
def test_a_buckets_field_that_is_not_kept_is_refused_by_name(call, method, name):
    body = {"name": "another", name: SET.get(name, "x")}
    assert call(method, body) == (501, f"Not implemented: the field {name}")


@pytest.mark.parametrize("method", WITH_OBJECT)
@pytest.mark.parametrize("name", sorted(fields.OBJECT_REFUSED))
def test_an_objects_field_that_is_not_kept_is_refused_by_name(call, method, name):
    assert call(method, {name: SET.get(name, "x")}) == (501, f"Not implemented: the field {name}")
    composed = {"sourceObjects": [{"name": "k"}], "destination": {name: SET.get(name, "x")}}
    assert call("objects.compose", composed) == (501, f"Not implemented: the field {name}")


@pytest.mark.parametrize("method", [*WITH_BUCKET, *WITH_OBJECT, "objects.compose"])
def test_an_unknown_field_is_refused_by_name(call, method):
    answer = call(method, {"nonsense": 1})
    assert answer == (400, "Unknown name 'nonsense': Cannot find field.")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["x-goog-acl", "x-goog-object-lock"])
def test_a_header_that_is_not_heeded_is_refused_by_name(call, method, name):
    assert call(method, headers={name: "x"}) == (501, f"Not implemented: the header {name}")


def test_fields_that_say_how_it_is_anyhow_are_taken(call):
    unset = {
        "name": "unset",
        "versioning": {"enabled": False},
        "billing": {"requesterPays": False},
        "acl": [],
        "website": None,
    }
    assert call("buckets.insert", unset) == (200, "")


class TestBuckets:
    def test_stored_fields_are_returned(self, gcs):
        made = gcs.bucket("kept")
        made.labels = {"team": "vision"}
        made.storage_class = "NEARLINE"
        made.add_lifecycle_delete_rule(age=30)
        made.iam_configuration.uniform_bucket_level_access_enabled = True
        made.iam_configuration.public_access_prevention = "enforced"
        made.create(location="EUROPE-WEST1")
        got = gcs.get_bucket("kept")
        assert (got.labels, got.storage_class) == ({"team": "vision"}, "NEARLINE")
        assert got.location == "EUROPE-WEST1"
        rule = {"action": {"type": "Delete"}, "condition": {"age": 30}}
        assert [dict(each) for each in got.lifecycle_rules] == [rule]
        access = got.iam_configuration
        assert access.uniform_bucket_level_access_enabled
        assert access.public_access_prevention == "enforced"
        got.blob("new").upload_from_string("x")
        assert got.get_blob("new").storage_class == "NEARLINE"

    def test_a_patch_merges_and_counts(self, gcs):
        made = gcs.create_bucket("patched")
        made.labels = {"a": "1", "b": "2"}
        made.patch(if_metageneration_match=1)
        got = gcs.get_bucket("patched")
        del (labels := got.labels)["a"]
        got.labels = labels
        got.patch()
        fresh = gcs.get_bucket("patched")
        assert (fresh.labels, fresh.metageneration) == ({"b": "2"}, 3)
        with pytest.raises(PreconditionFailed):
            fresh.patch(if_metageneration_match=1)
        with pytest.raises(NotModified):
            fresh.reload(if_metageneration_not_match=3)
        fresh.update()
        assert gcs.get_bucket("patched").labels == {"b": "2"}

    @pytest.mark.parametrize(
        "change",
        [
            {"labels": {"Upper": "x"}},
            {"labels": {"k": "V"}},
            {"labels": {"k": 1}},
            {"labels": {f"k{number}": "v" for number in range(65)}},
            {"labels": "x"},
            {"storageClass": "FROZEN"},
            {"lifecycle": {"rule": [{"action": {"type": "Burn"}, "condition": {}}]}},
            {"lifecycle": {"rules": []}},
            {"iamConfiguration": {"publicAccessPrevention": "maybe"}},
            {"iamConfiguration": {"nonsense": True}},
            {"location": "ASIA"},
            {"name": "other"},
            {"versioning": {"enabled": "yes"}},
            {"softDeletePolicy": {"retentionDurationSeconds": "60"}},
            {"retentionPolicy": {"retentionPeriod": "0"}},
            {"retentionPolicy": {}},
            {"defaultEventBasedHold": "yes"},
            {"cors": [{"origins": ["*"]}]},
            {"cors": "x"},
        ],
        ids=str,
    )
    def test_wrong_values_are_refused_and_change_nothing(self, call, bucket, change):
        before = bucket.client.get_bucket("bkt").metageneration
        assert call("buckets.patch", change)[0] == 400
        assert bucket.client.get_bucket("bkt").metageneration == before

    def test_they_are_listed_in_pages(self, gcs, call):
        for name in ("page-a", "page-b", "page-c"):
            gcs.create_bucket(name)
        pages = gcs.list_buckets(prefix="page-", max_results=None, page_size=2).pages
        assert [[each.name for each in page] for page in pages] == [
            ["page-a", "page-b"],
            ["page-c"],
        ]


class TestObjects:
    def test_stored_fields_are_returned(self, bucket):
        kept = {
            "cacheControl": "no-store",
            "contentDisposition": "inline",
            "contentEncoding": "br",
            "contentLanguage": "de",
            "contentType": "text/plain",
            "customTime": "2026-01-01T00:00:00Z",
            "metadata": {"k": "v"},
            "storageClass": "COLDLINE",
        }
        blob = bucket.blob("kept")
        blob._properties.update(kept)
        for name in kept:
            blob._changes.add(name)
        blob.upload_from_string("hello", content_type="text/plain")
        got = bucket.get_blob("kept")
        assert {name: got._properties[name] for name in kept} == kept

    def test_a_rewrite_changes_the_storage_class_and_a_patch_does_not(self, bucket):
        blob = bucket.blob("classy")
        blob.upload_from_string("hello")
        blob.update_storage_class("ARCHIVE")
        assert bucket.get_blob("classy").storage_class == "ARCHIVE"
        blob.storage_class = "STANDARD"
        with pytest.raises(BadRequest, match="rewriting"):
            blob.patch()

    def test_a_custom_time_only_moves_forward(self, call):
        for time, status in (("2026-01-02T00:00:00Z", 200), ("2026-01-01T00:00:00Z", 400)):
            assert call("objects.patch", {"customTime": time})[0] == status
        assert call("objects.patch", {"customTime": None})[0] == 400
        assert call("objects.patch", {"customTime": "yesterday"})[0] == 400

    @pytest.mark.parametrize("name", ["customTime", "temporaryHold", "eventBasedHold"])
    @pytest.mark.parametrize("value", [[], {}, 7, "x"], ids=str)
    def test_a_value_of_another_type_is_refused(self, call, name, value):
        assert call("objects.patch", {name: value})[0] == 400

    def test_versions_of_a_bucket_without_versioning_are_the_live_ones(self, bucket):
        for content in ("one", "two"):
            bucket.blob("versioned").upload_from_string(content)
        (listed,) = bucket.client.list_blobs("bkt", prefix="versioned", versions=True)
        assert listed.download_as_bytes() == b"two"

    def test_the_querys_content_encoding_is_kept(self, call, bucket, gcs_port):
        url = f"http://127.0.0.1:{gcs_port}/upload/storage/v1/b/bkt/o"
        query = {"uploadType": "media", "name": "encoded", "contentEncoding": "br"}
        requests.post(url, b"x", params=query, timeout=30).raise_for_status()
        assert bucket.get_blob("encoded").content_encoding == "br"
