"""Which backend answers, and that keys go where they belong."""

from __future__ import annotations

import os
import shlex
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSHTTPSConnection

from providers.cancellation import Cancellation, calling
from providers.clients import local_client
from providers.connect import Backends, choose_backend, configured_endpoint, make_session
from providers.errors import ConfigurationError, ModelSilentError, StreamInterruptedError
from providers.places import Place
from providers.retry import RetryingProvider, RetryPolicy
from providers.types import TextDelta, accumulate
from tests.providers.conftest import ask
from tests.wire import Connection, WireServer, document, silence, stop_frames, stream, text_frames

ANSWER = stream([*text_frames("Hel", "lo"), *stop_frames()])


def choose(choice: str = "auto", **given: str | None) -> tuple[str, str]:
    told = {"region": None, "profile": None, "endpoint_url": None} | given
    status, *_ = choose_backend(choice, **told)  # type: ignore[arg-type]  # tests name the choice
    return status.backend, status.reason


def test_without_credentials_it_is_this_machine() -> None:
    assert choose() == ("local", "no AWS credentials found")


def test_credentials_in_the_environment_mean_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    assert choose() == ("aws", "credentials from the environment")


def test_a_bedrock_api_key_means_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "test")
    assert choose() == ("aws", "Bedrock API key in the environment")


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS_ENDPOINT_URL"])
def test_an_endpoint_in_the_environment_means_aws(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert choose() == ("aws", "endpoint set by hand")
    assert configured_endpoint(make_session(None)) == "http://127.0.0.1:9"
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    assert choose()[0] == "local"


def test_asking_for_aws_by_name_without_credentials_says_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match="aws configure"):
        choose("aws")


def test_a_profile_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="no-such-profile"):
        choose(profile="no-such-profile")


def test_the_endpoint_of_the_environment_is_used_as_aws_would_be(
    wire: WireServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", wire.url)
    wire.reply_with(ANSWER)
    backends = Backends("auto")
    assert backends.status.endpoint_url == wire.url
    events = backends.provider_for("us.amazon.nova-lite-v1:0").stream(ask())
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "Hello"
    assert "AWS4-HMAC-SHA256" in wire.asked[0].headers["authorization"]


def test_the_models_of_this_machine_are_offered_beside_aws(wire: WireServer) -> None:
    backends = Backends("auto", endpoint_url=wire.url)
    offered = {model.backend for model in backends.models()}
    assert offered == {"aws", "local"}
    assert backends.status_of("local.smollm2-135m-instruct").backend == "local"


def test_real_keys_never_reach_the_local_endpoint(wire: WireServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "the-real-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-real-secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "the-real-session")
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "the-real-bearer")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # a proxy must not see prompts for this machine either
    wire.reply_with(ANSWER)
    backends = Backends("auto", local_url=wire.url, list_models=False)
    list(backends.provider_for("local.smollm2-135m-instruct").stream(ask("local.smollm2-135m-instruct")))
    assert "the-real" not in str(wire.asked[0].headers)


def test_a_model_of_aws_without_aws_says_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match="without an AWS account"):
        Backends("local").provider_for("us.amazon.nova-lite-v1:0")


def test_choosing_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was made while choosing the backend")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert choose()[0] == "local"


def test_a_call_can_be_cut_before_there_is_a_response(wire: WireServer) -> None:
    """The private part of botocore that `make_cancellable` reaches into is still there, and still asked in time."""
    attached = threading.Event()
    in_time: list[bool] = []

    class Noting(Cancellation):
        def attach(self, hang_up: Callable[[], None]) -> None:
            attached.set()
            super().attach(hang_up)

    def reply(to: Connection) -> None:
        in_time.append(attached.wait(2))
        ANSWER(to)

    wire.reply_with(reply)
    client = local_client(wire.url)
    with calling(Noting()):
        list(client.converse_stream(modelId="amazon.nova-lite-v1:0", messages=[])["stream"])
    assert in_time == [True]


def test_connections_over_tls_can_be_cut_in_the_same_way() -> None:
    client: Any = local_client("https://127.0.0.1:9")
    pools = client._endpoint.http_session._manager.pool_classes_by_scheme
    assert issubclass(pools["https"].ConnectionCls, AWSHTTPSConnection)
    assert "getresponse" in vars(pools["https"].ConnectionCls)
    assert callable(AWSHTTPSConnection.getresponse)


@pytest.mark.parametrize(
    "given", [{"endpoint_url": "foo"}, {"region": "bad region", "endpoint_url": "http://127.0.0.1:9"}]
)
def test_what_makes_no_client_is_a_sentence(given: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="Check the region and the endpoint"):
        Backends("auto", **given)  # type: ignore[arg-type]  # tests name the fields


def test_another_region_is_asked_there_and_said_so(wire: WireServer) -> None:
    wire.reply_with(ANSWER)
    backends = Backends("auto", region="us-west-2", endpoint_url=wire.url)
    place = backends.at(region="eu-west-1")
    list(place.provider_for("amazon.nova-lite-v1:0").stream(ask()))
    assert "/eu-west-1/bedrock/" in wire.asked[0].headers["authorization"]
    assert place.status_of("amazon.nova-lite-v1:0").region == "eu-west-1"
    assert place.status_of("local.smollm2-135m-instruct").backend == "local"
    assert backends.status.region == "us-west-2"


