"""Google's clients as their documentation shows them: no endpoint, default credentials."""

import google.auth
from google.cloud import aiplatform, storage

credentials, project = google.auth.default()
bucket = storage.Client().create_bucket("my-models")
bucket.blob("hello.txt").upload_from_string("hello")
print(bucket.blob("hello.txt").download_as_text())

aiplatform.init(project=project, location="europe-west4")
endpoint = aiplatform.Endpoint.create(display_name="half")
print([each.display_name for each in aiplatform.Endpoint.list()])
