"""What this account can call, asked of Bedrock's control plane: its list of models, and the model behind an opaque ARN.

Nothing here is ever waited for. Each look-up is one try of at most three seconds on a thread of its own; until it has
answered, the built-in list stands and an opaque ARN is called over Converse. What was learnt is kept for the process,
a failure for five minutes. Where an endpoint is set by hand there is no `Account` at all.

Not resolved, and called over Converse unless the caller names a family: prompts and prompt routers, which stand for no
one model, and imported models, of which GetImportedModel tells the architecture but not the shape of the body.
Operations and members: botocore 1.44.5 service model, bedrock 2023-04-20.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from providers import errors
from providers.cancellation import Cancellation, calling
from providers.catalog import APPLICATION, account_models, model_of
from providers.model_ids import parse_model_id
from providers.service_errors import translate_errors
from providers.types import ModelInfo

log = logging.getLogger(__name__)

TIMEOUT_S = 3.0
REFRESH_S = 3600.0
RETRY_S = 300.0
MAX_LOOKUPS = 4
"""Look-ups under way at once; an ARN beyond them is looked up when it is seen again."""
MAX_REMEMBERED = 256

PROFILE_TYPES = ("SYSTEM_DEFINED", APPLICATION)


class ControlClient(Protocol):
    """The part of boto3's `bedrock` client that is used; its answers are boto3's dicts."""

    def list_foundation_models(self, **parameters: Any) -> dict[str, Any]: ...

    def list_inference_profiles(self, **parameters: Any) -> dict[str, Any]: ...

    def get_inference_profile(self, **parameters: Any) -> dict[str, Any]: ...

    def get_provisioned_model_throughput(self, **parameters: Any) -> dict[str, Any]: ...

    def get_custom_model_deployment(self, **parameters: Any) -> dict[str, Any]: ...

    def get_custom_model(self, **parameters: Any) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """The model behind an ARN, or `None` where the account did not tell; asked again after `until_s`."""

    model: str | None
    until_s: float


class Account:
    """One account in one region. Threads may share it; every method answers at once, except `wait`.

    `clock` gives seconds as `time.monotonic` does.
    """

    def __init__(
        self,
        client: ControlClient,
        *,
        region: str,
        timeout_s: float = TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._region = region
        self._timeout_s = timeout_s
        self._clock = clock
        self._lock = threading.Lock()
        self._models: dict[str, ModelInfo] = {}
        self._trouble = ""
        self._listing = False
        self._list_again_s = clock()
        self._answered = threading.Event()
        self._behind: dict[str, _Found] = {}
        self._looking_up: set[str] = set()

    # --- the list -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Lets the list be fetched in the background if it is due."""
        with self._lock:
            if self._listing or self._clock() < self._list_again_s:
                return
            self._listing = True
        threading.Thread(target=self._fetch_list, name="account-models", daemon=True).start()

    def models(self) -> tuple[ModelInfo, ...]:
        """The text models of the account, best first; empty until it has answered."""
        self.start()
        with self._lock:
            return tuple(self._models.values())

    def wait(self, timeout_s: float = TIMEOUT_S) -> bool:
        """Waits until the first try has ended, well or not: for a program that only prints the list."""
        self.start()
        return self._answered.wait(timeout_s)

    @property
    def listing(self) -> str:
        """Which list stands, and why: a sentence."""
        with self._lock:
            if self._models:
                return f"The models that this account can call in {self._region}."
            if self._trouble:
                return f"The built-in list of models is shown. {self._trouble}"
        return "The built-in list of models is shown until the account has answered."

    def only_converse(self, model_id: str) -> bool:
        """Whether the account lists `model_id`, and no family here but Converse fits it."""
        with self._lock:
            found = self._models.get(model_id.strip())
        return found is not None and found.family == "converse"

    def _fetch_list(self) -> None:
        models: tuple[ModelInfo, ...] = ()
        behind: dict[str, str] = {}
        trouble = ""
        try:
            with translate_errors("The list of models"), _at_most(self._timeout_s):
                summaries = _told(self._client.list_foundation_models(byOutputModality="TEXT"), "modelSummaries")
                profiles = [profile for kind in PROFILE_TYPES for profile in _profiles(self._client, kind)]
            models = account_models(summaries, profiles, region=self._region)
            behind = {str(each.get("inferenceProfileArn")): model for each in profiles if (model := model_of(each))}
            trouble = "" if models else f"The account lists no text model in {self._region}."
        except errors.ProviderError as error:
            trouble = self._sentence(error)
            log.warning("The account's models were not listed: %s", trouble)
        with self._lock:
            if models:  # a list that was fetched before outlives a failed refresh
                self._models = {info.id: info for info in models}
            self._trouble = trouble
            self._listing = False
            self._list_again_s = self._clock() + (REFRESH_S if models else RETRY_S)
            for arn, model in behind.items():
                self._remember(arn, model)
        self._answered.set()

    def _sentence(self, error: errors.ProviderError) -> str:
        if isinstance(error, errors.AccessDeniedError) and error.code == "AccessDeniedException":
            return (
                "These credentials may not list models: the IAM actions are bedrock:ListFoundationModels and "
                "bedrock:ListInferenceProfiles."
            )
        if isinstance(error, (errors.ConnectionFailedError, errors.ModelTimeoutError)):
            return f"Bedrock's control plane in {self._region} did not answer within {self._timeout_s:g} s."
        return str(error)

    # --- the model behind an ARN --------------------------------------------------------------------------------------

    def model_behind(self, model_id: str) -> str | None:
        """The id or ARN of the model behind an opaque ARN, where it is known by now.

        The first sight of an ARN starts one look-up in the background; until it has answered this is `None`, as it is
        for everything that is not looked up. Raises as `parse_model_id` does.
        """
        parsed = parse_model_id(model_id)
        if parsed.arn_kind not in _LOOKUPS:
            return None
        arn = parsed.raw
        with self._lock:
            found = self._behind.get(arn)
            fresh = found is not None and (found.model is not None or self._clock() < found.until_s)
            if fresh or arn in self._looking_up or len(self._looking_up) >= MAX_LOOKUPS:
                return found.model if found else None
            self._looking_up.add(arn)
        threading.Thread(target=self._look_up, args=(arn, parsed.arn_kind), name="model-behind", daemon=True).start()
        return None

    def _look_up(self, arn: str, kind: str) -> None:
        model = None
        try:
            with translate_errors("The model behind the ARN"), _at_most(self._timeout_s):
                model = _LOOKUPS[kind](self._client, arn)
        except errors.ProviderError as error:
            log.info("An ARN of kind %s stays on Converse: %s", kind, error)
        with self._lock:
            self._remember(arn, model)
            self._looking_up.discard(arn)

    def _remember(self, arn: str, model: str | None) -> None:
        before = self._behind.pop(arn, None)
        model = model or (before.model if before else None)
        self._behind[arn] = _Found(model=model, until_s=self._clock() + RETRY_S)
        while len(self._behind) > MAX_REMEMBERED:
            del self._behind[next(iter(self._behind))]


