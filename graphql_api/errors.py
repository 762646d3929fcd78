"""Errors of the API and how they look in an answer: ``message`` and ``extensions.code``, never a stack or an SQL text.

Codes that belong to the API itself::

    syntax_error         the document is no GraphQL
    validation_failed    the document does not fit the schema, or a variable does not fit its type
    too_complex          depth, aliases, tokens or cost above the limit (``limits.py``)
    bad_request          the HTTP request is not a GraphQL request
    timed_out            the answer took too long
    catalog_unavailable  the database does not answer
    internal_error       a defect: the log has it, the answer does not

All other codes are those of :mod:`refinebio_assets.domain.errors`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog
from graphql import GraphQLError, GraphQLSyntaxError

from refinebio_assets.domain.errors import RefinebioError

log = structlog.get_logger(__name__)

MASKED_MESSAGE = "Something went wrong on our side; the server's log has the details."


class TooComplexError(RefinebioError):
    """The operation asks for more than one request may."""

    code = "too_complex"
    exit_status = 2


class BadRequestError(RefinebioError):
    """The HTTP request carries no GraphQL request.

    Args:
        message: What is wrong with it.
        status: HTTP status of the answer.
        remedy: What to send instead.
    """

    code = "bad_request"
    exit_status = 2

    def __init__(self, message: str, *, status: int = 400, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.status = status


class TimedOutError(RefinebioError):
    """The answer took longer than a request may take."""

    code = "timed_out"
    retryable = True


class CatalogUnavailableError(RefinebioError):
    """The catalog's database does not answer."""

    code = "catalog_unavailable"
    retryable = True


def graphql_error(error: RefinebioError) -> GraphQLError:
    """An error of ours as one that GraphQL carries."""
    return GraphQLError(str(error), original_error=error)


def describe(errors: Sequence[GraphQLError]) -> list[dict[str, Any]]:
    """Errors as they go to the client; those not raised on purpose are masked."""
    return [_describe(error) for error in errors]


def log_unexpected(errors: Sequence[GraphQLError]) -> None:
    """Write masked errors to the log, with their traceback."""
    for error in errors:
        cause = _root_cause(error)
        if not _is_visible(error, cause):
            log.error("graphql resolver failed", path=error.path, exc_info=cause)


def _describe(error: GraphQLError) -> dict[str, Any]:
    cause = _root_cause(error)
    described: dict[str, Any] = {"message": MASKED_MESSAGE, "extensions": {"code": RefinebioError.code}}
    if isinstance(cause, RefinebioError):
        described = {"message": str(cause), "extensions": {"code": cause.code}}
    elif isinstance(cause, RecursionError):
        described = {"message": "The document is nested too deeply.", "extensions": {"code": TooComplexError.code}}
    elif _is_visible(error, cause):
        # graphql-core suggests names of the schema, which costs time on purpose-made documents
        message = error.message.partition(" Did you mean")[0]
        described = {"message": message, "extensions": {"code": _code_of(error)} | (error.extensions or {})}
    if error.locations:
        described["locations"] = [{"line": place.line, "column": place.column} for place in error.locations]
    if error.path:
        described["path"] = error.path
    return described


def _root_cause(error: GraphQLError) -> Exception:
    cause: Exception = error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    return cause


def _is_visible(error: GraphQLError, cause: Exception) -> bool:
    """Raised on purpose, or about the document and its variables: those have nodes but no path in the answer."""
    about_the_document = error.path is None and bool(error.nodes)
    return isinstance(cause, GraphQLError | RefinebioError | RecursionError) or about_the_document


def _code_of(error: GraphQLError) -> str:
    if isinstance(error, GraphQLSyntaxError):
        # graphql-core reports its token limit as a syntax error
        return TooComplexError.code if "tokens. Parsing aborted" in error.message else "syntax_error"
    return "validation_failed"
