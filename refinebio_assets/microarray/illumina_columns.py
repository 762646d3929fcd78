"""Names of columns in BeadArray tables: which quantity, and of which sample.

BeadStudio and GenomeStudio write ``AVG_Signal-S1`` or ``S1.AVG_Signal`` with ``Detection Pval``, ``BEAD_STDERR``,
``Avg_NBEADS``, ``NARRAYS``, ``MIN_Signal`` …; R turns blanks into dots; submitters to GEO rename signals to the titles
of their samples and keep ``Detection Pval`` beside them, or write ``RAW_VALUE``, ``VALUE``, ``p-value``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

LONGEST_NAME = 300
"""Longer texts are no names of columns, and are not searched for words."""


class ColumnRole(StrEnum):
    """What a column's name says that it holds."""

    SIGNAL = "signal"
    DETECTION = "detection"
    BEADS = "beads"
    STDERR = "stderr"
    OTHER = "other"
    """A quantity that is not read: arrays, smallest and largest signal, normalised values, ranks."""
    ANNOTATION = "annotation"
    """About the probe or gene."""
    UNTOLD = "untold"
    """Perhaps a sample's name."""


@dataclass(frozen=True, slots=True)
class NamedColumn:
    """A column name taken apart.

    Attributes:
        role: The quantity.
        word: The word for it in small letters without punctuation: ``avgsignal``; empty where there is none.
        key: What remains: the sample, or empty.
        is_sure: The word leaves no doubt, or there is nothing else; ``MDA-P`` may be a p-value or a sample.
    """

    role: ColumnRole
    word: str
    key: str
    is_sure: bool = True


_GAP = r"[\s_.\-]*"


def _words(patterns: str) -> str:
    """One pattern of many, given between commas; a blank is anything or nothing that may stand between words."""
    return "|".join(pattern.strip().replace(" ", _GAP) for pattern in patterns.split(","))


# A word that is strong may stand anywhere at an end of the name; one that is weak only behind a separator or alone.
_STRONG: tuple[tuple[ColumnRole, str], ...] = (
    (
        ColumnRole.DETECTION,
        _words("det(?:ection)? (?:p val(?:ue)?|probability), detection scores?, p val(?:ue)? detection"),
    ),
    (
        ColumnRole.OTHER,
        _words(
            "(?:min|max) signal, narrays, array st(?:dev|derr), norm(?:ali[sz]ed)? signal, diff score,"
            "diff p ?val(?:ue)?, fold change, signal stdev of arrays"
        ),
    ),
    (ColumnRole.BEADS, _words("(?:avg )?nbeads, bead (?:count|num(?:ber)?)s?, (?:number|num|no) of beads, num beads")),
    (
        ColumnRole.STDERR,
        _words(
            "(?:(?:avg )?bead|signal) std ?err(?:or)?, (?:(?:avg )?bead|signal) std? ?dev,"
            "std ?err(?:or)?, std? ?dev, dev grn"
        ),
    ),
    (
        ColumnRole.SIGNAL,
        _words(
            "(?:avg|average|raw|mean|unnormali[sz]ed) signal, raw value, signal raw, mean grn, signal intensity,"
            "raw intensity, raw data"
        ),
    ),
)
_WEAK: tuple[tuple[ColumnRole, str], ...] = (
    (
        ColumnRole.DETECTION,
        _words("detection(?: p)?, p val(?:ue)?s?, probability, p, pval detect(?:ion)?, detect"),
    ),
    (ColumnRole.BEADS, _words("beads, n beads, n")),
    (ColumnRole.STDERR, _words("se, sd, sem, error")),
    (
        ColumnRole.OTHER,
        _words(
            "norm(?:ali[sz]ed)?(?: value| intensity| signal| data)?, log2?(?: ratio| value| signal)?,"
            "rank, ratio, flags?,"
            "quantile(?: normali[sz]ed)?, (?:abs )?call, z score, bg corrected, processed(?: signal)?,"
            "median, min, max,"
            "background, bg"
        ),
    ),
    (ColumnRole.SIGNAL, _words("signals?, intensit(?:y|ies), raw, value, expression(?: value)?, mean, avg, average")),
)
_SEPARATOR = r"(?:\s+[.:_|\-/]\s+|[.:_|\-/]|\s+)"

