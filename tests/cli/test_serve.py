"""``refinebio serve``."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from click.testing import CliRunner

from graphql_api.schema import print_schema
from refinebio_assets.cli.common import run_main
from refinebio_assets.cli.serve import serve

SECONDS_TO_START = 60


def read_address(server: subprocess.Popen[str]) -> str:
    """The address that a server prints when it is ready to listen."""
    assert server.stderr is not None
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline:
        if select.select([server.stderr], [], [], 1)[0]:
            line = server.stderr.readline()
            if found := re.search(r"http://\S+/graphql", line):
                return found[0]
            assert line, f"the server ended with {server.wait()}"
    raise TimeoutError


def test_it_serves_graphql_on_a_free_port_until_it_is_stopped(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; from refinebio_assets.cli.main import main; sys.exit(main())"]
    server = subprocess.Popen(
        [*command, "serve", "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "REFINEBIO_HOME": str(tmp_path)},
    )
    try:
        body = json.dumps({"query": "{ stats { numExperiments } }"}).encode()
        request = urllib.request.Request(read_address(server), body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=SECONDS_TO_START) as response:
            assert json.load(response)["data"] == {"stats": {"numExperiments": 0}}
    finally:
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=SECONDS_TO_START)
    assert server.returncode in {0, 143}


def test_the_schema_can_be_printed_and_written(tmp_path: Path) -> None:
    printed = CliRunner().invoke(serve, ["--print-schema"])
    assert printed.output == print_schema()
    assert CliRunner().invoke(serve, ["--print-schema", "--out", str(tmp_path / "schema.graphql")]).exit_code == 0
    assert [file.name for file in tmp_path.iterdir()] == ["schema.graphql"]
    assert (tmp_path / "schema.graphql").read_text() == print_schema()


def test_a_port_in_use_is_said_so_with_what_to_do(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("REFINEBIO_HOME", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert run_main(serve, ["--port", str(taken.getsockname()[1])]) == 2
    assert "--port" in capsys.readouterr().err


def test_out_without_print_schema_is_bad_usage(tmp_path: Path) -> None:
    assert CliRunner().invoke(serve, ["--out", str(tmp_path / "x")]).exit_code == 2
