"""Everything that can go wrong between a request and its answer.

    ProviderError (RuntimeError)
      ConfigurationError          no credentials, no region, a profile that does not exist
      UnknownModelError           no family fits the id                           (a ValueError too)
      RequestError                sending the same again cannot help
        InvalidValueError         refused before any call, names field and range  (a ValueError too)
        InvalidRequestError       the service's ValidationException
        AccessDeniedError
        ModelNotFoundError
        QuotaExceededError
      TransientError              sending the same again may help
        ThrottledError
        ModelNotReadyError
        ModelTimeoutError
          ModelSilentError        we gave up waiting; before the first piece not sent again, it may be billed
        InternalServiceError
        ServiceUnavailableError
        ConnectionFailedError
      ModelFailedError            the model broke; not retried
      StreamInterruptedError      the answer was cut after its first piece; keeps it
      DecodeError                 bytes that are not in the documented format

`str(error)` is a sentence for the person: what happened and what to do. It never holds a credential.
"""

from __future__ import annotations

import re

from providers.types import Completion


class ProviderError(RuntimeError):
    """Base of all errors here.

    `code` is the service's own word (`ThrottlingException`), `http_status` its status, `retry_after_s` its wish.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        request_id: str | None = None,
        http_status: int | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(redact(message))
        self.code = code
        self.request_id = request_id
        self.http_status = http_status
        self.retry_after_s = retry_after_s


class ConfigurationError(ProviderError):
    """This machine is not set up for the call: credentials, region, profile or endpoint."""


class UnknownModelError(ProviderError, ValueError):
    """No family fits the model id, or the model makes no text."""


class RequestError(ProviderError):
    """The request itself is at fault; the same request will fail again."""


class InvalidValueError(RequestError, ValueError):
    """A value was refused before any call. `field` is the parameter's name in the request."""

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.field = field


class InvalidRequestError(RequestError):
    """The service found the request invalid."""


class AccessDeniedError(RequestError):
    """The account, role or key may not call this model."""


class ModelNotFoundError(RequestError):
    """The service does not know the model id in this region, or the model has ended its life."""


class QuotaExceededError(RequestError):
    """An account quota is used up; waiting seconds will not help."""


class TransientError(ProviderError):
    """The same request may succeed a little later. Retry means `isinstance(error, TransientError)`."""


class ThrottledError(TransientError):
    """Too many requests or tokens just now."""


class ModelNotReadyError(TransientError):
    """The model is being loaded."""


class ModelTimeoutError(TransientError):
    """The model, or the wait for it, took longer than allowed."""


class ModelSilentError(ModelTimeoutError):
    """Nothing came for longer than is allowed here. The service may still be at work on it, and bill it."""


class InternalServiceError(TransientError):
    """The service failed on its own."""


class ServiceUnavailableError(TransientError):
    """The service is not available just now."""


class ConnectionFailedError(TransientError):
    """No connection, or it broke before an answer began."""


class ModelFailedError(ProviderError):
    """The model failed while it worked on this request."""


class StreamInterruptedError(ProviderError):
    """The answer was cut after its first piece. `partial` is what had arrived; the cause is chained."""

    def __init__(self, message: str, *, partial: Completion, code: str | None = None) -> None:
        super().__init__(message, code=code, request_id=partial.request_id)
        self.partial = partial


class DecodeError(ProviderError):
    """The endpoint answered in a format that is not Bedrock's."""


_SECRETS = re.compile(
    r"(?-i:(?:AKIA|ASIA)[A-Z0-9]{12,})"
    r"|Credential=[^,\s]+"
    r"|Signature=[0-9a-f]{16,}"
    r"|X-Amz-Security-Token[\"']?(?:[:=]\s*)?[^,}\s]*"
    r"|ABSK[A-Za-z0-9+/=_-]{16,}"
    r"|bedrock-api-key-[A-Za-z0-9+/=_-]+"
    r"|Bearer\s+\S+"
    r"|aws_(?:secret_access_key|session_token)\W+\S+"
    r"|(?P<login>(?<=://)[^/?#\s\"']+@)"
    r"|(?P<home>/(?:home|Users)/[^/\s'\":;,)]+|/root(?![\w.-])|[A-Z]:\\Users\\[^\\\s'\":;,)]+)"
    r"|(?P<account>(?<![^\W_])(?<!\d\.)\d{12}(?![^\W_]))",
    re.IGNORECASE,
)
_INSTEAD = {"account": "…", "home": "~", "login": ""}


def redact(text: str) -> str:
    """`text` without access keys, signatures, tokens, logins in addresses and account ids (any number of twelve
    digits); home folders are written `~`."""
    return _SECRETS.sub(lambda found: _INSTEAD.get(found.lastgroup or "", "[removed]"), text)