_ANNOTATION = re.compile(
    _words(
        "id(?: ref)?, id ?(?:probe|ref|target), illumicode,"
        "(?:ref|probe|target|array|illumina|ilmn|search|nu|transcript|gene|"
        "entrez(?: gene)?|unigene|refseq|locus|oligo|spot|reporter|feature|source reference|ensembl|bgx|array address)"
        " ?(?:ids?|key|ref|name)?, (?:gene )?symbol, ilmn gene, synonyms?, definition, description,"
        "accession, gi, protein product,"
        "chromosome, chr, probe (?:sequence|type|start|coordinates|chr orientation), probe chr\\w*,"
        "sequence, start, end, strand,"
        "cytoband, species, source, ontology (?:component|process|function),"
        "go(?: (?:component|process|function)\\w*)?,"
        "obsolete probe id, (?:entrez )?gene ?(?:name|title)?, nuids?, annotation, control(?: type)?,"
        "category, product,"
        "status, row ?(?:names?|number)?, index, no, length, gc(?: content)?, genbank, pathway,"
        "reporter group(?: name| id)?,"
        "coordinates, locusid, orientation, version, quality, title, comment, ensembl(?: gene)?,"
        "unnamed:? 0, tm, probeset"
    ),
    re.IGNORECASE,
)
_ALONE = [
    (role, is_strong, re.compile(f"(?:{words})", re.IGNORECASE))
    for kinds, is_strong in ((_STRONG, True), (_WEAK, False))
    for role, words in kinds
]
_REPEATED = re.compile(r"[.\s_]*\(?(\d+)\)?")
_KINDS = (
    *((role, words, gap, True) for gap in (_SEPARATOR, r"\s*") for role, words in _STRONG),
    *((role, words, _SEPARATOR, False) for role, words in _WEAK),
)
_AT_END = [
    (role, is_sure, re.compile(rf"(?P<key>.+?){gap}[(\[]?(?P<word>{words})[)\]]?", re.IGNORECASE))
    for role, words, gap, is_sure in _KINDS
]
_AT_BEGIN = [
    (role, is_sure, re.compile(rf"(?P<word>{words}){gap}(?P<key>.+)", re.IGNORECASE))
    for role, words, gap, is_sure in _KINDS
]
_NOT_WORD = re.compile(r"[\W_]+")


def taken_apart(name: str) -> list[NamedColumn]:
    """What a column's name may mean, the likeliest first; there is always one answer.

    ``S1.AVG_Signal`` is the signal of S1. A word alone (``Detection Pval``) is a quantity without a sample; the numbers
    that R and pandas append to repeated names (``Detection.Pval.3``) are no sample either, but may be one.
    """
    text = name.strip().strip("\"'").strip()
    if not text or len(text) > LONGEST_NAME:
        return [NamedColumn(ColumnRole.UNTOLD, "", text)]
    if alone := _alone(text):
        return alone
    if _ANNOTATION.fullmatch(text):
        return [NamedColumn(ColumnRole.ANNOTATION, _plain(text), "")]
    found = [
        NamedColumn(role, _plain(match["word"]), _unbracketed(match["key"].strip()), is_sure)
        for role, is_sure, pattern in (*_AT_END, *_AT_BEGIN)
        if (match := pattern.fullmatch(text))
    ]
    return [*dict.fromkeys(found), NamedColumn(ColumnRole.UNTOLD, "", text)]


def _alone(text: str) -> list[NamedColumn]:
    for role, is_strong, pattern in _ALONE:
        match = pattern.match(text)
        if match and match.end() == len(text):
            return [NamedColumn(role, _plain(text), "")]
        if match and (repeated := _REPEATED.fullmatch(text, match.end())):
            word = _plain(match[0])
            numbered = NamedColumn(role, word, repeated[1], is_strong)
            return [numbered, *([] if is_strong else [NamedColumn(ColumnRole.UNTOLD, "", text)])]
    return []


def _unbracketed(text: str) -> str:
    """``(S1 (24 h))`` without the brackets around it all."""
    if text[:1] + text[-1:] not in {"()", "[]"}:
        return text
    inner, depth = text[1:-1], 0
    for letter in inner:
        depth += (letter in "([") - (letter in ")]")
        if depth < 0:
            return text
    return inner.strip()


def _plain(text: str) -> str:
    return _NOT_WORD.sub("", text).lower()


def plain_key(key: str) -> str:
    """A sample's name for comparison: runs of blanks are one, and case does not matter."""
    return " ".join(key.split()).casefold()


_ID_NAMES = [
    (score, re.compile(_words(patterns), re.IGNORECASE))
    for score, patterns in (
        (1.0, "(?:ilmn )?probe id, id ref, ref id, id probe, nu ?id, id"),
        (0.9, "array address id, illumicode, probe(?:s| name)?, illumina id, reporter(?: id| name)?"),
        (0.9, "spot id, probe ?set ?id"),
        (0.6, "target id, search key, transcript, ilmn id"),
        (0.1, "(?:gene )?symbol, ilmn gene, gene(?: name)?, accession, row ?(?:number|names?)?, no, index"),
        (0.1, "entrez gene id, unigene id, gi"),
    )
]


def id_name_score(name: str) -> float:
    """How much a column's name speaks for probe identifiers, 0 to 1."""
    text = name.strip().strip("\"'#").strip()
    if len(text) > LONGEST_NAME:
        return 0.0
    return next((score for score, pattern in _ID_NAMES if pattern.fullmatch(text)), 0.2 if text else 0.5)
