"""What the account answers about its models, over real boto3 and a real socket; and that nobody waits for it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from providers.account import MAX_LOOKUPS, REFRESH_S, RETRY_S, Account
from providers.bedrock import BedrockProvider
from providers.catalog import DEFAULT_AWS_MODEL, aws_models, local_models
from providers.clients import control_client, runtime_client
from providers.connect import Backends, make_session
from providers.errors import ConfigurationError
from providers.types import TextDelta
from tests.providers.conftest import ask
from tests.wire import (
    Connection,
    Reply,
    WireServer,
    document,
    failure,
    hang_up,
    silence,
    stop_frames,
    stream,
    text_frames,
)

T = TypeVar("T")

REGION = "us-west-2"
ARN = f"arn:aws:bedrock:{REGION}:000000000000:"
PROFILE_ARN = ARN + "application-inference-profile/abcdefghijkl"
HAIKU = "anthropic.claude-haiku-4-5-20251001-v1:0"
DENIED = failure("403 Forbidden", "AccessDeniedException", "User is not authorized to perform this action.")
ANSWER = stream([*text_frames("Hel", "lo"), *stop_frames()])


def foundation(bare: str) -> str:
    return f"arn:aws:bedrock:{REGION}::foundation-model/{bare}"


def summary(bare: str, name: str, *types: str, **more: Any) -> dict[str, Any]:
    return {
        "modelId": bare,
        "modelArn": foundation(bare),
        "modelName": name,
        "inputModalities": ["TEXT"],
        "outputModalities": ["TEXT"],
        "responseStreamingSupported": True,
        "inferenceTypesSupported": list(types),
        "modelLifecycle": {"status": "ACTIVE"},
    } | more


def profile(profile_id: str, bare: str, **more: Any) -> dict[str, Any]:
    return {
        "inferenceProfileId": profile_id,
        "inferenceProfileArn": ARN + f"inference-profile/{profile_id}",
        "inferenceProfileName": profile_id,
        "models": [{"modelArn": foundation(bare)}],
        "status": "ACTIVE",
        "type": "SYSTEM_DEFINED",
    } | more


MODELS = [
    summary("amazon.nova-micro-v1:0", "Nova Micro", "ON_DEMAND", "INFERENCE_PROFILE"),
    summary("zai.glm-5", "GLM 5", "ON_DEMAND"),
    summary(HAIKU, "Claude Haiku 4.5", "INFERENCE_PROFILE"),
]
PROFILES = [profile(DEFAULT_AWS_MODEL, "amazon.nova-micro-v1:0"), profile(f"us.{HAIKU}", HAIKU)]
MINE = profile(
    "abcdefghijkl",
    HAIKU,
    inferenceProfileArn=PROFILE_ARN,
    inferenceProfileName="our-team",
    type="APPLICATION",
)


class ControlPlane:
    """The control plane's REST-JSON on a wire server: answers by path, whatever the order of the questions."""

    def __init__(self, wire: WireServer) -> None:
        self.wire = wire
        self.answers: dict[str, Reply] = {
            "/foundation-models": document({"modelSummaries": MODELS}),
            "/inference-profiles?SYSTEM_DEFINED": document({"inferenceProfileSummaries": PROFILES}),
            "/inference-profiles?APPLICATION": document({"inferenceProfileSummaries": [MINE]}),
        }
        wire.reply_with(self._reply)

    def _reply(self, to: Connection) -> None:
        parts = urlsplit(to.asked.path)
        query = parse_qs(parts.query)
        key = "?".join([unquote(parts.path), *query.get("type", []), *query.get("nextToken", [])])
        self.answers.get(key, failure("404 Not Found", "ResourceNotFoundException", f"No answer to {key}."))(to)

    def asked(self) -> list[str]:
        return [unquote(asked.path) for asked in self.wire.asked]


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def plane(wire: WireServer, monkeypatch: pytest.MonkeyPatch) -> ControlPlane:
    """AWS with placeholder keys, and a control plane on loopback, set the way a private endpoint is."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK", wire.url)
    return ControlPlane(wire)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def account(plane: ControlPlane, clock: Clock) -> Account:
    return Account(control_client(make_session(None, REGION), region=REGION), region=REGION, clock=clock)


@pytest.fixture
def hasty(plane: ControlPlane, clock: Clock) -> Account:
    """The same with less patience, for answers that do not come."""
    client = control_client(make_session(None, REGION), region=REGION)
    return Account(client, region=REGION, timeout_s=0.3, clock=clock)


def listed(account: Account) -> dict[str, str]:
    assert account.wait(5)
    return {info.id: info.label for info in account.models()}


def names_since(before: set[threading.Thread]) -> set[str]:
    """Which of the account's threads were started since `before` and still run."""
    return {thread.name for thread in set(threading.enumerate()) - before} & {"account-models", "model-behind"}


