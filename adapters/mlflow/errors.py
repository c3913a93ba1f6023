"""MLflow's errors as errors of this library."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mlflow.exceptions import MlflowException

from cloudserve.errors import CloudserveError, RemoteError, UserError

from .texts import first_line

MISSING, INVALID = "RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"
_CHECK = "check MLFLOW_TRACKING_URI and MLFLOW_REGISTRY_URI, and that the server answers"


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Raise UserError for what does not exist, RemoteError for any other failure of MLflow.

    Stores of artifacts and of metadata raise the errors of their own libraries.
    """
    try:
        yield
    except (CloudserveError, ModuleNotFoundError):
        raise
    except MlflowException as error:
        raise _error(url, error) from error
    except Exception as error:
        raise RemoteError(
            f"MLflow's store failed: {first_line(error)}", where=url, hint=_CHECK
        ) from error


def _error(url: str, error: MlflowException) -> CloudserveError:
    if error.error_code in {MISSING, INVALID}:
        return UserError(
            f"MLflow has no such model: {first_line(error)}",
            where=url,
            hint="write models:/NAME/VERSION, models:/NAME@ALIAS or runs:/ID/PATH; the registry is "
            "the one of MLFLOW_TRACKING_URI",
        )
    status = error.get_http_status_code()
    return RemoteError(f"MLflow failed: {first_line(error)}", where=url, hint=_CHECK, status=status)
