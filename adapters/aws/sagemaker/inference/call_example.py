"""Calls of a SageMaker endpoint as lines to copy."""

from __future__ import annotations

from cloudserve.release.calling import CallExample


def call_example(arn: str, endpoint: str, region: str, url: str) -> CallExample:
    """Return calls by boto3, and by curl 7.75 or newer, which signs requests.

    A header without a value is not sent, so the session token may be missing.
    """
    python = (
        f'boto3.client("sagemaker-runtime", region_name="{region}").invoke_endpoint('
        f'EndpointName="{endpoint}", ContentType="application/json", '
        'Body=Path("request.json").read_bytes())["Body"].read()'
    )
    curl = (
        f"curl --aws-sigv4 aws:amz:{region}:sagemaker "
        '--user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" '
        '-H "X-Amz-Security-Token: $AWS_SESSION_TOKEN" -H "Content-Type: application/json" '
        f"--data-binary @request.json {url.rstrip('/')}/endpoints/{endpoint}/invocations"
    )
    return CallExample(arn, {"boto3": python, "curl": curl})
