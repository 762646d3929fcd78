"""What is no data: web pages and error messages saved in place of it."""

from __future__ import annotations

import re

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.inspection.content import Content
from refinebio_assets.inspection.describers import Describer, Recognition, Setting
from refinebio_assets.inspection.report import Description
from refinebio_assets.inspection.xml_root import root_element
from refinebio_assets.survey.sra_xml_elements import read_elements

WEB_PAGE, ERROR_ANSWER = "web_page", "error_answer"
_HTML = re.compile(
    r"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL
)
_TITLE = re.compile(r"<title[^>]*>\s*([^<]{1,200})", re.IGNORECASE)
_ERRORS = frozenset({"ErrorDetails", "Error", "error", "eError"})


def recognise_page(content: Content) -> Recognition | None:
    """HTML."""
    if not _HTML.match(content.text):
        return None
    return Recognition(kind=WEB_PAGE, confidence=1.0, evidence="begins like a web page")


def describe_page(content: Content, _: Recognition, __: Setting) -> Description:
    """Never a description: a web page is what an archive answers instead of data.

    Raises:
        MalformedFileError: Always; the page's title is told.
    """
    title = _TITLE.search(content.text)
    told = f" ({' '.join(title.group(1).split())})" if title else ""
    message = f"This is a web page{told}, not data: perhaps the archive answered with an error page."
    raise MalformedFileError(message, path=content.name, line=1, remedy="Download the file again.")


def recognise_error(content: Content) -> Recognition | None:
    """An error message as XML."""
    root = root_element(content)
    if root not in _ERRORS:
        return None
    return Recognition(kind=ERROR_ANSWER, confidence=1.0, evidence=f"the root element is {root}")


def describe_error(content: Content, _: Recognition, __: Setting) -> Description:
    """Never a description.

    Raises:
        MalformedFileError: Always; with the archive's own words.
    """
    with content.stream() as stream:
        elements = read_elements(stream, ("status", "error", "message", "Code", "Message"), name=content.name)
        words = [element.text for element in elements if element.text]
    message = f"This is an archive's error message, not data: {'; '.join(words)[:200] or 'without words'}."
    raise MalformedFileError(message, path=content.name, line=1, remedy="Check the accession, then download it again.")


DESCRIBERS = (
    Describer(recognise=recognise_page, describe=describe_page),
    Describer(recognise=recognise_error, describe=describe_error),
)
