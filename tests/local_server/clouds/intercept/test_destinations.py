"""Which hosts the proxy answers, and the sentence for all others."""

import pytest
from cloudserve.local_server.clouds.aws.protocol.hosts import AwsHost
from cloudserve.local_server.clouds.google.hosts import GoogleHost
from cloudserve.local_server.clouds.intercept.destinations import (
    RefusedHostError,
    find,
    plain_host,
    tunnelled_host,
)
from hypothesis import given
from hypothesis import strategies as st

EVIL = (
    "storage.googleapis.com.evil.test",
    "evilgoogleapis.com",
    "googleapis.com",
    "a.b.googleapis.com.",
    "pypi.org",
    "console.aws.amazon.com",
    "amazonaws.com",
    "-.googleapis.com",
    "xn--storage.googleapis.com.evil",
    "1.2.3.4",
    "::1",
    "",
)


@pytest.mark.parametrize(
    ("host", "service"),
    [
        ("storage.googleapis.com", GoogleHost("storage")),
        ("my_bucket.v2.storage.googleapis.com", GoogleHost("storage", bucket="my_bucket.v2")),
        ("www.googleapis.com", GoogleHost("www")),
        ("europe-west4-aiplatform.googleapis.com", GoogleHost("aiplatform", "europe-west4")),
        ("aiplatform.googleapis.com", GoogleHost("aiplatform")),
        ("us-central1-ml.googleapis.com", GoogleHost("ml", "us-central1")),
        ("oauth2.googleapis.com", GoogleHost("oauth2")),
        ("metadata.google.internal", GoogleHost("metadata")),
        ("169.254.169.254", GoogleHost("metadata")),
        (
            "17.europe-west4-123.prediction.vertexai.goog",
            GoogleHost("prediction.vertexai.goog", "europe-west4"),
        ),
        ("bigquery.googleapis.com", GoogleHost("bigquery")),
        ("sts.amazonaws.com", AwsHost("sts", "us-east-1")),
        ("runtime.sagemaker.eu-west-1.amazonaws.com", AwsHost("sagemaker", "eu-west-1")),
    ],
)
def test_a_host_of_a_cloud_is_answered(host, service):
    assert find(host) == service


@pytest.mark.parametrize("host", EVIL)
def test_any_other_host_is_refused_with_a_sentence(host):
    with pytest.raises(RefusedHostError, match=r"\.$"):
        find(host)


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        ("STORAGE.googleapis.COM:443", "storage.googleapis.com"),
        ("storage.googleapis.com.:443", "storage.googleapis.com"),
    ],
)
def test_case_and_the_dot_of_the_root_do_not_matter(authority, host):
    assert tunnelled_host(authority) == host


@pytest.mark.parametrize(
    ("authority", "sentence"),
    [
        ("storage.googleapis.com:80", "on port 443 only, not on 80"),
        ("storage.googleapis.com:22", "on port 443 only"),
        ("storage.googleapis.com", "on port 443 only"),
        ("storage.googleapis.com:99999999", "not a host and a port"),
        ("user@storage.googleapis.com:443", "not a host and a port"),
        ("storage.googleapis.com:443@evil.test:443", "not a host and a port"),
        ("storage.googleapis.com\\.evil.test:443", "not a host and a port"),
        ("storage.googleapis.com/x:443", "not a host and a port"),
        ("127.0.0.1:443", "honour NO_PROXY"),
        ("localhost:443", "honour NO_PROXY"),
        ("[::1]:443", "honour NO_PROXY"),
        ("[2001:db8::1]:443", "an address, not a name"),
        ("[::ffff:169.254.169.254]:443", "an address, not a name"),
        ("8.8.8.8:443", "an address, not a name"),
        ("169.254.169.254:443", "HTTP only"),
        ("pypi.org:443", "pypi.org is outside the rehearsal"),
    ],
)
def test_a_tunnel_is_refused(authority, sentence):
    with pytest.raises(RefusedHostError, match=sentence):
        tunnelled_host(authority)


@pytest.mark.parametrize("authority", ["user:pass@169.254.169.254", "s3.amazonaws.com:8080", ""])
def test_a_plain_request_is_refused(authority):
    with pytest.raises(RefusedHostError):
        plain_host(authority)


@given(st.text(max_size=80))
def test_no_authority_leads_anywhere_but_to_a_name_of_a_cloud(text):
    for read in (tunnelled_host, plain_host):
        try:
            host = read(text)
        except RefusedHostError as error:
            assert error.message.isprintable() or "\n" not in error.message
        else:
            assert host == "169.254.169.254" or host.isascii()
            assert isinstance(find(host), AwsHost | GoogleHost)
