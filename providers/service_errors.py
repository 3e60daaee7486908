"""What boto3 and urllib3 raise, at the call and while its answer is read, as the tree of `errors.py`.

One table from the service's codes to our classes, one sentence each, one context manager. The facts were measured with
botocore 1.44.5: inside a stream codes come in lower camel case, an exception that the service model does not list
comes without code and message, and while a body is read connections break as urllib3's exceptions, not botocore's.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

import botocore.eventstream
import botocore.exceptions
import botocore.parsers
import urllib3.exceptions

from providers import errors
from providers.catalog import profile_for
from providers.types import ModelInfo

BY_CODE: dict[str, type[errors.ProviderError]] = {
    # The eleven that botocore 1.44.5 lists for our four operations ...
    "ValidationException": errors.InvalidRequestError,
    "ServiceQuotaExceededException": errors.QuotaExceededError,
    "AccessDeniedException": errors.AccessDeniedError,
    "ResourceNotFoundException": errors.ModelNotFoundError,
    "ModelTimeoutException": errors.ModelTimeoutError,
    "ModelErrorException": errors.ModelFailedError,
    "ModelStreamErrorException": errors.ModelFailedError,
    "ThrottlingException": errors.ThrottledError,
    "ModelNotReadyException": errors.ModelNotReadyError,
    "InternalServerException": errors.InternalServiceError,
    "ServiceUnavailableException": errors.ServiceUnavailableError,
    # ... and those of the front door, which the service model leaves out.
    "UnrecognizedClientException": errors.AccessDeniedError,
    "ExpiredTokenException": errors.AccessDeniedError,
    "ExpiredToken": errors.AccessDeniedError,
    "InvalidSignatureException": errors.AccessDeniedError,
    "MissingAuthenticationTokenException": errors.AccessDeniedError,
    "IncompleteSignatureException": errors.AccessDeniedError,
    "UnknownOperationException": errors.ModelNotFoundError,
    "TooManyRequestsException": errors.ThrottledError,
}

_BY_STATUS: dict[int, type[errors.ProviderError]] = {
    400: errors.InvalidRequestError,
    401: errors.AccessDeniedError,
    403: errors.AccessDeniedError,
    404: errors.ModelNotFoundError,
    408: errors.ModelTimeoutError,
    413: errors.InvalidRequestError,
    424: errors.ModelFailedError,
    429: errors.ThrottledError,
    500: errors.InternalServiceError,
    502: errors.ServiceUnavailableError,
    503: errors.ServiceUnavailableError,
    504: errors.ServiceUnavailableError,
}

_ADVICE: dict[type[errors.ProviderError], str] = {
    errors.InvalidRequestError: "{model} refused the request: {said}",
    errors.QuotaExceededError: "A quota of this account is used up: {said}",
    errors.AccessDeniedError: "The credentials were refused: {said} Sign in again (`aws sso login`) or renew the key.",
    errors.ModelNotFoundError: "{model} is not to be had here: {said} Check the id and the region.",
    errors.ModelTimeoutError: "{model} took too long: {said} Try again, or ask for fewer tokens.",
    errors.ModelFailedError: "{model} failed on this request: {said} Try again, or change the prompt.",
    errors.ThrottledError: "AWS is throttling {model}: {said} Wait a moment and try again.",
    errors.ModelNotReadyError: "{model} is not ready yet: {said} Try again in a moment.",
    errors.InternalServiceError: "The service failed: {said} Try again.",
    errors.ServiceUnavailableError: "The service is not available: {said} Try again in a moment.",
}


_NO_ACCESS = (
    "No access to {model}: {said} Open it in the Bedrock console of {region} (model catalog) and request access there, "
    "and let the role or key have bedrock:InvokeModel and bedrock:InvokeModelWithResponseStream."
)
_NO_USE_CASE = (
    "No access to {model} yet: {said} The form is in the Bedrock console of {region} (model catalog, any model of "
    "Anthropic)."
)
_NOT_ON_DEMAND = "{model} cannot be called by this id in {region}, only through an inference profile. {step}"
_ON_DEMAND_REFUSED = re.compile(r"on-demand throughput isn.t supported")  # the service writes a curly apostrophe


def error_from_service(
    model_id: str,
    error: botocore.exceptions.ClientError,
    *,
    region: str | None = None,
    offered: Callable[[], Iterable[ModelInfo]] = tuple,
) -> errors.ProviderError:
    """Our error for one that the service named, at the call or inside the stream.

    `region` and `offered` (the models to choose from) make the step to take a precise one.
    """
    told = error.response.get("Error", {})
    metadata = error.response.get("ResponseMetadata", {})
    code = str(told.get("Code") or "")
    said = str(told.get("Message") or "").strip()
    status = metadata.get("HTTPStatusCode")
    in_stream = isinstance(error, botocore.exceptions.EventStreamError)
    name = code[:1].upper() + code[1:]
    kind = BY_CODE.get(name)
    if kind is None:
        kind = errors.InternalServiceError if in_stream else _BY_STATUS.get(status or 0, errors.InternalServiceError)
    kind, sentence = _kind_and_sentence(kind, name, said.lower())
    if said and said[-1] not in ".!?":
        said += "."
    place = region or "the region"
    step = _profile_step(model_id, place, offered) if sentence is _NOT_ON_DEMAND else ""
    return kind(
        sentence.format(model=model_id, said=said or "it did not say why.", region=place, step=step),
        code=code or "unnamed_error",
        request_id=metadata.get("RequestId"),
        http_status=None if in_stream else status,
        retry_after_s=_retry_after_s(metadata.get("HTTPHeaders", {})),
    )


def _kind_and_sentence(
    kind: type[errors.ProviderError], code: str, said: str
) -> tuple[type[errors.ProviderError], str]:
    """The class and the sentence, where the code alone does not settle them."""
    if kind is errors.InvalidRequestError and "model identifier is invalid" in said:
        kind = errors.ModelNotFoundError
    elif kind is errors.InvalidRequestError and _ON_DEMAND_REFUSED.search(said):
        return kind, _NOT_ON_DEMAND
    elif kind is errors.ThrottledError and "per day" in said:
        kind = errors.QuotaExceededError  # "Too many tokens per day": seconds of waiting are no help
    elif kind is errors.ModelNotFoundError and "use case details" in said:
        return errors.AccessDeniedError, _NO_USE_CASE  # a 404 (obot-platform/obot issue 6747, 2026-05)
    elif kind is errors.AccessDeniedError and code == "AccessDeniedException":
        return kind, _NO_ACCESS
    return kind, _ADVICE[kind]


def _profile_step(model_id: str, region: str, offered: Callable[[], Iterable[ModelInfo]]) -> str:
    profile = profile_for(model_id, region, offered())
    if profile is None or profile == model_id:
        return "Use the id of one that contains it: the Bedrock console lists them under Cross-region inference."
    return f"Use {profile}."


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, where the service asks for a number of them that can be waited."""
    try:
        if "x-amz-retry-after" in headers:
            wait_s = float(headers["x-amz-retry-after"]) / 1000  # milliseconds, as botocore 1.44.5 reads it
        else:
            wait_s = float(headers["retry-after"])
    except (KeyError, ValueError):
        return None
    return wait_s if 0 <= wait_s < math.inf else None


