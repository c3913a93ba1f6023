"""The variables of an intercepted command: the proxy, its certificate authority, fake credentials.

They name no endpoint. Files that SDKs would read in the user's home are replaced by the emulator's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from cloudserve.files import replace_atomically

from ..aws.identity.execution_role import KEYS
from ..aws.protocol.arns import DEFAULT_REGION
from ..google.service_account import PROJECT

URL = "CLOUDSERVE_OFFLINE_URL"
_CONFIG, _CREDENTIALS, _BOTO = "aws-config", "aws-credentials", "boto"
_SERVICE_ACCOUNT, _GCLOUD, _NO_CERTIFICATES = "service-account.json", "gcloud", "no-certificates"
_TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
_DIRECT = ("localhost", "127.0.0.1", "::1")

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "GRPC_PROXY")
"""In both cases: curl and gRPC read the lower one, others the upper one or both."""
_AUTHORITIES = (
    "SSL_CERT_FILE",  # OpenSSL, Go
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",  # curl, libcurl in TensorFlow
    "AWS_CA_BUNDLE",
    "HTTPLIB2_CA_CERTS",  # googleapiclient
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "NODE_EXTRA_CA_CERTS",
    "DENO_CERT",
    "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",  # gcloud
)
"""The variables of the certificate authorities that clients trust."""


def write_files(folder: Path, certificate: Path, account: Path) -> None:
    """Write the files that `intercepting_variables` names. Blocks.

    `account` is the key file of the offline service account.
    """
    for name in (_GCLOUD, _NO_CERTIFICATES):
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    document = json.loads(account.read_bytes()) | {"token_uri": _TOKEN_URL}
    keys = (
        f"[default]\naws_access_key_id = {KEYS.access}\naws_secret_access_key = {KEYS.secret}\n"
        f"aws_session_token = {KEYS.token}\n"
    )
    texts = {
        _SERVICE_ACCOUNT: json.dumps(document, indent=2),
        _CONFIG: f"[default]\nregion = {DEFAULT_REGION}\n",
        _CREDENTIALS: keys,
        _BOTO: _boto(folder, certificate),
    }
    for name, text in texts.items():
        replace_atomically(folder / name, text.encode(), 0o600)


def _boto(folder: Path, certificate: Path) -> str:
    """Return gsutil's configuration."""
    return (
        f"[Credentials]\ngs_service_key_file = {folder / _SERVICE_ACCOUNT}\n"
        f"[Boto]\nca_certificates_file = {certificate}\n"
        f"[GSUtil]\ndefault_project_id = {PROJECT}\nsoftware_update_check_period = 0\n"
    )


def intercepting_variables(
    folder: Path, certificate: Path, proxy: str, url: str
) -> Mapping[str, str]:
    """Return the variables that lead every request of a command to a proxy.

    `folder` has the files, `url` is the emulator's own URL.
    """
    own = urlsplit(url).hostname or ""
    direct = ",".join(dict.fromkeys((*_DIRECT, own)))
    proxies = {name: proxy for each in _PROXIES for name in (each, each.lower())}
    return {
        **proxies,
        "NO_PROXY": direct,
        "no_proxy": direct,
        "NODE_USE_ENV_PROXY": "1",
        **dict.fromkeys(_AUTHORITIES, str(certificate)),
        # OpenSSL adds the system's authorities of this folder to those of the file.
        "SSL_CERT_DIR": str(folder / _NO_CERTIFICATES),
        **_aws(folder),
        **_google(folder, url),
        URL: url,
    }


def _aws(folder: Path) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": KEYS.access,
        "AWS_SECRET_ACCESS_KEY": KEYS.secret,
        "AWS_SESSION_TOKEN": KEYS.token,
        "AWS_DEFAULT_REGION": DEFAULT_REGION,
        "AWS_REGION": DEFAULT_REGION,
        "AWS_CONFIG_FILE": str(folder / _CONFIG),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / _CREDENTIALS),
        "AWS_EC2_METADATA_DISABLED": "true",
        # SageMaker's SDK (version 3) would look for the permissions of a role that nobody created.
        "SAGEMAKER_VALIDATE_ROLE": "false",
    }


def _google(folder: Path, url: str) -> dict[str, str]:
    account = str(folder / _SERVICE_ACCOUNT)
    host = url.partition("://")[2]
    return {
        "GOOGLE_APPLICATION_CREDENTIALS": account,
        "GOOGLE_CLOUD_PROJECT": PROJECT,
        "CLOUDSDK_CONFIG": str(folder / _GCLOUD),
        "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE": account,
        "CLOUDSDK_CORE_PROJECT": PROJECT,
        "BOTO_CONFIG": str(folder / _BOTO),
        # aiohttp, the transport of gcsfs, reads the proxy on request only; its gRPC calls only tell
        # buckets with folders, which none is offline.
        "FSSPEC_GCS": '{"session_kwargs": {"trust_env": true}}',
        "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false",
        # google-auth asks the metadata server without a proxy.
        "GCE_METADATA_HOST": host,
        "GCE_METADATA_IP": host,
    }
