"""Accession grammars of the public archives.

Sources: INSDC accession prefixes (https://www.ebi.ac.uk/ena/browser/guidelines/accession-numbers), GEO overview
(https://www.ncbi.nlm.nih.gov/geo/info/overview.html), BioStudies/ArrayExpress identifiers. Numbers may have any
length: the archives keep growing past the six and seven digits of older patterns.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from refinebio_assets.domain.errors import UnsupportedAccessionError


class AccessionType(StrEnum):
    """What an accession names."""

    SRA_STUDY = "sra_study"
    SRA_EXPERIMENT = "sra_experiment"
    SRA_SAMPLE = "sra_sample"
    SRA_RUN = "sra_run"
    SRA_SUBMISSION = "sra_submission"
    BIOPROJECT = "bioproject"
    BIOSAMPLE = "biosample"
    GEO_SERIES = "geo_series"
    GEO_SAMPLE = "geo_sample"
    GEO_PLATFORM = "geo_platform"
    GEO_DATASET = "geo_dataset"
    ARRAY_EXPRESS = "array_express"
    ARRAY_DESIGN = "array_design"


class SourceArchive(StrEnum):
    """The archive a record comes from (values as in refine.bio's ``source_database``); ``LOCAL`` is none: imported."""

    SRA = "SRA"
    GEO = "GEO"
    ARRAY_EXPRESS = "ARRAY_EXPRESS"
    LOCAL = "LOCAL"


_GRAMMARS: tuple[tuple[AccessionType, re.Pattern[str]], ...] = (
    (AccessionType.SRA_STUDY, re.compile(r"[SED]RP[0-9]{6,}")),
    (AccessionType.SRA_EXPERIMENT, re.compile(r"[SED]RX[0-9]{6,}")),
    (AccessionType.SRA_SAMPLE, re.compile(r"[SED]RS[0-9]{6,}")),
    (AccessionType.SRA_RUN, re.compile(r"[SED]RR[0-9]{6,}")),
    (AccessionType.SRA_SUBMISSION, re.compile(r"[SED]RA[0-9]{6,}")),
    (AccessionType.BIOPROJECT, re.compile(r"PRJ(?:NA|EB|EA|DB|DA)[0-9]+")),
    (AccessionType.BIOSAMPLE, re.compile(r"SAM(?:N|EA|EG|E|D)[0-9]+")),
    (AccessionType.GEO_SERIES, re.compile(r"GSE[0-9]+")),
    (AccessionType.GEO_SAMPLE, re.compile(r"GSM[0-9]+")),
    (AccessionType.GEO_PLATFORM, re.compile(r"GPL[0-9]+")),
    (AccessionType.GEO_DATASET, re.compile(r"GDS[0-9]+")),
    (AccessionType.ARRAY_EXPRESS, re.compile(r"E-[A-Z]{4}-[0-9]+")),
    (AccessionType.ARRAY_DESIGN, re.compile(r"A-[A-Z]{4}-[0-9]+")),
)

EXPERIMENT_TYPES = frozenset(
    {AccessionType.SRA_STUDY, AccessionType.BIOPROJECT, AccessionType.GEO_SERIES, AccessionType.ARRAY_EXPRESS}
)
"""Accessions that name an experiment (a study)."""

SAMPLE_TYPES = frozenset(
    {
        AccessionType.SRA_RUN,
        AccessionType.SRA_EXPERIMENT,
        AccessionType.SRA_SAMPLE,
        AccessionType.BIOSAMPLE,
        AccessionType.GEO_SAMPLE,
    }
)
"""Accessions that name a sample or the material it was made from."""


@dataclass(frozen=True, slots=True)
class Accession:
    """An accession code and what it names. ``value`` is upper-case and stripped."""

    value: str
    type: AccessionType

    @property
    def is_experiment(self) -> bool:
        """Whether it names an experiment."""
        return self.type in EXPERIMENT_TYPES

    @property
    def is_sample(self) -> bool:
        """Whether it names a sample."""
        return self.type in SAMPLE_TYPES

    def __str__(self) -> str:
        return self.value


def parse_accession(text: str) -> Accession:
    """Read an accession code.

    The whole text must match one grammar: an accession is never cut out of a longer word, so one is never taken for
    another.

    Args:
        text: The code, in any letter case, with or without surrounding white space.

    Raises:
        UnsupportedAccessionError: The text follows no grammar we know.
    """
    value = text.strip().upper()
    for accession_type, pattern in _GRAMMARS:
        if pattern.fullmatch(value):
            return Accession(value, accession_type)
    message = f"{text.strip()!r} is not an accession code of a known archive."
    raise UnsupportedAccessionError(
        message,
        remedy="Give an SRA/ENA study or run (SRP…, SRR…), a project (PRJ…), a GEO series (GSE…), an ArrayExpress "
        'experiment (E-MTAB-…), or an organism name such as "Danio rerio" to build a transcriptome index.',
    )


_MIRROR = re.compile(r"E-GEOD-([0-9]+)")
_OWN_TYPES = {
    AccessionType.SRA_STUDY: SourceArchive.SRA,
    AccessionType.GEO_SERIES: SourceArchive.GEO,
    AccessionType.ARRAY_EXPRESS: SourceArchive.ARRAY_EXPRESS,
}


def mirrored_series(accession: str) -> str | None:
    """The GEO series an E-GEOD study was copied from: ``E-GEOD-44719`` -> ``GSE44719``; None for other studies."""
    match = _MIRROR.fullmatch(accession)
    return f"GSE{match.group(1)}" if match else None


def own_archive(accession: str) -> SourceArchive | None:
    """The archive in which an accession is an experiment's own, under which it is surveyed; None for all others.

    Projects (PRJ…) and ArrayExpress' copies of GEO (E-GEOD-…) are only ever other names of an experiment.
    """
    try:
        parsed = parse_accession(accession)
    except UnsupportedAccessionError:
        return None
    return None if mirrored_series(parsed.value) else _OWN_TYPES.get(parsed.type)


def mirror_name(accession: str) -> str | None:
    """The other name of a series that is in GEO and, mirrored, in ArrayExpress: ``GSE5`` <-> ``E-GEOD-5``, or None."""
    if re.fullmatch(r"GSE[0-9]+", accession):
        return f"E-GEOD-{accession.removeprefix('GSE')}"
    return mirrored_series(accession)


def names_same_record(alias: str, accession: str) -> bool:
    """Whether an alias of an experiment is only another name of it, not an experiment of its own in another archive.

    A project is, and so are the further numbers of an SRA study. A GEO series and the SRA study with its reads name
    each other, but each is a record with samples of its own; so is a matrix that was imported from an archive's study.
    """
    if is_local(accession):
        return False
    archive = own_archive(alias)
    return archive is None or (archive is SourceArchive.SRA and own_archive(accession) is SourceArchive.SRA)


LOCAL_PREFIX = "LOCAL-"
"""How accessions of imported experiments begin: no archive's do."""
_LOCAL = re.compile(r"LOCAL-[A-Z0-9]+(?:-[A-Z0-9]+)*")
_LONGEST_LOCAL = 64


def is_local(accession: str) -> bool:
    """Whether an accession is that of an imported experiment, which no archive can be asked about."""
    return accession.strip().upper().startswith(LOCAL_PREFIX)


def local_accession(text: str) -> str:
    """The accession of an imported experiment in its canonical spelling: ``local-my-cohort`` -> ``LOCAL-MY-COHORT``.

    Raises:
        UnsupportedAccessionError: It does not begin with ``LOCAL-``, or has other characters than letters, digits and
            single hyphens, or more than 64 of them.
    """
    value = text.strip().upper()
    if _LOCAL.fullmatch(value) and len(value) <= _LONGEST_LOCAL:
        return value
    message = f"{text.strip()!r} cannot be the accession of an imported experiment."
    raise UnsupportedAccessionError(
        message,
        remedy=f"Give {LOCAL_PREFIX} and letters, digits and hyphens, {_LONGEST_LOCAL} characters at most: "
        "LOCAL-MY-COHORT.",
    )


def not_in_archives(accession: str) -> UnsupportedAccessionError:
    """The error for an imported experiment that was asked of the archives."""
    message = f"{accession} is of an imported matrix: there is no archive to ask about it."
    return UnsupportedAccessionError(message, remedy="Import its matrix again to change it: refinebio import")
