"""GraphQL over HTTP: one operation per request, executed in a worker thread within a time limit.

Follows the GraphQL-over-HTTP draft (https://graphql.github.io/graphql-over-http/draft/): POST with a JSON body, or
GET for queries. Batches are refused. With ``Accept: application/graphql-response+json`` a refused document answers
400; with ``application/json`` it answers 200 and the errors, as that older media type has it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Event
from typing import Any

import anyio
import anyio.to_thread
import orjson
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError

from graphql_api.context import Reader, RequestContext, timed_out
from graphql_api.downloads import DownloadLinks
from graphql_api.errors import BadRequestError
from graphql_api.pages import graphiql_page
from graphql_api.schema import answer
from refinebio_assets.domain.errors import RefinebioError
from resources.catalog import Catalog

MAX_BODY_BYTES = 256 * 1024
WORKER_THREADS = 8
"""Operations executed at the same time; below the size of the database's connection pool."""

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"


@dataclass(frozen=True, slots=True)
class Operation:
    """What a request asks to execute."""

    query: str
    variables: Mapping[str, Any] | None
    name: str | None


class GraphQLEndpoint:
    """Answers GraphQL requests.

    Args:
        catalog: What is asked about.
        downloads: Makes the links of computed files.
        public_url: Address of the API for links; that of the request if None.
        seconds: How long a request may take.
    """

    def __init__(self, catalog: Catalog, downloads: DownloadLinks, *, public_url: str | None, seconds: float) -> None:
        self._catalog = catalog
        self._downloads = downloads
        self._public_url = public_url
        self._seconds = seconds
        self._threads = anyio.CapacityLimiter(WORKER_THREADS)

    async def __call__(self, request: Request) -> Response:
        """Answer one request."""
        accepted = request.headers.get("accept", "")
        if request.method != "POST" and "text/html" in accepted:
            return graphiql_page()
        media_type = GRAPHQL_JSON if GRAPHQL_JSON in accepted else JSON
        try:
            operation = await read_operation(request)
            answered = await self._answer(request, operation)
        except RefinebioError as error:
            return _error_response(error, media_type)
        refused = "data" not in answered and media_type == GRAPHQL_JSON
        return _response(answered, 400 if refused else 200, media_type)

    async def _answer(self, request: Request, operation: Operation) -> dict[str, Any]:
        base_url = (self._public_url or str(request.base_url)).rstrip("/")
        only_queries = request.method != "POST"
        work = _Work(self._catalog, self._downloads, base_url, self._seconds)
        try:
            with anyio.fail_after(self._seconds):
                return await anyio.to_thread.run_sync(
                    work.answer, operation, only_queries, abandon_on_cancel=True, limiter=self._threads
                )
        except TimeoutError:
            work.interrupt()
            raise timed_out(self._seconds) from None
        except InvalidOperationTypeError as error:
            kind = error.operation_type.value
            message = f"A {kind} cannot be executed by a {request.method} request."
            status = 405 if only_queries else 400
            raise BadRequestError(message, status=status, remedy="Send mutations by POST.") from error
        except CannotGetOperationTypeError as error:
            message = f"The document has no operation {operation.name or 'that could be chosen without its name'}."
            raise BadRequestError(message, remedy="Give one operation, or name it in `operationName`.") from error


class _Work:
    """One operation in a worker thread, which the event loop can interrupt."""

    def __init__(self, catalog: Catalog, downloads: DownloadLinks, base_url: str, seconds: float) -> None:
        self._catalog = catalog
        self._downloads = downloads
        self._base_url = base_url
        self._seconds = seconds
        self._reader: Reader | None = None
        self._abandoned = Event()

    def answer(self, operation: Operation, only_queries: bool) -> dict[str, Any]:  # noqa: FBT001  called by position from anyio
        # the catalog's engine itself: its transactions only read and are never committed
        with Session(self._catalog.engine) as session, Reader(session, seconds=self._seconds) as reader:
            self._reader = reader
            if self._abandoned.is_set():
                raise timed_out(self._seconds)
            context = RequestContext(
                catalog=self._catalog,
                reader=reader,
                downloads=self._downloads,
                operation_name=operation.name,
                base_url=self._base_url,
            )
            return answer(
                context,
                operation.query,
                variables=operation.variables,
                only_queries=only_queries,
            )

    def interrupt(self) -> None:
        self._abandoned.set()
        if self._reader is not None:
            self._reader.interrupt()


async def read_operation(request: Request) -> Operation:
    """The operation that a request asks for.

    Raises:
        BadRequestError: The request carries none.
    """
    if request.method == "POST":
        return _operation(_parse(await _read_body(request), "The body"))
    parameters: dict[str, Any] = dict(request.query_params)
    if parameters.get("variables"):
        parameters["variables"] = _parse(parameters["variables"].encode("utf-8", "replace"), "`variables`")
    return _operation({name: value or None for name, value in parameters.items()})


async def _read_body(request: Request) -> bytes:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != JSON:
        message = f"The body is {media_type or 'of no stated type'}; {JSON} is understood."
        raise BadRequestError(message, status=415, remedy=f"Send the header Content-Type: {JSON}.")
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > MAX_BODY_BYTES:
        raise _too_large()
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise _too_large()
    return bytes(body)


def _too_large() -> BadRequestError:
    message = f"The body is larger than {MAX_BODY_BYTES // 1024} kB."
    return BadRequestError(message, status=413, remedy="Ask about fewer accessions at a time.")


def _parse(text: bytes, what: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        message = f"{what} is not JSON: {error}."
        raise BadRequestError(message) from error


def _operation(request: Any) -> Operation:
    if isinstance(request, list):
        message = "Batches are not supported."
        raise BadRequestError(message, remedy="Send one operation per request; it may have several fields.")
    if not isinstance(request, dict) or not isinstance(request.get("query"), str) or not request["query"].strip():
        message = "The request has no `query`."
        raise BadRequestError(message, remedy='Send {"query": "{ stats { numSamples } }"}.')
    variables, name = request.get("variables"), request.get("operationName")
    if not isinstance(variables, dict | None):
        message = "`variables` must be an object."
        raise BadRequestError(message)
    if not isinstance(name, str | None):
        message = "`operationName` must be a text."
        raise BadRequestError(message)
    return Operation(request["query"], variables, name or None)


def _error_response(error: RefinebioError, media_type: str) -> Response:
    status = error.status if isinstance(error, BadRequestError) else 503
    described = {"message": str(error), "extensions": {"code": error.code}}
    response = _response({"errors": [described]}, status, media_type)
    if status == 405:
        response.headers["Allow"] = "POST"
    return response


def _response(content: Mapping[str, Any], status: int, media_type: str) -> Response:
    try:
        body = orjson.dumps(content)
    except (TypeError, ValueError):
        # annotations may hold whole numbers beyond 64 bits, which orjson refuses
        body = json.dumps(content, separators=(",", ":")).encode()
    return Response(body, status, media_type=media_type)
