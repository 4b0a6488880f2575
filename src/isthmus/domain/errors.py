"""Every error isthmus raises, in one tree.

    IsthmusError                 code · status · retryable · hint
    ├── RequestError             the caller can mend it
    │   ├── InvalidRequest         400 invalid_request
    │   ├── Unsupported            400 unsupported_parameter
    │   ├── InvalidKey             401 invalid_api_key
    │   ├── UnknownModel           404 model_not_found
    │   ├── UnknownPath            404 unknown_path
    │   ├── NotFound               404 not_found
    │   ├── MethodNotAllowed       405 method_not_allowed
    │   ├── TooLarge               413 request_too_large
    │   ├── TooMany                429 limit_reached
    │   └── NotCapable             400 no_capable_offer
    ├── PolicyError              perimeter, clearance, budget; the reason is part of the answer
    │   ├── PerimeterDenied        403 perimeter_denied
    │   ├── LicenceDenied          403 not_licensed
    │   └── WorkloadDenied         403 workload_not_allowed
    ├── ProviderError            upstream failed
    │   ├── UpstreamUnreachable    502 upstream_unreachable
    │   ├── UpstreamTimeout        504 upstream_timeout
    │   ├── UpstreamRefused        400, 413, 415, 422, 429, 502 or 503, upstream_error
    │   ├── UpstreamMalformed      502 upstream_malformed
    │   ├── StreamInterrupted      502 stream_interrupted
    │   └── NoHealthyOffer         503 no_healthy_offer
    ├── ToolError                told to the model; the run goes on
    │   └── ToolUncertain          whether it was done cannot be told
    ├── ConfigError              stops the start; names the file, the key and the fix
    ├── LedgerError              503 ledger_unavailable; never swallowed
    └── Overloaded               503 overloaded

The class carries a stable code, an HTTP status and whether another try may help; the instance says what happened
and, in `hint`, what to do. A message never contains message content or a credential.
"""

from __future__ import annotations

from typing import ClassVar


class IsthmusError(Exception):
    """Root of the tree."""

    code: ClassVar[str] = "internal_error"
    status: int = 500
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.request_id: str | None = None
        """Of the request it ended, once there is one."""
        self.param: str | None = None
        """Field or place in the request that is to blame, in the words of the caller's dialect."""

    @property
    def sentence(self) -> str:
        """The message and, where there is one, the hint: what a person is shown."""
        return f"{self.message} {self.hint}" if self.hint else self.message


class RequestError(IsthmusError):
    """The caller can mend it."""

    code = "invalid_request"
    status = 400

    def __init__(self, message: str, *, hint: str | None = None, param: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.param = param


class InvalidRequest(RequestError):
    """The body is not what its dialect says it should be."""


class Unsupported(RequestError):
    """What was asked cannot be said in the dialect of the chosen offer, and is not dropped silently."""

    code = "unsupported_parameter"


class InvalidKey(RequestError):
    """No key, or one that is unknown or revoked."""

    code = "invalid_api_key"
    status = 401


class UnknownModel(RequestError):
    """The name is neither a workload nor an offer of this principal."""

    code = "model_not_found"
    status = 404


class UnknownPath(RequestError):
    """No such endpoint."""

    code = "unknown_path"
    status = 404


class NotFound(RequestError):
    """The caller's tenant has no such file, batch or other thing."""

    code = "not_found"
    status = 404


class MethodNotAllowed(RequestError):
    """The endpoint takes another method."""

    code = "method_not_allowed"
    status = 405


class TooLarge(RequestError):
    """A limit on size or count was exceeded."""

    code = "request_too_large"
    status = 413


class TooMany(RequestError):
    """The caller has as many of something as it may; it must end or delete one first."""

    code = "limit_reached"
    status = 429


class NotCapable(RequestError):
    """No offer of the workload can do what the request needs."""

    code = "no_capable_offer"


class PolicyError(IsthmusError):
    """Policy says no; the reason is part of the answer."""

    code = "policy_denied"
    status = 403


class PerimeterDenied(PolicyError):
    """No offer of the workload is cleared for the labels of the request."""

    code = "perimeter_denied"


class LicenceDenied(PolicyError):
    """Licence or terms of every offer that is left forbid this organisation what the workload is for."""

    code = "not_licensed"


class WorkloadDenied(PolicyError):
    """The key may not use the workload."""

    code = "workload_not_allowed"


class ProviderError(IsthmusError):
    """An upstream failed.

    Attributes:
        offer: name of the offer that failed, once known.
        retry_after: seconds the upstream asked to wait, or None.
    """

    code = "upstream_error"
    status = 502
    retryable = True

    def __init__(
        self, message: str, *, hint: str | None = None, offer: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.offer = offer
        self.retry_after = retry_after


class UpstreamUnreachable(ProviderError):
    """No connection, or the connection broke before any answer."""

    code = "upstream_unreachable"


class UpstreamTimeout(ProviderError):
    """A deadline passed: `phase` says which (connect, first_byte, between_bytes, total)."""

    code = "upstream_timeout"
    status = 504

    def __init__(self, message: str, *, phase: str, hint: str | None = None, offer: str | None = None) -> None:
        super().__init__(message, hint=hint, offer=offer)
        self.phase = phase


class UpstreamRefused(ProviderError):
    """The upstream answered with an error status.

    The caller is told the upstream's status where the request is to blame, 429 and 503 where waiting may help, and
    502 for the rest: that isthmus' own credential was refused, say, must not look like a fault of the caller's key.

    Attributes:
        upstream_status: the status of the upstream's answer.
        upstream_code: the upstream's own error code, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        upstream_code: str | None = None,
        hint: str | None = None,
        offer: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, hint=hint, offer=offer, retry_after=retry_after)
        self.upstream_status = status
        self.upstream_code = upstream_code
        if status in {400, 413, 415, 422, 429}:
            self.status = status
        elif status in {503, 529}:
            self.status = 503


class UpstreamMalformed(ProviderError):
    """The upstream's bytes are not HTTP, or not of its dialect."""

    code = "upstream_malformed"


class StreamInterrupted(ProviderError):
    """The upstream died after the first token; what was sent cannot be taken back."""

    code = "stream_interrupted"
    retryable = False


class NoHealthyOffer(ProviderError):
    """Offers would do, but every one of them is resting, failing or retired."""

    code = "no_healthy_offer"
    status = 503


class ToolError(IsthmusError):
    """A tool failed; told to the model, the run goes on."""

    code = "tool_error"


class ToolUncertain(ToolError):
    """Whether a tool did what it was to do cannot be told: it is not done again, and a person is asked."""


class ConfigError(IsthmusError):
    """Settings that cannot be used; `problems` holds one sentence each, with file, key and fix."""

    code = "config_error"

    def __init__(self, message: str, *, hint: str | None = None, problems: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.problems = problems


class LedgerError(IsthmusError):
    """The record cannot be kept."""

    code = "ledger_unavailable"
    status = 503
    retryable = True


class Overloaded(IsthmusError):
    """More work than the limits allow.

    Attributes:
        retry_after: seconds until another try may help.
    """

    code = "overloaded"
    status = 503
    retryable = True

    def __init__(self, message: str, *, hint: str | None = None, retry_after: float = 1.0) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after