@contextlib.contextmanager
def _at_most(timeout_s: float) -> Iterator[None]:
    """Cuts the calls of this thread after `timeout_s` in all: botocore's own limits are per read.

    Raises `ConnectionFailedError` where half an answer is the result of that.
    """
    cut = Cancellation()
    timer = threading.Timer(timeout_s, cut.cancel)
    timer.daemon = True
    timer.start()
    try:
        with calling(cut):
            yield
    except errors.DecodeError as error:
        if cut.cancelled:
            raise errors.ConnectionFailedError(f"No answer within {timeout_s:g} s.", code="timeout") from error
        raise
    finally:
        timer.cancel()


def _told(answer: Mapping[str, Any], member: str) -> list[Mapping[str, Any]]:
    """A member that the service always sends. botocore 1.44.5 makes an empty answer of a body that is no JSON."""
    if member not in answer:
        raise errors.DecodeError(
            "The control plane did not answer in Bedrock's format. Is there a proxy or a sign-in page in between?",
            code="bad_json",
        )
    told: list[Mapping[str, Any]] = answer[member]
    return told


def _profiles(client: ControlClient, kind: str) -> Iterator[Mapping[str, Any]]:
    """All pages of one type of inference profiles."""
    parameters: dict[str, Any] = {"typeEquals": kind, "maxResults": 1000}
    while True:
        page = client.list_inference_profiles(**parameters)
        yield from _told(page, "inferenceProfileSummaries")
        if not page.get("nextToken"):
            return
        parameters["nextToken"] = page["nextToken"]


def _behind_profile(client: ControlClient, arn: str) -> str | None:
    return model_of(client.get_inference_profile(inferenceProfileIdentifier=arn))


def _behind_provisioned(client: ControlClient, arn: str) -> str | None:
    return client.get_provisioned_model_throughput(provisionedModelId=arn).get("foundationModelArn")


def _behind_deployment(client: ControlClient, arn: str) -> str | None:
    custom = client.get_custom_model_deployment(customModelDeploymentIdentifier=arn).get("modelArn")
    if not custom or parse_model_id(custom).vendor is not None:
        return custom
    return client.get_custom_model(modelIdentifier=custom).get("baseModelArn")


_LOOKUPS: Mapping[str | None, Callable[[ControlClient, str], str | None]] = {
    "application-inference-profile": _behind_profile,
    "provisioned-model": _behind_provisioned,
    "custom-model-deployment": _behind_deployment,
}
"""How each kind of opaque ARN is resolved."""
