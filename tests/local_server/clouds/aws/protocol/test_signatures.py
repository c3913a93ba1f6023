"""`--auth strict`: botocore's signer is the oracle; every service has its own error texts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.error import HTTPError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.auth import HmacV1QueryAuth, S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from cloudserve.local_server.clouds.aws.protocol.sigv4 import Reason, SignatureError, Verifier
from cloudserve.local_server.transport.types import Head
from hypothesis import given
from hypothesis import strategies as st

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
CREDENTIALS = Credentials("AKIDEXAMPLE", SECRET)
PATHS = st.lists(st.text("abcé +/%&=~()'!*@:;,", min_size=1, max_size=6), min_size=1).map(
    lambda parts: "/" + "/".join(parts)
)
PAIRS = st.dictionaries(
    st.text("abXé +~", min_size=1, max_size=4), st.text("abc=&é +/~", max_size=6), max_size=3
)


def now() -> datetime:
    return datetime.now(UTC)


def verifier(moment=now) -> Verifier:
    return Verifier({"AKIDEXAMPLE": SECRET}, moment)


def head_of(request: AWSRequest) -> Head:
    """Return a signed request as the server parses it."""
    prepared = request.prepare()
    parts = urlsplit(prepared.url)
    headers = {
        name.lower(): value.decode() if isinstance(value, bytes) else value
        for name, value in prepared.headers.items()
    }
    return Head(prepared.method, parts.path, parts.query, {"host": parts.netloc} | headers)


def unsigned(
    path: str = "/", pairs: dict | None = None, body: bytes = b"", **headers
) -> AWSRequest:
    # As botocore's clients encode a key and a query into a URL.
    query = urlencode(pairs or {}, quote_via=quote, safe="-_.~")
    url = f"http://127.0.0.1:8900{quote(path, safe='/~')}{'?' if query else ''}{query}"
    return AWSRequest("POST", url, headers, body)


class TestTheOracle:
    @given(PATHS, PAIRS, st.binary(max_size=50))
    def test_a_signature_of_botocore_is_verified(self, path, pairs, body):
        request = unsigned(
            path, pairs, body, **{"Content-Type": "application/json", "X-A": " a  b "}
        )
        SigV4Auth(CREDENTIALS, "sagemaker", "us-east-1").add_auth(request)
        # botocore normalizes slashes and dots away before it signs; so do its clients' URLs.
        if "//" not in path and path.isascii():
            verifier().verify(head_of(request), "sagemaker", body)

    @given(PATHS, PAIRS, st.binary(max_size=50))
    def test_an_s3_signature_of_botocore_is_verified(self, path, pairs, body):
        request = unsigned(path, pairs, body)
        S3SigV4Auth(CREDENTIALS, "s3", "eu-west-1").add_auth(request)
        verifier().verify(head_of(request), "s3", None)

    @given(PATHS, PAIRS)
    def test_a_presigned_url_of_botocore_is_verified(self, path, pairs):
        request = unsigned(path, pairs)
        S3SigV4QueryAuth(CREDENTIALS, "s3", "us-east-1", expires=60).add_auth(request)
        verifier().verify(head_of(request), "s3", None)

    @given(PATHS, st.sampled_from([{}, {"uploadId": "a b"}, {"response-content-type": "a/b; c"}]))
    def test_a_presigned_url_of_version_two_is_verified(self, path, pairs):
        request = unsigned(path, pairs)
        HmacV1QueryAuth(CREDENTIALS, expires=60).add_auth(request)
        verifier().verify(head_of(request), "s3", None)

    @given(st.data())
    def test_a_change_of_a_signed_request_is_refused(self, data):
        request = unsigned("/a", {"q": "1"}, b"body", **{"X-Amz-Target": "SageMaker.X"})
        SigV4Auth(CREDENTIALS, "sagemaker", "us-east-1").add_auth(request)
        head = head_of(request)
        changed, body = data.draw(
            st.sampled_from(
                [
                    (Head("PUT", head.path, head.query, head.headers), b"body"),
                    (Head("POST", "/b", head.query, head.headers), b"body"),
                    (Head("POST", "/a", "q=2", head.headers), b"body"),
                    (Head("POST", "/a", head.query, head.headers | {"host": "x"}), b"body"),
                    (
                        Head("POST", "/a", "q=1", head.headers | {"x-amz-target": "SageMaker.Y"}),
                        b"body",
                    ),
                    (head, b"other"),
                ]
            )
        )
        with pytest.raises(SignatureError) as caught:
            verifier().verify(changed, "sagemaker", body)
        assert caught.value.reason is Reason.MISMATCH


class TestRefusedSignatures:
    def signed(self, service: str = "sagemaker") -> Head:
        request = unsigned("/", {}, b"{}")
        SigV4Auth(CREDENTIALS, service, "us-east-1").add_auth(request)
        return head_of(request)

    def wrong(self, head: Head, moment=now, service: str = "sagemaker") -> SignatureError:
        with pytest.raises(SignatureError) as caught:
            verifier(moment).verify(head, service, b"{}")
        return caught.value

    def test_no_signature(self):
        assert self.wrong(Head("GET", "/")).reason is Reason.MISSING

    @pytest.mark.parametrize("minutes", [16, -16])
    def test_a_time_outside_of_the_skew(self, minutes):
        error = self.wrong(self.signed(), lambda: now() + timedelta(minutes=minutes))
        assert error.reason is Reason.SKEWED
        word = "expired" if minutes > 0 else "not yet current"
        assert error.message.startswith(f"Signature {word}: ")

    def test_a_signature_for_another_service(self):
        error = self.wrong(self.signed("s3"))
        assert (error.reason, error.message) == (
            Reason.SCOPE,
            "Credential should be scoped to correct service: 'sagemaker'.",
        )

    def test_an_unknown_key(self):
        with pytest.raises(SignatureError) as caught:
            Verifier({}, now).verify(self.signed(), "sagemaker", b"{}")
        assert caught.value.reason is Reason.UNKNOWN_KEY

    def test_a_presigned_request_after_its_time(self):
        request = unsigned("/b/k")
        SigV4QueryAuth(CREDENTIALS, "s3", "us-east-1", expires=60).add_auth(request)
        later = self.wrong(head_of(request), lambda: now() + timedelta(seconds=62), "s3")
        assert (later.reason, later.message) == (Reason.EXPIRED, "Request has expired")

    @given(st.text(st.characters(codec="ascii")), st.text(st.characters(codec="ascii")))
    def test_any_header_is_refused_and_nothing_else_happens(self, text, stamp):
        headers = {"authorization": text, "x-amz-date": stamp, "host": "h"}
        assert self.wrong(Head("GET", "/", "", headers)).reason in Reason

    @given(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"])))
    def test_any_query_is_refused_and_nothing_else_happens(self, query):
        for start in ("X-Amz-Signature=", "Signature=x&AWSAccessKeyId="):
            assert self.wrong(Head("GET", "/", start + query, {"host": "h"})).reason in Reason


@pytest.fixture(scope="module")
def strict(start_emulators, models):
    return start_emulators(None, auth="strict")


def client(strict, service: str, secret: str = "cloudserve", key: str = "cloudserve", **config):
    return boto3.client(
        service,
        endpoint_url=strict.url,
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=Config(retries={"max_attempts": 0}, **config),
    )


CALLS = {
    "sagemaker": lambda c: c.list_models(),
    "cloudwatch": lambda c: c.describe_alarms(),
    "sagemaker-runtime": lambda c: c.invoke_endpoint(EndpointName="e", Body=b"x"),
    "sts": lambda c: c.get_caller_identity(),
    "s3": lambda c: c.list_buckets(),
}


def refused(call, *arguments) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call(*arguments)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


class TestOverTheWire:
    def test_the_known_key_is_taken_everywhere(self, strict):
        s3 = client(strict, "s3")
        s3.create_bucket(Bucket="signed")
        s3.put_object(Bucket="signed", Key="a b/é+c", Body=b"content")
        result = s3.get_object(Bucket="signed", Key="a b/é+c", IfMatch='"*"'.strip('"'))
        assert result["Body"].read() == b"content"
        assert client(strict, "sagemaker").list_models()["Models"] == []
        assert client(strict, "sts").get_caller_identity()["Account"] == "000000000000"
        code, _ = refused(CALLS["sagemaker-runtime"], client(strict, "sagemaker-runtime"))
        assert code == "ValidationError"

    @pytest.mark.parametrize("version", ["s3", "s3v4"])
    def test_presigned_urls_are_taken_until_they_expire(self, strict, version):
        s3, plain = client(strict, "s3", signature_version=version), client(strict, "s3")
        plain.create_bucket(Bucket=f"pre-{version}")
        plain.put_object(Bucket=f"pre-{version}", Key="k é", Body=b"content")
        where = {"Bucket": f"pre-{version}", "Key": "k é", "ResponseContentType": "a/b; c=d"}
        url = s3.generate_presigned_url("get_object", Params=where, ExpiresIn=60)
        with urlopen(url) as answer:
            assert (answer.read(), answer.headers["content-type"]) == (b"content", "a/b; c=d")
        with pytest.raises(HTTPError) as caught, urlopen(Request(url, method="PUT", data=b"x")):
            pass
        with caught.value as error:
            assert error.code == 403
            assert b"<Code>SignatureDoesNotMatch</Code>" in error.read()

    @pytest.mark.parametrize(
        ("service", "code"),
        [
            ("sagemaker", "InvalidSignatureException"),
            ("cloudwatch", "InvalidSignatureException"),
            ("sagemaker-runtime", "InvalidSignatureException"),
            ("sts", "SignatureDoesNotMatch"),
            ("s3", "SignatureDoesNotMatch"),
        ],
    )
    def test_another_secret_is_refused(self, strict, service, code):
        wrong = client(strict, service, secret="another")
        assert refused(CALLS[service], wrong) == (code, 403)

    @pytest.mark.parametrize(
        ("service", "code"),
        [
            ("sagemaker", "UnrecognizedClientException"),
            ("sagemaker-runtime", "UnrecognizedClientException"),
            ("sts", "InvalidClientTokenId"),
            ("s3", "InvalidAccessKeyId"),
        ],
    )
    def test_an_unknown_key_is_refused(self, strict, service, code):
        wrong = client(strict, service, key="AKIDNOBODY")
        assert refused(CALLS[service], wrong) == (code, 403)

    def test_an_unsigned_operation_is_refused(self, strict):
        headers = {"X-Amz-Target": "SageMaker.ListModels"}
        with (
            pytest.raises(HTTPError) as caught,
            urlopen(Request(strict.url, b"{}", headers)),
        ):
            pass
        with caught.value as error:
            assert error.code == 403
            assert b"MissingAuthenticationTokenException" in error.read()

    def test_a_refused_write_has_written_nothing(self, strict):
        good = client(strict, "s3")
        good.create_bucket(Bucket="kept")
        with pytest.raises(ClientError):
            client(strict, "s3", secret="x").put_object(Bucket="kept", Key="k", Body=b"x")
        assert good.list_objects_v2(Bucket="kept")["KeyCount"] == 0
