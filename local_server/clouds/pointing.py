"""Environment variables and credential files that point clients at an emulator.

The files are in the emulator's own folder. SDKs that read configuration files read these instead
of those of the user's accounts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from cloudserve.files import replace_atomically

from .aws.protocol.arns import ACCOUNT, DEFAULT_REGION
from .certificates import CERTIFICATE
from .google.service_account import FILE, PROJECT, write_service_account

KEY = "cloudserve"
"""Both AWS keys: signatures are checked on request only, and the key grants nothing."""
CONTAINER_KEY = "cloudserve-container"
"""Both keys of the code in containers, which has the permissions of a model's role."""
KEYS: Mapping[str, str] = {KEY: KEY, CONTAINER_KEY: CONTAINER_KEY}
"""The offline account's secrets by access key."""
SERVICE_ACCOUNT = FILE
_CONFIG, _CREDENTIALS = "aws-config", "aws-credentials"
_SAGEMAKER = "sagemaker-sdk.yaml"
_ALL_ADDRESSES = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared
# The SDK asks the real STS for the account before it names its default bucket, and its telemetry
# sends the account's number to a real bucket. A user's own file has precedence over this one.
# Source: sagemaker 2.257, `config/config.py`; 3.27, `core/config/config_manager.py`.
_SAGEMAKER_DEFAULTS = f"""\
SchemaVersion: "1.0"
SageMaker:
  PythonSDK:
    Modules:
      TelemetryOptOut: true
      Session:
        DefaultS3Bucket: sagemaker-{DEFAULT_REGION}-{ACCOUNT}
"""


def client_host(host: str, names: Iterable[str] = ()) -> str:
    """Return the host of URLs for a server on an address, an IPv6 one in brackets.

    A server on all addresses is called by the first of its names that is complete, else by loopback
    from this machine.
    """
    if host in _ALL_ADDRESSES:
        complete = (name for name in names if not name.startswith("."))
        host = next(complete, "127.0.0.1")
    return f"[{host}]" if ":" in host else host


def write_credentials(folder: Path, url: str) -> None:
    """Write the files that `client_variables` names. Blocks."""
    write_service_account(folder / SERVICE_ACCOUNT, f"{url}/token")
    config = f"[default]\nregion = {DEFAULT_REGION}\nendpoint_url = {url}\n"
    replace_atomically(folder / _CONFIG, config.encode(), 0o600)
    keys = f"[default]\naws_access_key_id = {KEY}\naws_secret_access_key = {KEY}\n"
    replace_atomically(folder / _CREDENTIALS, keys.encode(), 0o600)
    replace_atomically(folder / _SAGEMAKER, _SAGEMAKER_DEFAULTS.encode(), 0o600)


def client_variables(folder: Path, url: str) -> Mapping[str, str]:
    """Return the variables that point unmodified AWS and Google clients at an emulator.

    `folder` has the credential files.
    """
    return {
        **_aws(url, DEFAULT_REGION),
        "AWS_CONFIG_FILE": str(folder / _CONFIG),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / _CREDENTIALS),
        "STORAGE_EMULATOR_HOST": url,
        "GOOGLE_APPLICATION_CREDENTIALS": str(folder / SERVICE_ACCOUNT),
        "GOOGLE_CLOUD_PROJECT": PROJECT,
        # gcloud's own overrides, which need the trailing slash.
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_ML": f"{url}/",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM": f"{url}/",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDRESOURCEMANAGER": f"{url}/",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_MONITORING": f"{url}/",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_LOGGING": f"{url}/",
        # What gRPC's clients trust: its endpoints are addresses without `http://`, over TLS.
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(folder / CERTIFICATE),
        **_sdk_settings(folder),
    }


def _sdk_settings(folder: Path) -> dict[str, str]:
    """Return settings of SDKs that would otherwise call a real host, or a missing service."""
    return {
        "SAGEMAKER_ADMIN_CONFIG_OVERRIDE": str(folder / _SAGEMAKER),
        # Most rehearsals create no role, and the SDK asks IAM what a role may do.
        "SAGEMAKER_VALIDATE_ROLE": "false",
        # gcsfs asks a gRPC service, over TLS, whether a bucket has folders; none has offline.
        "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
        # TensorFlow's own reader of gs:// knows Google's host only, and epath would choose it.
        "EPATH_USE_TF": "false",
    }


def container_variables(url: str, region: str) -> Mapping[str, str]:
    """Return the variables of an offline SageMaker container in a region.

    They include Google's storage, because a model with its own key must not reach the real one.
    As in a real AWS container, there is nothing else of Google's.
    """
    keys = {"AWS_ACCESS_KEY_ID": CONTAINER_KEY, "AWS_SECRET_ACCESS_KEY": CONTAINER_KEY}
    return {**_aws(url, region), **keys, "STORAGE_EMULATOR_HOST": url}


def google_variables(folder: Path, url: str) -> Mapping[str, str]:
    """Return the variables of an offline Vertex AI container.

    They include AWS, because code with its own key must not reach the real one.
    """
    variables = client_variables(folder, url)
    own = {name: text for name, text in variables.items() if not name.startswith("AWS_")}
    return {**own, "AWS_ENDPOINT_URL": url}


def _aws(url: str, region: str) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": KEY,
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
