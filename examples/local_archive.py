"""The public archives on this machine: studies on disk, served over HTTP under ``{url}/{host}/{path}``.

    with LocalArchive(Path("examples/studies")).serve() as archive:
        settings = Settings(archive_mirror_url=archive.url)

or ``python -m examples.local_archive --port 8642``. Answers have the shape of ENA, BioSamples, BioStudies, Ensembl,
GEO, NCBI and the file servers of reads, arrays and genomes (with ``HEAD``, ``Range`` and ``ETag``); faults can be
scripted, and every request is logged.
"""

from __future__ import annotations

import argparse
import logging
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Self

from examples.answers import Answer, Params
from examples.archive_answers import answer
from examples.archive_requests import ArchiveRequestHandler, LoggedRequest
from examples.faults import Fault, FaultPlan
from examples.study_folders import StudyFolders

__all__ = ["BUNDLED_STUDIES", "Fault", "LocalArchive", "LoggedRequest"]

_log = logging.getLogger(__name__)

BUNDLED_STUDIES = Path(__file__).with_name("studies")
"""The studies that come with the repository."""


class LocalArchive:
    """Serves study folders as the public archives would.

    Args:
        root: A folder of study folders, a study folder, or several of either. Read anew when something in them changes.
        faults: What goes wrong; more can be planned while it runs with ``faults.add``.
    """

    def __init__(self, root: Path | Sequence[Path] = BUNDLED_STUDIES, faults: Sequence[Fault] = ()) -> None:
        self.studies = StudyFolders([root] if isinstance(root, Path) else list(root))
        self.faults = FaultPlan(faults)
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._requests: list[LoggedRequest] = []
        self._url: str | None = None

    @property
    def url(self) -> str:
        """Address while it serves, for the ``archive_mirror_url`` setting.

        Raises:
            RuntimeError: It does not serve.
        """
        if self._url is None:
            message = "The local archive has an address only inside `with archive.serve()`."
            raise RuntimeError(message)
        return self._url

    @property
    def requests(self) -> list[LoggedRequest]:
        """All requests so far, in the order they came, with the bytes sent so far."""
        with self._lock:
            return [replace(request) for request in self._requests]

    def requests_for(self, pattern: str, *, method: str | None = None) -> list[LoggedRequest]:
        """The requests whose ``host/path?query`` a regular expression finds."""
        return [
            request
            for request in self.requests
            if re.search(pattern, request.target) and method in (None, request.method)
        ]

    def log_request(self, request: LoggedRequest) -> None:
        """Remember a request."""
        with self._lock:
            self._requests.append(request)

    def forget_requests(self) -> None:
        """Empty the request log."""
        with self._lock:
            self._requests.clear()

    def answer(self, host: str, path: str, params: Params) -> Answer:
        """What an archive's host answers."""
        return answer(self.studies, host, path, params)

    @contextmanager
    def serve(self, *, port: int = 0) -> Iterator[Self]:
        """Serve on the loopback interface in a thread of its own; any free port if ``port`` is 0."""
        server = _Server(("127.0.0.1", port), ArchiveRequestHandler, self)
        thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="local-archive", daemon=True
        )
        self.stopping.clear()
        thread.start()
        self._url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield self
        finally:
            self._url = None
            self.stopping.set()
            server.shutdown()
            server.server_close()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], handler: type[ArchiveRequestHandler], archive: LocalArchive) -> None:
        super().__init__(address, handler)
        self.archive = archive

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no error of the archive."""
        del request
        _log.debug("Connection from %s ended early.", client_address, exc_info=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m examples.local_archive", description="Serve the bundled studies.")
    parser.add_argument("--port", type=int, default=8642, help="port on 127.0.0.1 (default: 8642; 0 for any free one)")
    parser.add_argument("--root", type=Path, action="append", help="folder of studies (default: the bundled ones)")
    options = parser.parse_args(arguments)
    for root in options.root or ():
        if not root.is_dir():
            parser.error(f"there is no folder {root}")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    with LocalArchive(options.root or BUNDLED_STUDIES).serve(port=options.port) as archive:
        _log.info("Serving on %s - set REFINEBIO_ARCHIVE_MIRROR_URL to it. Stop with Ctrl-C.", archive.url)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            _log.info("Stopped.")


if __name__ == "__main__":
    main()
