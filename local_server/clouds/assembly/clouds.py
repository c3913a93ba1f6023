"""The services of all clouds, and the order in which their routes are tried."""

from __future__ import annotations

from ..background_tasks import BackgroundTasks
from ..console.endpoint_signatures import EndpointSignatures
from ..console.view import Stored
from ..objects.form_app import FormApp, is_form
from ..objects.routing import NamedBucket
from ..objects.s3.callers.anonymous import Unsigned
from ..router import Route
from .aws_services import AwsServices
from .google_services import GoogleServices
from .settings import Places, Settings
from .shared import Closing, open_shared


class Clouds:
    """The offline clouds without their port. Building them starts nothing.

    `closing` gets what must be closed, also if building fails.
    """

    def __init__(
        self, settings: Settings, places: Places, work: BackgroundTasks, closing: Closing
    ) -> None:
        self._shared = open_shared(settings, places, work, closing)
        self._google = GoogleServices(settings, self._shared, places)
        self._aws = AwsServices(settings, self._shared, places)
        closing.stack.push_async_callback(closing.ending.end, self._aws.offline.close)

    def routes(self) -> tuple[Route, ...]:
        """Return all routes; requests that name no service are for a bucket's own host."""
        s3, gcs = self._aws.storage, self._google.storage
        return (
            Route(is_form, FormApp(s3.handle_form, gcs.handle_form)),
            *self._aws.offline.routes(),
            *self._google.routes(),
            Route(Unsigned(self._shared.s3).takes, s3),
            Route(NamedBucket(self._shared.gcs).takes, gcs),
        )

    def stored(self) -> Stored:
        """Return what the console shows of the clouds' resources."""
        shared = self._shared
        signatures = EndpointSignatures(
            shared.resources, shared.manager, self._aws.offline.signatures
        )
        return Stored(shared.resources, {"s3": shared.s3, "gs": shared.gcs}, signatures)

    def restore(self) -> None:
        """Resume the work that an earlier process left."""
        self._google.restore()
        self._aws.offline.restore()
