"""The ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from graphql_api import pages
from graphql_api.downloads import DownloadLinks
from graphql_api.endpoint import GraphQLEndpoint
from resources.catalog import Catalog
from resources.settings import Settings

REQUEST_SECONDS = 30.0

SECURITY_HEADERS = {
    # GraphiQL's editor sets inline styles and its fonts and icons are data: addresses; scripts are files of ours only
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def create_app(
    settings: Settings, catalog: Catalog | None = None, *, request_seconds: float = REQUEST_SECONDS
) -> Starlette:
    """The API as an ASGI application.

    It answers at ``/`` (landing page), ``/graphql``, ``/schema.graphql``, ``/files/{token}`` and ``/health``.

    Args:
        settings: The settings of this process.
        catalog: What is asked about; connected from the settings, and closed at the end, if not given.
        request_seconds: How long a GraphQL request may take.
    """
    connected = Catalog.connect(settings.catalog_url) if catalog is None else catalog
    links = DownloadLinks.from_settings(settings)
    graphql = GraphQLEndpoint(connected, links, public_url=settings.api_public_url, seconds=request_seconds)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        if catalog is None:
            connected.dispose()

    routes = [
        Route("/", pages.landing_page),
        Route("/graphql", graphql.__call__, methods=["GET", "POST"]),
        Route("/health", pages.health_check(connected)),
        Route("/schema.graphql", pages.schema_text),
        Route("/files/{token}", pages.download(connected, links)),
        Mount("/static", StaticFiles(directory=pages.STATIC)),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers={Exception: pages.unexpected_error},
        lifespan=lifespan,
    )


class SecurityHeaders:
    """Adds the security headers to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and complete its answer's headers."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)
