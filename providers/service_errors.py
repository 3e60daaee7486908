"""What boto3 and urllib3 raise, at the call and while its answer is read, as the tree of `errors.py`.

One table from the service's codes to our classes, one sentence each, one context manager. The facts were measured with
botocore 1.44.5: inside a stream codes come in lower camel case, an exception that the service model does not list
comes without code and message, and while a body is read connections break as urllib3's exceptions, not botocore's.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import botocore.eventstream
import botocore.exceptions
import botocore.parsers
import urllib3.exceptions

from providers import errors

_BY_CODE: dict[str, type[errors.ProviderError]] = {
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
    errors.AccessDeniedError: "No access to {model}: {said} Check the credentials, the region and model access.",
    errors.ModelNotFoundError: "{model} is not to be had here: {said} Check the id and the region.",
    errors.ModelTimeoutError: "{model} took too long: {said} Try again, or ask for fewer tokens.",
    errors.ModelFailedError: "{model} failed on this request: {said} Try again, or change the prompt.",
    errors.ThrottledError: "AWS is throttling {model}: {said} Wait a moment and try again.",
    errors.ModelNotReadyError: "{model} is not ready yet: {said} Try again in a moment.",
    errors.InternalServiceError: "The service failed: {said} Try again.",
    errors.ServiceUnavailableError: "The service is not available: {said} Try again in a moment.",
}


def error_from_service(model_id: str, error: botocore.exceptions.ClientError) -> errors.ProviderError:
    """Our error for one that the service named, at the call or inside the stream."""
    told = error.response.get("Error", {})
    metadata = error.response.get("ResponseMetadata", {})
    code = str(told.get("Code") or "")
    said = str(told.get("Message") or "").strip()
    status = metadata.get("HTTPStatusCode")
    in_stream = isinstance(error, botocore.exceptions.EventStreamError)
    kind = _BY_CODE.get(code[:1].upper() + code[1:])
    if kind is None:
        kind = errors.InternalServiceError if in_stream else _BY_STATUS.get(status or 0, errors.InternalServiceError)
    lowered = said.lower()
    if kind is errors.InvalidRequestError and "model identifier is invalid" in lowered:
        kind = errors.ModelNotFoundError
    elif kind is errors.ThrottledError and "per day" in lowered:
        kind = errors.QuotaExceededError  # "Too many tokens per day": seconds of waiting are no help
    if said and said[-1] not in ".!?":
        said += "."
    sentence = _ADVICE[kind].format(model=model_id, said=said or "it did not say why.")
    return kind(
        sentence,
        code=code or "unnamed_error",
        request_id=metadata.get("RequestId"),
        http_status=None if in_stream else status,
        retry_after_s=_retry_after_s(metadata.get("HTTPHeaders", {})),
    )


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    try:
        if "x-amz-retry-after" in headers:
            return float(headers["x-amz-retry-after"]) / 1000  # milliseconds, as botocore 1.44.5 reads it
        return float(headers["retry-after"]) if "retry-after" in headers else None
    except ValueError:
        return None


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
def translate_errors(model_id: str) -> Iterator[None]:
    """Maps everything that boto3 and urllib3 raise, while opening and while reading, onto our tree."""
    try:
        yield
    except botocore.exceptions.ClientError as error:
        raise error_from_service(model_id, error) from error
    except _NOT_CONFIGURED as error:
        raise errors.ConfigurationError(
            f"AWS is not set up for {model_id}: {error}. Run `aws configure` or `aws sso login`, or choose a model on "
            "this machine."
        ) from error
    except botocore.exceptions.ParamValidationError as error:
        raise errors.InvalidRequestError(f"The request to {model_id} is not valid: {error}") from error
    except (botocore.exceptions.ReadTimeoutError, urllib3.exceptions.ReadTimeoutError) as error:
        raise errors.ModelTimeoutError(f"{model_id} was silent for too long. Try again.", code="timeout") from error
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