def eventually(look: Callable[[], T]) -> T:
    """What `look` finds, once it finds something; at most 5 s."""
    deadline = time.perf_counter() + 5
    while not (found := look()) and time.perf_counter() < deadline:
        time.sleep(0.005)
    return found


def sign_in_page(to: Connection) -> None:
    page = b"<!doctype html><title>Sign in to the network</title>"
    to.head("200 OK", {"Content-Type": "text/html", "Content-Length": str(len(page))})
    to.sock.sendall(page)


# --- the list ---------------------------------------------------------------------------------------------------------


def test_the_list_of_the_account_takes_the_place_of_the_built_in_one(plane: ControlPlane) -> None:
    backends = Backends("auto", region=REGION)
    backends.wait_for_models(5)
    assert [(info.id, info.label, info.family) for info in backends.models() if info.backend == "aws"] == [
        (DEFAULT_AWS_MODEL, "Nova Micro", "nova"),
        ("amazon.nova-micro-v1:0", "Nova Micro (us-west-2)", "nova"),
        (f"us.{HAIKU}", "Claude Haiku 4.5", "claude"),
        ("zai.glm-5", "GLM 5", "openai"),
        (PROFILE_ARN, "our-team (Claude Haiku 4.5)", "claude"),
    ]
    assert tuple(info for info in backends.models() if info.backend == "local") == local_models()
    assert backends.listing == "The models that this account can call in us-west-2."
    assert backends.default_model() == DEFAULT_AWS_MODEL
    assert plane.asked()[0] == "/foundation-models?byOutputModality=TEXT"


def test_profiles_come_in_pages(plane: ControlPlane, account: Account) -> None:
    first, second = PROFILES
    system = "/inference-profiles?SYSTEM_DEFINED"
    plane.answers[system] = document({"inferenceProfileSummaries": [first], "nextToken": "more"})
    plane.answers[system + "?more"] = document({"inferenceProfileSummaries": [second]})
    assert {DEFAULT_AWS_MODEL, f"us.{HAIKU}"} <= set(listed(account))


def test_the_default_is_one_that_the_account_can_call(plane: ControlPlane) -> None:
    plane.answers["/foundation-models"] = document({"modelSummaries": MODELS[1:]})
    plane.answers["/inference-profiles?SYSTEM_DEFINED"] = document({"inferenceProfileSummaries": PROFILES[1:]})
    backends = Backends("auto", region=REGION)
    backends.wait_for_models(5)
    assert backends.default_model() == f"us.{HAIKU}"


def test_it_is_asked_once_an_hour_and_the_old_list_stands_meanwhile(
    plane: ControlPlane, account: Account, clock: Clock
) -> None:
    before = listed(account)
    asked = len(plane.asked())
    clock.now_s += REFRESH_S - 1
    account.models()
    assert len(plane.asked()) == asked
    clock.now_s += 1
    plane.answers["/foundation-models"] = DENIED
    assert {info.id: info.label for info in account.models()} == before
    assert eventually(lambda: len(plane.asked()) > asked)
    assert {info.id: info.label for info in account.models()} == before


@pytest.mark.parametrize("denied", ["/foundation-models", "/inference-profiles?APPLICATION"])
def test_where_listing_is_denied_the_built_in_list_stands_and_says_why(plane: ControlPlane, denied: str) -> None:
    plane.answers[denied] = DENIED
    backends = Backends("auto", region=REGION)
    backends.wait_for_models(5)
    assert [info for info in backends.models() if info.backend == "aws"] == list(aws_models())
    assert backends.default_model() == DEFAULT_AWS_MODEL
    assert backends.listing.startswith("The built-in list of models is shown. These credentials may not list models")
    assert "bedrock:ListInferenceProfiles" in backends.listing


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (
            failure("403 Forbidden", "ExpiredTokenException", "The security token is expired"),
            "credentials were refused",
        ),
        (failure("429 Too Many Requests", "ThrottlingException", "Slow down."), "throttling The list of models"),
        (document({"modelSummaries": []}), "lists no text model in us-west-2"),
        (sign_in_page, "did not answer in Bedrock's format"),
        (hang_up, "did not answer within 3 s"),
    ],
)
def test_other_troubles_say_so_too(plane: ControlPlane, account: Account, reply: Reply, said: str) -> None:
    plane.answers["/foundation-models"] = reply
    if said.startswith("lists no"):
        plane.answers["/inference-profiles?SYSTEM_DEFINED"] = document({"inferenceProfileSummaries": []})
        plane.answers["/inference-profiles?APPLICATION"] = document({"inferenceProfileSummaries": []})
    assert listed(account) == {}
    assert said in account.listing
    assert len([path for path in plane.asked() if path.startswith("/foundation")]) == 1


