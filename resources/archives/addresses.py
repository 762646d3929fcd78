"""Which hosts may be asked, and how an archive's address is rewritten for a mirror.

File lists of the archives are data from outside: an address in them is followed only if its host is one of the public
archives named here. ENA gives its files as ``ftp.sra.ebi.ac.uk/vol1/…`` without a scheme and older records as ``ftp://``;
both trees are served over HTTPS under the same path.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

import httpx

from refinebio_assets.domain.errors import ArchiveError, ConfigurationError

ARCHIVE_HOSTS = frozenset(
    {
        "www.ebi.ac.uk",
        "ftp.ebi.ac.uk",
        "ftp.sra.ebi.ac.uk",
        "rest.ensembl.org",
        "ftp.ensembl.org",
        "ftp.ensemblgenomes.org",
        "ftp.ensemblgenomes.ebi.ac.uk",
        "eutils.ncbi.nlm.nih.gov",
        "www.ncbi.nlm.nih.gov",
        "ftp.ncbi.nlm.nih.gov",
        "sra-pub-run-odp.s3.amazonaws.com",
    }
)
"""Hosts of the public archives; no other host is ever asked."""

_MIRROR_REMEDY = "Set it to a full address such as https://mirror.example.org/archives, or unset it."
_SECRET_PARAMETERS = ("api_key", "email")


def official_url(url: str) -> httpx.URL:
    """The HTTPS address of an archive's resource.

    Args:
        url: ``https://``, ``http://``, ``ftp://`` or no scheme at all (as in ENA's file lists).

    Raises:
        ArchiveError: Not an address, or the host is none of :data:`ARCHIVE_HOSTS`.
    """
    text = url.strip()
    for scheme in ("ftp://", "http://"):
        if text.lower().startswith(scheme):
            text = "https://" + text[len(scheme) :]
    if "://" not in text:
        text = "https://" + text
    try:
        parsed = httpx.URL(text)
    except httpx.InvalidURL as error:
        message = f"{url!r} is not an address: {error}."
        raise ArchiveError(message, url=url) from error
    if (
        parsed.scheme != "https"
        or parsed.host not in ARCHIVE_HOSTS
        or parsed.userinfo
        or parsed.port not in (None, 443)
    ):
        message = f"{url!r} does not lie in a public archive this platform fetches from."
        raise ArchiveError(
            message,
            url=url,
            remedy="Allowed hosts: " + ", ".join(sorted(ARCHIVE_HOSTS)) + ".",
        )
    # httpx resolves a plain "..", so that the text has to be looked at as well as what its quotes stand for.
    if ".." in (*re.split(r"[?#]", text)[0].split("/"), *parsed.path.split("/")):
        message = f"{url!r} leaves its folder with '..'."
        raise ArchiveError(message, url=url)
    return parsed.copy_with(fragment=None)


def shown_url(url: httpx.URL | str) -> str:
    """An address fit for logs and error messages: keys and e-mail addresses are left out."""
    shown = httpx.URL(url)
    for name in _SECRET_PARAMETERS:
        shown = shown.copy_remove_param(name)
    return str(shown)


@dataclass(frozen=True, slots=True)
class Mirror:
    """A server that holds the archives below ``{url}/{host}/{path}``."""

    url: httpx.URL

    @classmethod
    def from_setting(cls, text: str | None) -> Mirror | None:
        """The mirror of the ``archive_mirror_url`` setting, None if it is unset.

        Raises:
            ConfigurationError: Not an ``http(s)://`` address.
        """
        if not text:
            return None
        try:
            url = httpx.URL(text)
        except httpx.InvalidURL as error:
            message = "REFINEBIO_ARCHIVE_MIRROR_URL is not an address."  # its text may hold a password
            raise ConfigurationError(message, remedy=_MIRROR_REMEDY) from error
        if url.scheme not in ("http", "https") or not url.host:
            message = "REFINEBIO_ARCHIVE_MIRROR_URL is not an http:// or https:// address."
            raise ConfigurationError(message, remedy=_MIRROR_REMEDY)
        return cls(url)

    @property
    def is_loopback(self) -> bool:
        """Whether the mirror runs on this machine."""
        if self.url.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.url.host).is_loopback
        except ValueError:
            return False

    def rewrite(self, url: httpx.URL) -> httpx.URL:
        """``https://host/path?query`` -> ``{mirror}/host/path?query``."""
        prefix = self.url.raw_path.split(b"?")[0].rstrip(b"/")
        return self.url.copy_with(raw_path=prefix + b"/" + url.host.encode("ascii") + url.raw_path)

    def holds(self, url: httpx.URL) -> bool:
        """Whether an address already lies below the mirror (a mirror may redirect within itself)."""
        same_server = (url.scheme, url.host, url.port) == (self.url.scheme, self.url.host, self.url.port)
        return same_server and url.path.startswith(self.url.path.rstrip("/") + "/")
