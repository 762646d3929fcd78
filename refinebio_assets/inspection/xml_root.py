"""The root element of an XML document, from its first bytes and without parsing it."""

from __future__ import annotations

import re

from refinebio_assets.inspection.content import Content

_PROLOG = re.compile(r"\s*(?:<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^\[>]*(?:\[.*?\]\s*)?>|\s)*", re.IGNORECASE | re.DOTALL)
_ROOT = re.compile(r"<(?:[A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)[\s/>]")
_LONGEST_PROLOG = 16 * 1024


def root_element(content: Content) -> str | None:
    """The local name of the root element; None if the content does not begin like XML."""
    if not content.text.lstrip().startswith("<"):
        return None
    text = content.text[:_LONGEST_PROLOG]
    prolog = _PROLOG.match(text)
    found = _ROOT.match(text, prolog.end() if prolog else 0)
    return found.group(1) if found else None
