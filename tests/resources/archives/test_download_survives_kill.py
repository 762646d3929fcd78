import gzip
import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from examples.local_archive import Fault, LocalArchive
from examples.synthetic import SyntheticStudy

REPOSITORY = Path(__file__).parents[3]

PROGRAM = """
import sys
from pathlib import Path
from resources.archives import ArchiveClient
from resources.settings import Settings

mirror, url, destination, size, md5 = sys.argv[1:]
with ArchiveClient.from_settings(Settings(archive_mirror_url=mirror)) as client:
    client.download(url, Path(destination), size_bytes=int(size), md5=md5)
"""


def test_a_download_goes_on_where_a_killed_process_stopped(studies, tmp_path):
    content = gzip.compress(os.urandom(3_000_000), compresslevel=0, mtime=0)
    study = SyntheticStudy("SRP900001")
    row = study.add_run("SRR900000001", fastq=[content]).columns
    study.write(studies)
    destination = tmp_path / "SRR900000001.fastq.gz"
    part = destination.with_name(destination.name + ".part")
    with LocalArchive(studies, [Fault(match="fastq.gz", kind="slow", seconds=120, times=1)]).serve() as archive:
        arguments = [row["fastq_ftp"], str(destination), row["fastq_bytes"], row["fastq_md5"]]
        command = [sys.executable, "-c", PROGRAM, archive.url, *arguments]
        killed = subprocess.Popen(command, cwd=REPOSITORY)
        try:
            deadline = time.monotonic() + 60
            while not (part.exists() and part.stat().st_size > 1_000_000):
                assert killed.poll() is None, "the download ended before it was killed"
                assert time.monotonic() < deadline, "no bytes arrived"
                time.sleep(0.02)
        finally:
            killed.send_signal(signal.SIGKILL)
            killed.wait()
        kept = part.stat().st_size
        assert not destination.exists()
        subprocess.run(command, cwd=REPOSITORY, check=True, timeout=60)
        ranges = [request.range for request in archive.requests_for("fastq.gz")]
    assert hashlib.sha256(destination.read_bytes()).digest() == hashlib.sha256(content).digest()
    assert ranges[-1] == f"bytes={kept}-"
    assert not part.exists()
