"""From region, profile and endpoint to a boto3 client, and from a model id to the provider that serves it.

Nothing here waits for a network: credentials are searched where that costs no request, and the instance metadata
service is asked only on a machine whose firmware says that it is an EC2 instance. Plain arguments, no settings object.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import boto3
import botocore.configprovider
import botocore.exceptions
import botocore.session

from providers.account import TIMEOUT_S, Account
from providers.base import Provider, RuntimeClient
from providers.bedrock import BedrockProvider
from providers.catalog import DEFAULT_AWS_MODEL, aws_models, local_models
from providers.clients import (
    DEFAULT_REGION,
    PLACEHOLDER_KEY,
    SERVICE,
    SILENCE_LIMIT_S,
    control_client,
    local_client,
    runtime_client,
)
from providers.errors import ConfigurationError
from providers.model_ids import parse_model_id
from providers.places import BackendStatus, Place, Places
from providers.registry import resolve
from providers.types import ModelInfo

BackendChoice = Literal["auto", "aws", "local"]


# --- what this machine offers -----------------------------------------------------------------------------------------


def _on_ec2() -> bool:
    """Whether the firmware names Amazon EC2 (AWS: "Detect whether a host is an EC2 instance", DMI vendor strings)."""
    with contextlib.suppress(OSError):
        return "amazon" in Path("/sys/class/dmi/id/sys_vendor").read_text(encoding="utf-8").lower()
    return False


def make_session(profile: str | None, region: str | None = None) -> boto3.Session:
    """A boto3 session. Raises `ConfigurationError` where the profile does not exist."""
    try:
        core = botocore.session.Session(profile=profile)
        if not _on_ec2():
            # Elsewhere the metadata service is not there, and asking for it means waiting for a time-out.
            core.get_component("credential_provider").remove("iam-role")
        return boto3.Session(botocore_session=core, region_name=region)
    except botocore.exceptions.ProfileNotFound as error:
        raise ConfigurationError(f"{error}. Choose another with --profile, or run `aws configure`.") from error


def configured_endpoint(session: boto3.Session) -> str | None:
    """The endpoint that the environment or the AWS configuration file sets for bedrock-runtime, if any.

    Order and names as botocore 1.44.5 has them: `AWS_ENDPOINT_URL_BEDROCK_RUNTIME`, `AWS_ENDPOINT_URL`, then the
    profile's `services` section and `endpoint_url`.
    """
    core = session._session
    if core.get_config_variable("ignore_configured_endpoint_urls"):
        return None
    found = botocore.configprovider.ConfiguredEndpointProvider(
        full_config=core.full_config, scoped_config=core.get_scoped_config(), client_name=SERVICE
    ).provide()
    return str(found) if found else None


def _credentials_source(session: boto3.Session) -> str | None:
    """In words, where boto3 finds credentials; `None` where it finds none."""
    if os.environ.get("AWS_BEARER_TOKEN_BEDROCK"):
        return "Bedrock API key in the environment"
    try:
        credentials = session.get_credentials()
    except (botocore.exceptions.BotoCoreError, ValueError) as error:
        raise ConfigurationError(f"The AWS credentials cannot be used: {error}") from error
    if credentials is None:
        return None
    sources = {"env": "the environment", "shared-credentials-file": "the shared credentials file", "iam-role": "EC2"}
    return f"credentials from {sources.get(credentials.method, credentials.method)}"


def choose_backend(
    choice: BackendChoice, *, region: str | None, profile: str | None, endpoint_url: str | None
) -> tuple[BackendStatus, boto3.Session | None, str | None]:
    """The backend that `choice` means on this machine, the session for AWS where there is one, and the endpoint in its
    place where one is set, with its login.

    `auto` is AWS when boto3 finds credentials in any of its ways or an endpoint is set, otherwise local. Raises
    `ConfigurationError` where AWS was asked for by name and cannot be used.
    """
    if choice == "local":
        return BackendStatus(backend="local", reason="chosen with --backend local"), None, None
    try:
        session = make_session(profile, region)
        endpoint = endpoint_url or configured_endpoint(session)
        source = _credentials_source(session)
    except ConfigurationError as error:
        if choice == "aws" or profile is not None:
            raise
        return BackendStatus(backend="local", reason=str(error)), None, None
    if source is None and endpoint is None:
        if choice == "aws":
            raise ConfigurationError(
                "No AWS credentials found. Run `aws configure` or `aws sso login`, set AWS_BEARER_TOKEN_BEDROCK, "
                "or start with --backend local."
            )
        return BackendStatus(backend="local", reason="no AWS credentials found"), None, None
    return (
        BackendStatus(
            backend="aws",
            reason="endpoint set by hand" if endpoint else str(source),
            region=region or session.region_name or os.environ.get("AWS_REGION") or DEFAULT_REGION,
            profile=profile,
            endpoint_url=endpoint,
        ),
        _with_placeholder_keys(session) if source is None else session,
        endpoint,
    )


def _with_placeholder_keys(session: boto3.Session) -> boto3.Session:
    """An endpoint set by hand may check no signature; boto3 must still sign with something."""
    return boto3.Session(
        aws_access_key_id=PLACEHOLDER_KEY,
        aws_secret_access_key=PLACEHOLDER_KEY,
        region_name=session.region_name,
    )


# --- from a model id to its provider ----------------------------------------------------------------------------------


class Backends:
    """The providers of this process: AWS where it is set up, and always the local endpoint, started on first use.

    `local_url` names an endpoint that runs already. With AWS, and no endpoint set by hand, the account is asked in the
    background what it can call; `list_models=False` leaves that until `models` is called. A stream that says nothing
    for `silence_limit_s` is given up. Safe to share between threads.
    """

    def __init__(
        self,
        choice: BackendChoice = "auto",
        *,
        region: str | None = None,
        profile: str | None = None,
        endpoint_url: str | None = None,
        local_url: str | None = None,
        list_models: bool = True,
        silence_limit_s: float = SILENCE_LIMIT_S,
    ) -> None:
        chosen = choose_backend(choice, region=region, profile=profile, endpoint_url=endpoint_url)
        self.status, session, self._endpoint_url = chosen
        self._lock = threading.Lock()
        self._local_url = local_url
        self._local_endpoint: Any = None
        self._local: BedrockProvider | None = None
        self._aws: BedrockProvider | None = None
        self._account: Account | None = None
        self._session = session
        self._silence_limit_s = silence_limit_s
        self._places = Places(self._place)
        if session is not None:
            region = self.status.region or DEFAULT_REGION
            client = self._client(session, region)
            if self._endpoint_url is None:
                self._account = Account(control_client(session, region=region), region=region)
            self._aws = BedrockProvider(
                client, backend="aws", models=aws_models(), account=self._account, region=region
            )
        if self._account is not None and list_models:
            self._account.start()

    def status_of(self, model_id: str) -> BackendStatus:
        """Where `model_id` is served. Raises `UnknownModelError` for what is no model id at all."""
        if parse_model_id(model_id).is_own:
            return BackendStatus(backend="local", reason="a model of this machine", endpoint_url=self._local_url)
        return self.status

    def provider_for(self, model_id: str) -> Provider:
        """The provider that serves `model_id`. Raises `UnknownModelError`, `ConfigurationError`."""
        if parse_model_id(model_id).is_own:
            return self.local()
        if self._aws is None:
            resolve(model_id)  # an id that no family fits is told as such
            raise ConfigurationError(
                f"{model_id} runs on AWS, and this playground runs without an AWS account ({self.status.reason}). "
                "Set up credentials (`aws configure`) and start again, or choose a model on this machine."
            )
        return self._aws

    def at(self, *, region: str | None = None, profile: str | None = None) -> Place:
        """The same backends with AWS seen from another region or profile; each is made once. Another profile without a
        region means the one that boto3 finds for it. An endpoint set by hand serves any region's name, and models of
        this machine stay where they are. Raises `ConfigurationError`."""
        status = self.status
        profile = profile or status.profile
        if not region and profile == status.profile:
            region = status.region
        if status.backend == "local" or (region, profile) == (status.region, status.profile):
            return Place(self, status, self._aws)
        return self._places.at(region or None, profile)

    def _place(self, region: str | None, profile: str | None) -> Place:
        session = make_session(profile, region)
        region = region or session.region_name or self.status.region or DEFAULT_REGION
        source = _credentials_source(session)
        if source is None:
            if self._endpoint_url is None:
                raise ConfigurationError(f"No AWS credentials found for profile {profile}. Run `aws configure`.")
            session = _with_placeholder_keys(session)
        client = self._client(session, region)
        account = self._account if profile == self.status.profile else None
        provider = BedrockProvider(client, backend="aws", models=aws_models(), account=account, region=region)
        return Place(self, replace(self.status, region=region, profile=profile), provider)

    def _client(self, session: boto3.Session, region: str) -> RuntimeClient:
        limit_s = self._silence_limit_s
        return runtime_client(session, region=region, endpoint_url=self._endpoint_url, silence_limit_s=limit_s)

    def regions(self) -> Sequence[str]:
        """The regions that have Bedrock, as botocore's own list has them; none without AWS."""
        return self._session.get_available_regions(SERVICE) if self._session else ()

    def profiles(self) -> Sequence[str]:
        """The profiles of the AWS configuration files; none without AWS."""
        return self._session.available_profiles if self._session else ()

    def aws(self) -> BedrockProvider:
        """The provider of AWS, or of the endpoint set in its place. Raises `ConfigurationError` without one."""
        if self._aws is None:
            raise ConfigurationError(f"AWS is not set up: {self.status.reason}.")
        return self._aws

    def local(self) -> BedrockProvider:
        """The provider of the local endpoint, which is started when it is first asked for."""
        with self._lock:
            if self._local is None:
                line = None
                if self._local_url is None:
                    from providers.local.launch import LocalEndpoint

                    self._local_endpoint = LocalEndpoint()
                    self._local_url, line = self._local_endpoint.url, self._local_endpoint.ahead
                client = local_client(self._local_url, silence_limit_s=self._silence_limit_s)
                self._local = BedrockProvider(client, backend="local", models=local_models(), line=line)
            return self._local

    def models(self) -> Sequence[ModelInfo]:
        """What can be chosen: the models of AWS first where it answers, then those of this machine.

        Never waits: until the account has answered, its part is the built-in list.
        """
        return [*(self._aws.models() if self._aws else ()), *local_models()]

    def default_model(self) -> str:
        """The id that is chosen when nobody has chosen."""
        offered = [info.id for info in self.models()]
        return DEFAULT_AWS_MODEL if DEFAULT_AWS_MODEL in offered else offered[0]

    @property
    def listing(self) -> str:
        """A sentence on where the list of models comes from, and why it is not the account's where it is not."""
        if self._account is not None:
            return self._account.listing
        return f"The built-in list of models is shown: {self.status.reason}."

    def wait_for_models(self, timeout_s: float = TIMEOUT_S) -> None:
        """Waits until the account was asked, at most `timeout_s`: for a command that only prints the list."""
        if self._account is not None:
            self._account.wait(timeout_s)

    def close(self) -> None:
        """Ends the local endpoint if this object started it."""
        with self._lock:
            if self._local_endpoint is not None:
                self._local_endpoint.close()
                self._local_endpoint = self._local = self._local_url = None
