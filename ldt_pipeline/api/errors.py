"""What can go wrong when talking to Let's Do This, as sentences for whoever can act on it.

Texts hold methods, paths and statuses. They never hold the key or a response's body, which may
hold personal data. Each error is made from its text alone, so that it survives pickling: Dagster
moves errors between processes.
"""

from __future__ import annotations


class ApiError(Exception):
    """Anything that went wrong at the API or on the way to it."""


class AuthenticationError(ApiError):
    """The API refused the key (401 or 403). Never retried."""


class NotFoundError(ApiError):
    """The API has no such record or list, or the key may not see it (404 or 410)."""


class InvalidRequestError(ApiError):
    """The API did not understand the request (another 4xx). Never retried."""


class RateLimitedError(ApiError):
    """The API kept saying that there are too many requests (429)."""


class ServerError(ApiError):
    """The API kept failing (5xx)."""


class ConnectionFailedError(ApiError):
    """The API could not be reached, or the connection kept breaking."""


class ResponseFormatError(ApiError):
    """The API answered with something that is not what its reference describes."""


class ResponseTooLargeError(ResponseFormatError):
    """The API answered with more than is believed (see `limits.py`). Never retried."""


class IncompleteWalkError(ApiError):
    """A list could not be read completely: what was seen never agreed with its total."""


class UnclearWriteError(ApiError):
    """A write may have had its effect or not: the answer was lost. Read back before deciding."""
