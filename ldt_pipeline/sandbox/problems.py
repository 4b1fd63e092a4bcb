"""What can be wrong with a request, as exceptions that carry a status and a message.

What belongs here: the refusals that a well-behaved server gives. What doesn't: the misbehaviour
that tests ask for (`faults`).
"""

from __future__ import annotations


class Problem(Exception):  # noqa: N818 - a refusal is an answer here, not an error
    """A request that is answered with a status other than 200."""

    status = 500

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadParameter(Problem):
    """A query parameter that is unknown, repeated, malformed or at odds with another."""

    status = 400

    def __init__(self, name: str, complaint: str) -> None:
        super().__init__(f"{name}: {complaint}")
        self.name = name


class BadBody(Problem):
    """A body that isn't JSON, or breaks a rule of the operation's schema."""

    status = 400

    def __init__(self, where: str, complaint: str) -> None:
        super().__init__(f"{where}: {complaint}")
        self.where = where


class Unauthorised(Problem):
    """No key, or one that isn't good."""

    status = 401


class NotFound(Problem):
    """No such record, or no such path."""

    status = 404
