"""A provider whose service answers as a test says."""

import pytest

from tests.adapters.google.vertex.answers import provider_at


@pytest.fixture
def answering(scripted):
    """Give what makes a provider whose service answers by `METHOD path`, lists one by one."""

    def make(answers, **options):
        def answer_to(request):
            key = f"{request.method} {request.path.partition('?')[0].removeprefix('/v1/')}"
            result = answers[key]
            if not isinstance(result, list):
                return result
            return result.pop(0) if len(result) > 1 else result[0]

        server = scripted(answer_to)
        return provider_at(server.url, **options), server

    return make