def test_each_place_is_made_once_and_the_first_is_the_backend_s_own(wire: WireServer) -> None:
    backends = Backends("auto", region="us-west-2", endpoint_url=wire.url)
    assert backends.at(region="eu-west-1") is backends.at(region="eu-west-1")
    own = backends.at(region="us-west-2").provider_for("amazon.nova-lite-v1:0")
    assert own is backends.at().provider_for("amazon.nova-lite-v1:0") is backends.aws()


def test_a_place_that_cannot_be_is_a_sentence(wire: WireServer) -> None:
    backends = Backends("auto", endpoint_url=wire.url)
    with pytest.raises(ConfigurationError, match="no-such-profile"):
        backends.at(profile="no-such-profile")
    with pytest.raises(ConfigurationError, match="Check the region"):
        backends.at(region="bad region")


def test_a_profile_of_its_own_signs_with_its_own_keys(
    wire: WireServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = tmp_path / "credentials"
    keys.write_text("[other]\naws_access_key_id = test-other\naws_secret_access_key = test\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(keys))
    wire.reply_with(ANSWER)
    backends = Backends("auto", endpoint_url=wire.url)
    assert list(backends.profiles()) == ["other"]
    list(backends.at(profile="other").provider_for("amazon.nova-lite-v1:0").stream(ask()))
    assert "Credential=test-other/" in wire.asked[0].headers["authorization"]


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration file with a profile that has a region, and one whose keys come from a program that waits for
    somebody to write them into a pipe."""
    config, pipe = tmp_path / "config", tmp_path / "keys"
    os.mkfifo(pipe)
    config.write_text(
        f"[profile far]\nregion = ap-south-1\n[profile slow]\ncredential_process = /bin/cat {shlex.quote(str(pipe))}\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    return pipe


@pytest.mark.usefixtures("profiles")
def test_a_profile_alone_means_its_own_region(wire: WireServer) -> None:
    backends = Backends("auto", region="us-west-2", endpoint_url=wire.url)
    assert backends.at(profile="far").status_of("amazon.nova-lite-v1:0").region == "ap-south-1"
    assert backends.at(profile="far", region="eu-west-1").status_of("amazon.nova-lite-v1:0").region == "eu-west-1"


def test_keys_that_take_long_hold_up_nobody_else(wire: WireServer, profiles: Path) -> None:
    backends = Backends("auto", region="us-west-2", endpoint_url=wire.url, local_url=wire.url)
    got: list[Place] = []
    asking = [threading.Thread(target=lambda: got.append(backends.at(profile="slow")), daemon=True) for _ in range(2)]
    for thread in asking:
        thread.start()
    with profiles.open("w") as pipe:  # opens when the program is waiting
        assert backends.at(region="eu-west-1").status_of("amazon.nova-lite-v1:0").region == "eu-west-1"
        assert backends.local() is backends.local()
        assert got == []
        pipe.write('{"Version": 1, "AccessKeyId": "test", "SecretAccessKey": "test"}')
    for thread in asking:
        thread.join(10)
    assert len(got) == 2
    assert got[0] is got[1]


@pytest.mark.parametrize("by", ["argument", "environment"])
def test_a_login_in_the_endpoint_is_for_the_client_alone(
    by: str, wire: WireServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire.reply_with(ANSWER)
    url = wire.url.replace("://", "://user:sec@ret@")
    if by == "environment":
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", url)
    backends = Backends("auto", endpoint_url=url if by == "argument" else None)
    assert backends.status.endpoint_url == wire.url
    assert backends.at(region="eu-west-1").status_of("amazon.nova-lite-v1:0").endpoint_url == wire.url
    client: Any = backends._client(make_session(None), "us-west-2")
    assert client.meta.endpoint_url == url
    assert len(list(backends.aws().stream(ask()))) > 1


def test_without_aws_there_is_no_other_place() -> None:
    backends = Backends("local")
    assert list(backends.regions()) == list(backends.profiles()) == []
    with pytest.raises(ConfigurationError, match="without an AWS account"):
        backends.at(region="eu-west-1").provider_for("us.amazon.nova-lite-v1:0")


def test_a_stream_that_says_nothing_is_given_up_and_not_asked_again(wire: WireServer) -> None:
    wire.reply_with(silence)
    provider = RetryingProvider(Backends("auto", endpoint_url=wire.url, silence_limit_s=0.2).aws(), RetryPolicy())
    with pytest.raises(ModelSilentError, match="--silence-limit"):
        list(provider.stream(ask()))
    assert len(wire.asked) == 1


def test_a_stream_that_falls_silent_keeps_what_it_said(wire: WireServer) -> None:
    wire.reply_with(stream(text_frames("Half "), silence))
    provider = RetryingProvider(Backends("auto", endpoint_url=wire.url, silence_limit_s=0.2).aws(), RetryPolicy())
    with pytest.raises(StreamInterruptedError) as cut:
        list(provider.stream(ask()))
    assert cut.value.partial.text == "Half "


def test_a_complete_answer_may_take_longer_than_a_stream_may_be_silent(wire: WireServer) -> None:
    def late(to: Connection) -> None:
        time.sleep(0.5)
        said = {"role": "assistant", "content": [{"text": "Yes."}]}
        document({"output": {"message": said}, "stopReason": "end_turn"})(to)

    wire.reply_with(late)
    provider = Backends("auto", endpoint_url=wire.url, silence_limit_s=0.2).aws()
    assert accumulate(provider.invoke(ask())).text == "Yes."
