"""Cloud Logging with googleapiclient: entries that a client writes, and pages of them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest
from cloudserve.local_server.clouds.google.logging import store as store_module
from cloudserve.local_server.clouds.google.logging.store import EntryStore
from cloudserve.local_server.clouds.pages import encode_token
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError
from hypothesis import given, settings
from hypothesis import strategies as st

RESOURCE = {"type": "global", "labels": {"project_id": "p"}}


@pytest.fixture(scope="session")
def logging(clouds):
    service = build(
        "logging",
        "v2",
        static_discovery=True,
        credentials=AnonymousCredentials(),
        client_options=ClientOptions(api_endpoint=clouds.url),
    )
    yield service
    service.close()


def write(logging, project, *texts, **more):
    entries = [
        {"textPayload": text, "timestamp": f"2026-11-30T09:00:{i:02}.5Z"}
        for i, text in enumerate(texts)
    ]
    body = {"logName": f"projects/{project}/logs/mine", "resource": RESOURCE, "entries": entries}
    return logging.entries().write(body=body | more).execute()


def read(logging, project, filter_="", **more):
    """Return the texts of all pages."""
    body = {"resourceNames": [f"projects/{project}"], "filter": filter_, **more}
    request, texts = logging.entries().list(body=body), []
    while request is not None:
        answer = request.execute()
        texts += [entry["textPayload"] for entry in answer.get("entries", ())]
        request = logging.entries().list_next(request, answer)
    return texts


def refused(request):
    with pytest.raises(HttpError) as caught:
        request.execute()
    error = json.loads(caught.value.content)["error"]
    return error["status"], error["message"]


def test_entries_are_kept_by_project_and_time(logging, fresh):
    assert write(logging, fresh, "b", "c") == {}
    write(logging, fresh, "a", entries=[{"textPayload": "a", "timestamp": "2026-11-30T08:00:00Z"}])
    write(logging, f"{fresh}-other", "x")
    assert read(logging, fresh) == ["a", "b", "c"]
    assert read(logging, fresh, orderBy="timestamp desc") == ["c", "b", "a"]
    assert read(logging, fresh, 'timestamp>="2026-11-30T09:00:01Z"') == ["c"]
    body = {"resourceNames": [f"projects/{fresh}"]}
    (entry, *_) = logging.entries().list(body=body).execute()["entries"]
    assert entry["resource"] == RESOURCE
    assert (entry["severity"], bool(entry["insertId"])) == ("DEFAULT", True)
    logs = logging.projects().logs().list(parent=f"projects/{fresh}").execute()
    assert logs == {"logNames": [f"projects/{fresh}/logs/mine"]}


@settings(max_examples=15)
@given(st.integers(1, 7), st.booleans())
def test_pages_of_any_size_join_to_the_whole(logging, size, descending):
    texts = [str(i) for i in range(10)]
    if not read(logging, "paged"):
        write(logging, "paged", *texts)
    order = "timestamp desc" if descending else "timestamp asc"
    found = read(logging, "paged", orderBy=order, pageSize=size)
    assert found == (texts[::-1] if descending else texts)


def test_the_requests_defaults_are_of_each_entry(logging, fresh):
    entries = [{"jsonPayload": {"message": "m"}, "severity": "ERROR", "labels": {"a": "own"}}]
    write(logging, fresh, entries=entries, labels={"a": "default", "b": "default"})
    (entry,) = logging.entries().list(body={"projectIds": [fresh]}).execute()["entries"]
    assert entry["labels"] == {"a": "own", "b": "default"}
    assert entry["timestamp"] == entry["receiveTimestamp"]


def test_a_dry_run_keeps_nothing(logging, fresh):
    write(logging, fresh, "a", dryRun=True)
    assert read(logging, fresh) == []


def test_the_size_of_an_entry_has_no_escapes(logging, fresh):
    write(logging, fresh, "\n" * 200 * 1024)
    assert len(read(logging, fresh)) == 1


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({}, "needs one payload"),
        ({"textPayload": "a", "jsonPayload": {}}, "needs one payload"),
        ({"textPayload": "a", "resource": None, "logName": "folders/f/logs/l"}, "not a log of"),
        ({"textPayload": "a", "logName": "projects/p/logs/two words"}, "is not a log of"),
        ({"textPayload": "a", "logName": f"projects/p/logs/{'l' * 512}"}, "is not a log of"),
        ({"textPayload": "a" * 300 * 1024}, "size 300.0K exceeds maximum size of 256.0K"),
        ({"textPayload": "a" * 3 * 2**20}, "size 3.00M exceeds maximum size of 256.0K"),
        ({"textPayload": "a", "timestamp": "today"}, "is not a timestamp"),
        ({"textPayload": "a", "severity": "LOUD"}, "LOUD"),
    ],
)
def test_wrong_entries_are_refused_and_none_is_kept(logging, fresh, entry, reason):
    body = {
        "logName": f"projects/{fresh}/logs/l",
        "resource": RESOURCE,
        "entries": [{"textPayload": "fine"}, entry],
    }
    status, message = refused(logging.entries().write(body=body))
    assert (status, reason in message) == ("INVALID_ARGUMENT", True), message
    assert read(logging, fresh) == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({}, "resource_names must have at least one name"),
        ({"resourceNames": ["folders/1"]}, 'Logs of "folders/1" are not available offline'),
        ({"resourceNames": ["projects/a", "projects/b"]}, "several resource names"),
        ({"projectIds": ["p"], "filter": "severity=LOUD"}, "Unparsable filter"),
        ({"projectIds": ["p"], "orderBy": "severity"}, '"severity" is not a valid order_by'),
        ({"projectIds": ["p"], "pageToken": "x"}, "page_token is invalid"),
        ({"projectIds": ["p"], "pageSize": -1}, "must not be negative"),
    ],
)
def test_wrong_requests_are_refused(logging, body, reason):
    status, message = refused(logging.entries().list(body=body))
    assert (status, reason in message) == ("INVALID_ARGUMENT", True), message


def test_other_methods_are_refused_by_name(logging):
    request = logging.projects().logs().delete(logName="projects/p/logs/l")
    assert refused(request) == (
        "UNIMPLEMENTED",
        "logs.delete is not available offline.",
    )


def test_a_project_keeps_its_last_entries(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "MOST_ENTRIES", 30)
    monkeypatch.setattr(store_module, "_BETWEEN_TRIMS", 10)
    store = EntryStore(tmp_path / "logging.db")
    for i in range(100):
        store.add("p", [{"timestamp": f"{i:03}"}])
    kept = [place[0] for place, _ in store.entries("p", "", None, descending=False)]
    assert kept == [f"{i:03}" for i in range(70, 100)]
    store.close()
    store.add("p", [{"timestamp": "late"}])


def test_wrong_times_and_tokens_are_invalid_arguments(logging, fresh):
    entry = {"textPayload": "a", "timestamp": "yesterday"}
    body = {"logName": f"projects/{fresh}/logs/mine", "resource": RESOURCE, "entries": [entry]}
    said = refused(logging.entries().write(body=body))
    assert said == ("INVALID_ARGUMENT", '"yesterday" is not a timestamp.')
    token = encode_token(f"2026-11-30T09:00:00Z {10**20}")
    assert read(logging, fresh, pageToken=token) == []


def test_entries_of_several_projects_are_written_all_or_none(tmp_path):
    store = EntryStore(tmp_path / "logging.db")
    with closing(sqlite3.connect(tmp_path / "logging.db")) as other:
        other.execute(
            "CREATE TRIGGER fails BEFORE INSERT ON entries WHEN new.project = 'bad'"
            " BEGIN SELECT raise(ABORT, 'the disk is full'); END"
        )
    entry = {"timestamp": "2026-11-30T09:00:00.000000000Z"}
    with closing(store):
        with pytest.raises(sqlite3.Error, match="the disk is full"):
            store.add_all({"p": [entry], "bad": [entry]})
        assert list(store.entries("p", "", None, descending=False)) == []
