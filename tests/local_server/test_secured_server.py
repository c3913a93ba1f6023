"""A whole model server with certificates and tokens: REST, gRPC, and refused options."""

import asyncio
import json
import ssl
import urllib.error
import urllib.request

import grpc
import grpc.aio
import pytest
from cloudserve.local_server.options.serve_options import serve_options
from cloudserve.local_server.server import ModelServer
from cloudserve.local_server.status import StatusError

from cloudserve.errors import UserError
from cloudserve.local.servers import ServeCommand

from .transport.certificates import Signed, config_text

TOKEN = "s3cret-token"
STATUS = "/tensorflow.serving.ModelService/GetModelStatus"


class Model:
    """A model of no signatures."""

    def __init__(self, path):
        self.signatures = self.all_signatures = {}

    def run(self, signature, inputs):
        raise NotImplementedError

    def close(self):
        pass


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "m" / "1"
    path.mkdir(parents=True)
    (path / "saved_model.pb").touch()
    return tmp_path / "m"


@pytest.fixture(scope="module")
def authority():
    return Signed("authority")


@pytest.fixture
def certificates(authority, tmp_path):
    identity = Signed("localhost", authority)
    file = tmp_path / "ssl.config"
    file.write_text(config_text(server_key=identity.key, server_cert=identity.certificate))
    return file


@pytest.fixture
def tokens(tmp_path):
    file = tmp_path / "tokens"
    file.write_text(TOKEN)
    file.chmod(0o600)
    return file


def get(server, authority, path, token=None):
    """Ask REST; return the status and the JSON answered."""
    request = urllib.request.Request(f"https://localhost:{server.port}{path}")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    context = ssl.create_default_context(cadata=authority.certificate)
    try:
        with urllib.request.urlopen(request, timeout=20, context=context) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


async def status(server, authority, *metadata):
    """Ask gRPC for the status of m; return the code."""
    from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest

    request = GetModelStatusRequest()
    request.model_spec.name = "m"
    trust = grpc.ssl_channel_credentials(authority.certificate.encode())
    async with grpc.aio.secure_channel(f"localhost:{server.grpc_port}", trust) as channel:
        try:
            call = channel.unary_unary(STATUS)
            await call(request.SerializeToString(), metadata=metadata, timeout=20)
        except grpc.aio.AioRpcError as error:
            return error.code().name
        return "OK"


def test_rest_and_grpc_are_encrypted_and_ask_for_a_token(model, certificates, tokens, authority):
    options = serve_options(
        model, ServeCommand(grpc_port=0, ssl_config_file=certificates, auth_token_file=tokens)
    )

    async def main():
        server = ModelServer(options, Model)
        await server.start()
        try:
            assert server.address == f"https://127.0.0.1:{server.port}"

            def ask(path, token=None):
                return asyncio.to_thread(get, server, authority, path, token)

            assert (await ask("/readyz"))[0] == 200
            assert (await ask("/v1/models/m"))[0] == 401
            assert (await ask("/v1/models/m", "wrong"))[0] == 401
            assert (await ask("/v1/models/m", TOKEN))[0] == 200
            assert await status(server, authority) == "UNAUTHENTICATED"
            shown = ("authorization", f"Bearer {TOKEN}")
            assert await status(server, authority, shown) == "OK"
        finally:
            await server.stop()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("host", "encrypted", "warned"),
    [
        ("0.0.0.0", False, ["REST and gRPC"]),
        ("0.0.0.0", True, []),
        ("127.0.0.1", False, []),
    ],
)
def test_tokens_that_go_over_a_network_readably_are_warned_of(
    model, tokens, certificates, caplog, host, encrypted, warned
):
    options = serve_options(
        model,
        ServeCommand(
            host=host,
            grpc_port=0,
            auth_token_file=tokens,
            ssl_config_file=certificates if encrypted else None,
        ),
    )
    ModelServer(options, Model)
    text = "tokens are sent in clear text over {}: without certificates anyone who sees the "
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    messages = [record.getMessage() for record in warnings]
    assert messages == [f"{text.format(protocols)}traffic can read them" for protocols in warned]


def test_reflection_shows_nothing_without_a_token(model, certificates, tokens, authority):
    from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest

    path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
    answer = ServerReflectionRequest(list_services="").SerializeToString()
    options = serve_options(
        model, ServeCommand(grpc_port=0, ssl_config_file=certificates, auth_token_file=tokens)
    )

    async def main():
        server = ModelServer(options, Model)
        await server.start()
        trust = grpc.ssl_channel_credentials(authority.certificate.encode())
        try:
            async with grpc.aio.secure_channel(f"localhost:{server.grpc_port}", trust) as channel:
                shown = [("authorization", f"Bearer {TOKEN}")]
                call = channel.stream_stream(path)([answer], metadata=shown)
                (listed,) = [one async for one in call]
                assert b"tensorflow.serving.PredictionService" in listed
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    [one async for one in channel.stream_stream(path)([answer])]
            return caught.value.code().name
        finally:
            await server.stop()

    assert asyncio.run(main()) == "UNAUTHENTICATED"


def test_certificates_and_tokens_that_cannot_be_used_are_reported_before_anything_opens(
    model, tmp_path
):
    empty = tmp_path / "empty"
    empty.touch()
    with pytest.raises(UserError, match="the token file has no token in it"):
        ModelServer(serve_options(model, ServeCommand(auth_token_file=empty)), Model)
    with pytest.raises(UserError, match="TLS needs the server's key and certificate"):
        ModelServer(serve_options(model, ServeCommand(ssl_config_file=empty)), Model)
    with pytest.raises(StatusError, match="No such file"):
        ModelServer(serve_options(model, ServeCommand(ssl_config_file=tmp_path / "none")), Model)
