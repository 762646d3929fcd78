"""What an identifier of an array's table names: a probe, a gene, a transcript, and in which database.

Grammars: Ensembl https://www.ensembl.org/info/genome/stable_ids/index.html (and the databases whose names Ensembl takes
over: FlyBase, WormBase, SGD, TAIR), RefSeq https://www.ncbi.nlm.nih.gov/books/NBK21091/table/ch18.T.refseq_accession_numbers_and_mole,
GenBank https://www.ncbi.nlm.nih.gov/genbank/acc_prefix, UniGene, Affymetrix, Agilent and Illumina product files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class IdentifierType(StrEnum):
    """What identifiers name."""

    PROBE = "probe"
    ENSEMBL_GENE = "ensembl"
    ENSEMBL_TRANSCRIPT = "ensembl-transcript"
    ENTREZ = "entrez"
    SYMBOL = "symbol"
    REFSEQ = "refseq"
    GENBANK = "genbank"
    UNIGENE = "unigene"


VERSIONED_TYPES = frozenset(
    (
        *(IdentifierType.ENSEMBL_GENE, IdentifierType.ENSEMBL_TRANSCRIPT),
        *(IdentifierType.REFSEQ, IdentifierType.GENBANK),
    )
)
"""Their identifiers may carry a version behind a dot."""

_ENSEMBL_GENE = (
    r"ENS[A-Z]{0,7}G[0-9]{11}"  # ENSG00000000003, ENSMUSG00000051951, MGP_C57BL6NJ_G0012345 is left to symbols
    r"|FBgn[0-9]{7}|WBGene[0-9]{8}"
    r"|Y[A-P][LR][0-9]{3}[WC](?:-[A-Z])?|AT[1-5MC]G[0-9]{5}"
)
_ENSEMBL_TRANSCRIPT = r"ENS[A-Z]{0,7}T[0-9]{11}|FBtr[0-9]{7}"
_VERSIONED_ENSEMBL = r"ENS[A-Z]{0,7}[GT][0-9]{11}|FB(?:gn|tr)[0-9]{7}|WBGene[0-9]{8}"
_REFSEQ = r"[ANXYW][CGMPRTZ]_[0-9]{6,9}"
_GENBANK = r"[A-Z][0-9]{5}|[A-Z]{2}[0-9]{6}(?:[0-9]{2})?"

_GRAMMARS: tuple[tuple[IdentifierType, re.Pattern[str]], ...] = (
    (IdentifierType.ENSEMBL_GENE, re.compile(rf"(?:{_ENSEMBL_GENE})(?:\.[0-9]+)?(?:_at)?", re.ASCII)),
    (IdentifierType.ENSEMBL_TRANSCRIPT, re.compile(rf"(?:{_ENSEMBL_TRANSCRIPT})(?:\.[0-9]+)?(?:_at)?", re.ASCII)),
    (IdentifierType.REFSEQ, re.compile(rf"(?:{_REFSEQ})(?:\.[0-9]+)?", re.ASCII)),
    (IdentifierType.UNIGENE, re.compile(r"[A-Z][a-z]{1,2}\.[0-9]+", re.ASCII)),
    (
        IdentifierType.PROBE,
        re.compile(
            r"AFFX[-_].+"  # Affymetrix controls
            r"|[A-Za-z0-9.:/_-]+_(?:[a-z]_)?(?:at|st)"  # 1007_s_at, 200000_s_at, A28102_at, 1-fTc_st
            r"|A_[0-9]{2}_P[0-9]+"  # Agilent
            r"|ILMN_[0-9]+|GI_[0-9]+-[AIS]"  # Illumina
            r"|IMAGE:[0-9]+",
            re.ASCII,
        ),
    ),
    (IdentifierType.GENBANK, re.compile(rf"(?:{_GENBANK})(?:\.[0-9]+)?", re.ASCII)),
    (IdentifierType.ENTREZ, re.compile(r"[1-9][0-9]{0,8}", re.ASCII)),
    (IdentifierType.SYMBOL, re.compile(r"[A-Za-z][A-Za-z0-9@().:/_-]{0,24}|[0-9]+[A-Za-z][A-Za-z0-9]+Rik", re.ASCII)),
)
"""In this order: a symbol may look like anything, and a number is an Entrez id or the place of a spot."""

_STABLE = re.compile(rf"({_VERSIONED_ENSEMBL})\.([0-9]+)", re.ASCII)
_ACCESSION_VERSION = re.compile(rf"({_REFSEQ}|{_GENBANK})\.[0-9]{{1,3}}", re.ASCII)
_ENSEMBL_PROBE_SET = re.compile(rf"((?:{_ENSEMBL_GENE}|{_ENSEMBL_TRANSCRIPT})(?:\.[0-9]+)?)_at", re.ASCII)
_CONTROL = re.compile(r"AFFX[-_]|ERCC-[0-9]{5}", re.ASCII | re.IGNORECASE)
_DATE = re.compile(
    r"[0-9]{1,2}-(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
    r"|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)-[0-9]{1,2}",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternShares:
    """What identifiers look like.

    Attributes:
        likeliest: The type of most identifiers; None if there are none of a known form.
        shares: Part of the distinct identifiers (controls left out) that follow each grammar, 0 to 1, types without any
            left out. Each identifier counts for one type.
        distinct: How many distinct identifiers were looked at.
    """

    likeliest: IdentifierType | None
    shares: Mapping[IdentifierType, float]
    distinct: int


def identifier_type(identifier: str) -> IdentifierType | None:
    """The type whose grammar an identifier follows, None if there is none.

    A number may be an Entrez id, a spot or a probe set of a gene or exon array: only a mapping table can tell.
    """
    return next((kind for kind, grammar in _GRAMMARS if grammar.fullmatch(identifier)), None)


def pattern_shares(identifiers: Iterable[str]) -> PatternShares:
    """What a column of identifiers looks like; the more special grammar wins a tie."""
    distinct = {identifier for identifier in identifiers if identifier and not is_control(identifier)}
    counted = dict.fromkeys(IdentifierType, 0)
    for identifier in distinct:
        kind = identifier_type(identifier)
        if kind is not None:
            counted[kind] += 1
    order = [kind for kind, _ in _GRAMMARS]
    shares = {kind: counted[kind] / len(distinct) for kind in order if counted[kind]}
    likeliest = max(shares, key=lambda kind: shares[kind], default=None)
    return PatternShares(likeliest=likeliest, shares=shares, distinct=len(distinct))


def is_control(identifier: str) -> bool:
    """Whether an identifier names a spiked or hybridisation control: ``AFFX-BioB-5_at``, ``ERCC-00002``."""
    return _CONTROL.match(identifier) is not None


def split_stable_version(identifier: str) -> tuple[str, str]:
    """An Ensembl id and its version: ``ENSG00000000003.14`` or ``ENSG00000000003.14_at`` -> ``ENSG00000000003``, 14.

    ``_at`` (of Brainarray's probe sets) and the version are only taken off what is an Ensembl id without them:
    ``1007_s_at``, ``AT1G01010.1``, ``Hs.75081``, ``H2-T24.2`` and ``AC012345.1`` stay as they are.
    """
    probe_set = _ENSEMBL_PROBE_SET.fullmatch(identifier)
    bare = probe_set[1] if probe_set else identifier
    versioned = _STABLE.fullmatch(bare)
    return (versioned[1], versioned[2]) if versioned else (bare, "")


def bare_identifier(identifier: str, kind: IdentifierType) -> str:
    """An identifier as it is looked up: without the version that the databases of its type append, where it has one."""
    if kind not in VERSIONED_TYPES:
        return identifier
    if kind in {IdentifierType.REFSEQ, IdentifierType.GENBANK}:
        found = _ACCESSION_VERSION.fullmatch(identifier)
        return found[1] if found else identifier
    return split_stable_version(identifier)[0]


def turned_into_dates(identifiers: Sequence[str]) -> int:
    """How many symbols a spreadsheet has turned into dates: ``2-Sep`` was SEPT2 (Zeeberg et al. 2004)."""
    return sum(_DATE.fullmatch(identifier) is not None for identifier in identifiers)