_NOT_CONFIGURED = (
    botocore.exceptions.NoCredentialsError,
    botocore.exceptions.PartialCredentialsError,
    botocore.exceptions.CredentialRetrievalError,
    botocore.exceptions.NoRegionError,
    botocore.exceptions.InvalidRegionError,
    botocore.exceptions.NoAuthTokenError,
    botocore.exceptions.TokenRetrievalError,
    botocore.exceptions.SSOError,
    botocore.exceptions.LoginError,
    botocore.exceptions.InvalidEndpointConfigurationError,
)


@contextlib.contextmanager
def translate_errors(
    model_id: str, *, region: str | None = None, offered: Callable[[], Iterable[ModelInfo]] = tuple
) -> Iterator[None]:
    """Maps everything that boto3 and urllib3 raise, while opening and while reading, onto our tree."""
    try:
        yield
    except botocore.exceptions.ClientError as error:
        raise error_from_service(model_id, error, region=region, offered=offered) from error
    except _NOT_CONFIGURED as error:
        raise errors.ConfigurationError(
            f"AWS is not set up for {model_id}: {error}. Run `aws configure` or `aws sso login`, or choose a model on "
            "this machine."
        ) from error
    except botocore.exceptions.ParamValidationError as error:
        raise errors.InvalidRequestError(f"The request to {model_id} is not valid: {error}") from error
    except (botocore.exceptions.ReadTimeoutError, urllib3.exceptions.ReadTimeoutError) as error:
        raise errors.ModelSilentError(
            f"{model_id} said nothing for longer than is allowed here. Try again, or allow more with --silence-limit.",
            code="timeout",
        ) from error
    except (botocore.eventstream.ParserError, botocore.parsers.ResponseParserError, UnicodeDecodeError) as error:
        raise errors.DecodeError(
            "The endpoint did not answer in Bedrock's format. Is there a proxy or a sign-in page in between?",
            code="bad_frame",
        ) from error
    except botocore.exceptions.SSLError as error:
        raise errors.ConnectionFailedError(
            f"No secure connection to the service: {error}. Check the certificates (AWS_CA_BUNDLE).", code="tls"
        ) from error
    except (botocore.exceptions.BotoCoreError, urllib3.exceptions.HTTPError, OSError) as error:
        raise errors.ConnectionFailedError(
            f"The connection to the service failed: {error}. Check the network, the region and the endpoint.",
            code="connection",
        ) from error
