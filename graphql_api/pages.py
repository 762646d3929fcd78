"""Everything that is not GraphQL: the landing page, GraphiQL, the health check, the schema as text, downloads."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response

from graphql_api.downloads import DownloadLinks, ExpiredLinkError, InvalidLinkError
from graphql_api.schema import print_schema
from refinebio_assets.domain.errors import InputError, NotFoundError, RefinebioError
from resources.catalog import Catalog
from resources.catalog.models import ComputedFile

log = structlog.get_logger(__name__)

STATIC = Path(__file__).parent / "static"

STATUS_OF: tuple[tuple[type[RefinebioError], int], ...] = (
    (InvalidLinkError, 403),
    (ExpiredLinkError, 410),
    (NotFoundError, 404),
    (InputError, 400),
)


def landing_page(_request: Request) -> Response:
    """What a browser sees at the root."""
    return FileResponse(STATIC / "index.html")


def graphiql_page() -> Response:
    """GraphiQL, from files of ours only."""
    return FileResponse(STATIC / "graphiql" / "index.html", headers={"Vary": "Accept"})


def schema_text(_request: Request) -> Response:
    """The schema in GraphQL's own language."""
    return PlainTextResponse(print_schema())


def health_check(catalog: Catalog) -> Callable[[Request], Response]:
    """An endpoint that says whether the database answers: 200 or 503."""

    def health(_request: Request) -> Response:
        try:
            with catalog.engine.connect() as connection:
                connection.execute(select(1))
        except SQLAlchemyError:
            log.exception("the catalog does not answer")
            return JSONResponse({"status": "unavailable", "version": _version()}, 503)
        database = catalog.engine.dialect.name
        return JSONResponse({"status": "ok", "version": _version(), "database": database})

    return health


def download(catalog: Catalog, links: DownloadLinks) -> Callable[[Request], Response]:
    """An endpoint that sends a computed file for a signed token; ranges and ETag (the file's sha256) are understood."""

    def send(request: Request) -> Response:
        try:
            key = links.read(request.path_params["token"])
            filename, sha256 = _catalogued(catalog, key)
            path = links.local_path(key)
        except RefinebioError as error:
            return error_response(error)
        etag = f'"{sha256}"'
        headers = {"ETag": etag, "Cache-Control": "private, max-age=0, must-revalidate"}
        if etag in [tag.strip() for tag in request.headers.get("if-none-match", "").split(",")]:
            return Response(status_code=304, headers=headers)
        return FileResponse(path, media_type="application/octet-stream", filename=filename, headers=headers)

    return send


def _catalogued(catalog: Catalog, key: str) -> tuple[str, str]:
    statement = select(ComputedFile.filename, ComputedFile.sha256).where(ComputedFile.key == key)
    with catalog.engine.connect() as connection:
        row = connection.execute(statement).one_or_none()
    if row is None:
        message = "The file is no longer in the catalog."
        raise NotFoundError(message, remedy="Ask for a new `downloadUrl`.")
    return row.filename, row.sha256


def error_response(error: RefinebioError) -> Response:
    """An error of ours as JSON with its HTTP status."""
    status = next((status for kind, status in STATUS_OF if isinstance(error, kind)), 503)
    return JSONResponse({"error": {"code": error.code, "message": str(error)}}, status)


async def unexpected_error(_request: Request, _error: Exception) -> Response:
    """The answer to a defect; Starlette logs it."""
    described = {"code": RefinebioError.code, "message": "Something went wrong on our side; the server's log has it."}
    return JSONResponse({"error": described}, 500)


def _version() -> str:
    try:
        return version("refinebio")
    except PackageNotFoundError:
        return "unknown"
