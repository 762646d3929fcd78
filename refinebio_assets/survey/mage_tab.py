"""MAGE-TAB as ArrayExpress publishes it: the IDF (about the study) and the SDRF (from sources to files)."""

from refinebio_assets.survey.mage_tab_idf import Idf, Person, Protocol, Publication, parse_idf
from refinebio_assets.survey.mage_tab_sdrf import Attribute, Node, Sdrf, SdrfRow, parse_sdrf
from refinebio_assets.survey.mage_tab_text import MageTabWarning, decode_mage_tab, header_key

__all__ = [
    "Attribute",
    "Idf",
    "MageTabWarning",
    "Node",
    "Person",
    "Protocol",
    "Publication",
    "Sdrf",
    "SdrfRow",
    "decode_mage_tab",
    "header_key",
    "parse_idf",
    "parse_sdrf",
]