def test_a_failure_is_not_asked_again_at_once(plane: ControlPlane, account: Account, clock: Clock) -> None:
    plane.answers["/foundation-models"] = DENIED
    assert listed(account) == {}
    account.models()
    assert len(plane.asked()) == 1
    plane.answers["/foundation-models"] = document({"modelSummaries": MODELS})
    clock.now_s += RETRY_S
    assert eventually(account.models)


@pytest.mark.parametrize("how", ["silence", "a drip of bytes"])
def test_no_answer_outlasts_the_limit(plane: ControlPlane, hasty: Account, how: str) -> None:
    def drip(to: Connection) -> None:
        to.head("200 OK", {"Content-Type": "application/json", "Content-Length": "1000"})
        for _ in range(100):
            to.sock.sendall(b" ")
            if to.wait_until_left(0.05):
                return

    plane.answers["/foundation-models"] = silence if how == "silence" else drip
    begun = time.perf_counter()
    assert listed(hasty) == {}
    assert time.perf_counter() - begun < 2
    assert "did not answer within 0.3 s" in hasty.listing


def test_a_dead_control_plane_delays_nothing(plane: ControlPlane) -> None:
    plane.answers["/foundation-models"] = silence
    begun = time.perf_counter()
    backends = Backends("auto", region=REGION)
    models = backends.models()
    default = backends.default_model()
    assert time.perf_counter() - begun < 2
    assert [info for info in models if info.backend == "aws"] == list(aws_models())
    assert default == DEFAULT_AWS_MODEL
    assert backends.listing == "The built-in list of models is shown until the account has answered."


@pytest.mark.parametrize("by", ["argument", "environment"])
def test_with_an_endpoint_set_by_hand_nothing_is_asked(
    plane: ControlPlane, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    before = set(threading.enumerate())
    if by == "environment":
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "http://127.0.0.1:9")
    backends = Backends("auto", region=REGION, endpoint_url="http://127.0.0.1:9" if by == "argument" else None)
    backends.wait_for_models(5)
    provider = backends.aws()
    assert provider.prepare(ask(PROFILE_ARN, api="auto"), stream=True).operation == "converse_stream"
    assert [info for info in backends.models() if info.backend == "aws"] == list(aws_models())
    assert backends.listing == "The built-in list of models is shown: endpoint set by hand."
    assert names_since(before) == set()
    assert plane.asked() == []


def test_without_an_account_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was made")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    backends = Backends("auto")
    backends.wait_for_models(5)
    assert {info.backend for info in backends.models()} == {"local"}
    assert "no AWS credentials found" in backends.listing


