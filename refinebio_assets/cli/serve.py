"""``refinebio serve``: the GraphQL API."""

from __future__ import annotations

import socket
from pathlib import Path

import click

from refinebio_assets.cli.common import read_settings, say
from refinebio_assets.domain.errors import ConfigurationError


@click.command()
@click.option("--host", help="Address to listen on. Default: REFINEBIO_API_HOST, 127.0.0.1.")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port; 0 takes a free one. Default: REFINEBIO_API_PORT, 8000."
)
@click.option("--print-schema", is_flag=True, help="Print the schema in GraphQL's own language and exit.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="With --print-schema: the file to write it to."
)
def serve(host: str | None, port: int | None, print_schema: bool, out: Path | None) -> None:
    """The GraphQL API, with GraphiQL for browsers at /graphql."""
    if out is not None and not print_schema:
        message = "--out goes with --print-schema."
        raise click.UsageError(message)
    if print_schema:
        _write_schema(out)
        return
    settings = read_settings()
    from graphql_api.app import create_app

    listener = _listen(settings.api_host if host is None else host, settings.api_port if port is None else port)
    with listener:
        app = create_app(settings)
        address = _address(listener)
        say(f"GraphiQL and GraphQL API   {address}/graphql")
        say(f"Schema                     {address}/schema.graphql")
        say(f"Health                     {address}/health")
        say("Ctrl-C stops it.")
        _run(app, listener)


def _write_schema(out: Path | None) -> None:
    import os

    from graphql_api.schema import print_schema

    text = print_schema()
    if out is None:
        click.echo(text, nl=False)
        return
    temporary = out.with_name(f".{out.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(out)


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket, so that the port is known (and ours) before anything is printed.

    Raises:
        ConfigurationError: The address cannot be had.
    """
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        message = f"Cannot listen on {host} port {port}: {error.strerror or error}."
        raise ConfigurationError(message, remedy="Choose another one with --port, or 0 for any free port.") from error


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _run(app: object, listener: socket.socket) -> None:
    import uvicorn

    # log_config=None: the log lines of uvicorn go where ours go
    config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False)  # type: ignore[arg-type]  # any ASGI application
    uvicorn.Server(config).run(sockets=[listener])
