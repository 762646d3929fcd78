import httpx
import pytest

from refinebio_assets.domain.errors import ArchiveError, ConfigurationError
from resources.archives.addresses import Mirror, official_url, shown_url


@pytest.mark.parametrize(
    "written",
    [
        "ftp.sra.ebi.ac.uk/vol1/fastq/SRR446/SRR446027/SRR446027_1.fastq.gz",
        "ftp://ftp.sra.ebi.ac.uk/vol1/fastq/SRR446/SRR446027/SRR446027_1.fastq.gz",
        "http://ftp.sra.ebi.ac.uk/vol1/fastq/SRR446/SRR446027/SRR446027_1.fastq.gz",
        " https://ftp.sra.ebi.ac.uk/vol1/fastq/SRR446/SRR446027/SRR446027_1.fastq.gz ",
    ],
)
def test_every_form_ena_writes_becomes_https(written):
    assert str(official_url(written)) == "https://ftp.sra.ebi.ac.uk/vol1/fastq/SRR446/SRR446027/SRR446027_1.fastq.gz"


@pytest.mark.parametrize(
    "written",
    [
        "https://example.org/data.gz",
        "https://www.ebi.ac.uk.example.org/x",
        "https://user:pass@www.ebi.ac.uk/x",
        "https://www.ebi.ac.uk:8443/x",
        "https://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "https://www.ebi.ac.uk/ena/%2e%2e/%2e%2e/etc/passwd",
        "https://www.ebi.ac.uk/ena/../etc/passwd",
        "ftp.sra.ebi.ac.uk/vol1/..",
        "",
        "https://[",
    ],
)
def test_addresses_outside_the_archives_are_refused(written):
    with pytest.raises(ArchiveError):
        official_url(written)


def test_a_mirror_keeps_host_path_and_query():
    mirror = Mirror.from_setting("http://127.0.0.1:9000/archives/")
    rewritten = mirror.rewrite(official_url("https://www.ebi.ac.uk/ena/portal/api/search?result=study&query=a%20b"))
    assert (
        str(rewritten) == "http://127.0.0.1:9000/archives/www.ebi.ac.uk/ena/portal/api/search?result=study&query=a%20b"
    )


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:1", True),
        ("http://localhost", True),
        ("http://[::1]:1", True),
        ("https://mirror.example.org", False),
    ],
)
def test_only_a_mirror_on_this_machine_is_loopback(url, loopback):
    assert Mirror.from_setting(url).is_loopback is loopback


@pytest.mark.parametrize(
    "setting", ["mirror.example.org", "ftp://ada:secret@mirror.example.org", "http://", "http://a:b"]
)
def test_a_mirror_setting_that_is_no_address_is_a_configuration_error(setting):
    with pytest.raises(ConfigurationError, match="REFINEBIO_ARCHIVE_MIRROR_URL") as caught:
        Mirror.from_setting(setting)
    assert "secret" not in str(caught.value)


def test_no_setting_means_no_mirror():
    assert Mirror.from_setting(None) is None
    assert Mirror.from_setting("") is None


def test_keys_are_left_out_of_shown_addresses():
    url = httpx.URL(
        "https://eutils.ncbi.nlm.nih.gov/entrez/eutils/esearch.fcgi?db=taxonomy&api_key=secret&email=a%40b.org"
    )
    assert "secret" not in shown_url(url)
    assert "b.org" not in shown_url(url)
    assert "db=taxonomy" in shown_url(url)