def test_an_endpoint_of_the_control_plane_that_is_none_is_told(
    plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK", "nonsense")
    with pytest.raises(ConfigurationError, match="control plane: Invalid endpoint: nonsense"):
        Backends("auto", region=REGION)


def test_a_listed_model_that_no_family_fits_is_called_over_converse(plane: ControlPlane, account: Account) -> None:
    plane.answers["/foundation-models"] = document({"modelSummaries": [summary("acme.super-1", "Super", "ON_DEMAND")]})
    assert listed(account)["acme.super-1"] == "Super"
    session = make_session(None, REGION)
    provider = BedrockProvider(runtime_client(session, region=REGION), account=account)
    assert provider.prepare(ask("acme.super-1", api="auto"), stream=True).operation == "converse_stream"
    with pytest.raises(ValueError, match="No family is known"):
        provider.prepare(ask("acme.super-2", api="auto"), stream=True)


# --- the model behind an ARN ------------------------------------------------------------------------------------------

PROVISIONED = ARN + "provisioned-model/abcdefghijkl"
DEPLOYMENT = ARN + "custom-model-deployment/abcdefghijkl"
CUSTOM = ARN + "custom-model/imported/abcdefghijkl"
NOVA = "amazon.nova-lite-v1:0:300k"


def resolved_by(account: Account, arn: str) -> str | None:
    assert account.model_behind(arn) is None  # the first sight only asks
    return eventually(lambda: account.model_behind(arn))


@pytest.mark.parametrize(
    ("arn", "answers", "model"),
    [
        (PROFILE_ARN, {f"/inference-profiles/{PROFILE_ARN}": MINE}, foundation(HAIKU)),
        (
            PROVISIONED,
            {f"/provisioned-model-throughput/{PROVISIONED}": {"foundationModelArn": foundation(NOVA)}},
            foundation(NOVA),
        ),
        (
            DEPLOYMENT,
            {
                f"/model-customization/custom-model-deployments/{DEPLOYMENT}": {"modelArn": CUSTOM},
                f"/custom-models/{CUSTOM}": {"baseModelArn": foundation(NOVA)},
            },
            foundation(NOVA),
        ),
        (
            DEPLOYMENT,
            {
                f"/model-customization/custom-model-deployments/{DEPLOYMENT}": {
                    "modelArn": ARN + f"custom-model/{NOVA}/abcdefghijkl"
                }
            },
            ARN + f"custom-model/{NOVA}/abcdefghijkl",
        ),
    ],
)
def test_an_opaque_arn_is_resolved_by_the_account(
    plane: ControlPlane, account: Account, arn: str, answers: dict[str, Any], model: str
) -> None:
    plane.answers |= {path: document(answer) for path, answer in answers.items()}
    assert resolved_by(account, arn) == model
    assert plane.asked() == list(answers)
    account.model_behind(arn)
    assert plane.asked() == list(answers)  # known for good


def test_the_list_tells_what_is_behind_the_profiles_in_it(plane: ControlPlane, account: Account) -> None:
    listed(account)
    assert account.model_behind(PROFILE_ARN) == foundation(HAIKU)


@pytest.mark.parametrize("reply", [DENIED, document({})])
def test_where_it_is_not_told_the_call_goes_over_converse(
    plane: ControlPlane, account: Account, clock: Clock, reply: Reply
) -> None:
    path = f"/inference-profiles/{PROFILE_ARN}"
    plane.answers[path] = reply
    provider = BedrockProvider(runtime_client(make_session(None, REGION), region=REGION), account=account)
    request = ask(PROFILE_ARN, api="auto")
    first = set(threading.enumerate())
    assert provider.prepare(request, stream=True).operation == "converse_stream"
    assert eventually(lambda: not names_since(first))
    before = set(threading.enumerate())
    assert provider.prepare(request, stream=True).operation == "converse_stream"
    assert names_since(before) == set()
    assert plane.asked() == [path]  # a failure is kept for a while
    clock.now_s += RETRY_S
    plane.answers[path] = document(MINE)
    provider.prepare(request, stream=True)
    assert eventually(lambda: provider.prepare(request, stream=True).family == "claude")


def test_a_look_up_without_an_answer_holds_up_no_run(plane: ControlPlane, hasty: Account) -> None:
    plane.answers[f"/inference-profiles/{PROFILE_ARN}"] = silence
    provider = BedrockProvider(runtime_client(make_session(None, REGION), region=REGION), account=hasty)
    before = set(threading.enumerate())
    assert provider.prepare(ask(PROFILE_ARN, api="auto"), stream=True).operation == "converse_stream"
    assert names_since(before) == {"model-behind"}  # it waits, the call does not
    assert eventually(lambda: not names_since(before))


def test_a_run_that_began_over_converse_stays_there(
    plane: ControlPlane, account: Account, wire: WireServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", wire.url)
    plane.answers[f"/inference-profiles/{PROFILE_ARN}"] = document(MINE)
    plane.answers[f"/model/{PROFILE_ARN}/converse-stream"] = ANSWER
    provider = BedrockProvider(runtime_client(make_session(None, REGION), region=REGION), account=account)
    shown = provider.prepare(ask(PROFILE_ARN, api="auto"), stream=True)
    assert eventually(lambda: account.model_behind(PROFILE_ARN))
    events = provider.stream(shown.request)
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "Hello"
    later = provider.prepare(ask(PROFILE_ARN, api="auto"), stream=True)
    assert (later.operation, later.parameters["modelId"]) == ("invoke_model_with_response_stream", PROFILE_ARN)


@pytest.mark.parametrize(
    "asked",
    [
        {"model_id": PROFILE_ARN, "api": "converse"},
        {"model_id": ARN + "default-prompt-router/anthropic.claude:1", "api": "auto"},
        {"model_id": ARN + "imported-model/abcdefghijkl", "api": "auto"},
        {"model_id": ARN + "prompt/ABCDEFGHIJ", "api": "auto"},
        {"model_id": f"us.{HAIKU}", "api": "auto"},
    ],
)
def test_nobody_is_asked_where_no_look_up_helps(plane: ControlPlane, account: Account, asked: dict[str, str]) -> None:
    provider = BedrockProvider(runtime_client(make_session(None, REGION), region=REGION), account=account)
    before = set(threading.enumerate())
    provider.prepare(ask(**asked), stream=True)
    assert names_since(before) == set()
    assert plane.asked() == []


def test_many_arns_at_once_are_looked_up_a_few_at_a_time(plane: ControlPlane, hasty: Account) -> None:
    before = set(threading.enumerate())
    for number in range(20):
        arn = f"{ARN}provisioned-model/{number:012}"
        plane.answers[f"/provisioned-model-throughput/{arn}"] = silence
        hasty.model_behind(arn)
    threads = [each for each in set(threading.enumerate()) - before if each.name == "model-behind"]
    assert len(threads) <= MAX_LOOKUPS
    for thread in threads:
        thread.join(5)
    assert len(plane.asked()) <= MAX_LOOKUPS
