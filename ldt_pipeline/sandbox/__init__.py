"""A stand-in for the read side of the Let's Do This API, over real HTTP.

What belongs in this package: somebody else's server, as far as its reference describes it, with an
account full of made-up people, and with faults on request. What doesn't: anything of the pipeline.
Neither imports the other, so that a misunderstanding can't hide in both at once.

The public names are loaded when they are first used: importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ldt_pipeline.sandbox.account import SandboxAccount
    from ldt_pipeline.sandbox.faults import ALL_FAULTS, PASSING_FAULTS, Fault, Faults
    from ldt_pipeline.sandbox.keys import issue_key
    from ldt_pipeline.sandbox.openapi import openapi_document
    from ldt_pipeline.sandbox.server import LoggedRequest
    from ldt_pipeline.sandbox.service import Sandbox, serve

__all__ = [
    "ALL_FAULTS",
    "PASSING_FAULTS",
    "Fault",
    "Faults",
    "LoggedRequest",
    "Sandbox",
    "SandboxAccount",
    "issue_key",
    "openapi_document",
    "serve",
]

_HOMES = {
    "ALL_FAULTS": "faults",
    "PASSING_FAULTS": "faults",
    "Fault": "faults",
    "Faults": "faults",
    "LoggedRequest": "server",
    "Sandbox": "service",
    "SandboxAccount": "account",
    "issue_key": "keys",
    "openapi_document": "openapi",
    "serve": "service",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
