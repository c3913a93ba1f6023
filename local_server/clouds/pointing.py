"""What points clients at an emulator: variables, and the credential files that they name.

The files stand in the emulator's own folder, so that an SDK that reads configuration files reads
these and not those of the user's accounts.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .aws.protocol.arns import DEFAULT_REGION
from .google.service_account import PROJECT, write_service_account

KEY = "cloudserve"
"""Both AWS keys: signatures are checked only where that is asked for, and it opens nothing."""
_ACCOUNT, _CONFIG, _CREDENTIALS = "service-account.json", "aws-config", "aws-credentials"


def write_credentials(folder: Path, url: str) -> None:
    """Write the files that `client_variables` names; blocks."""
    write_service_account(folder / _ACCOUNT, f"{url}/token")
    _write(folder / _CONFIG, f"[default]\nregion = {DEFAULT_REGION}\nendpoint_url = {url}\n")
    keys = f"aws_access_key_id = {KEY}\naws_secret_access_key = {KEY}\n"
    _write(folder / _CREDENTIALS, f"[default]\n{keys}")


def _write(file: Path, text: str) -> None:
    draft = file.with_name(f".{file.name}.draft")
    draft.touch(mode=0o600)
    draft.write_text(text, encoding="utf-8")
    draft.replace(file)


def client_variables(folder: Path, url: str) -> Mapping[str, str]:
    """Return the variables that point unmodified AWS and Google clients at an emulator.

    `folder` holds its credential files.
    """
    return {
        **_aws(url, DEFAULT_REGION),
        "AWS_CONFIG_FILE": str(folder / _CONFIG),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / _CREDENTIALS),
        "STORAGE_EMULATOR_HOST": url,
        "GOOGLE_APPLICATION_CREDENTIALS": str(folder / _ACCOUNT),
        "GOOGLE_CLOUD_PROJECT": PROJECT,
        # gcloud's own overrides; it wants the trailing slash.
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_ML": f"{url}/",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM": f"{url}/",
    }


def container_variables(url: str, region: str) -> Mapping[str, str]:
    """Return what the offline SageMaker sets in a container of a region.

    Google's storage is pointed at as well: a model that brings a key of its own must not reach the
    real one. Nothing else of Google's is there, as in a real container of AWS.
    """
    return {**_aws(url, region), "STORAGE_EMULATOR_HOST": url}


def google_variables(folder: Path, url: str) -> Mapping[str, str]:
    """Return what the offline Vertex AI sets in a container of the user's.

    AWS is pointed at as well: code that brings a key of its own must not reach the real one.
    """
    given = client_variables(folder, url)
    own = {name: text for name, text in given.items() if not name.startswith("AWS_")}
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
