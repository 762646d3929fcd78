"""Which raw metadata keys feed which harmonised field, in order of priority.

The keys are those of refine.bio's harmonisation; where two keys of a field are both filled, the earlier one leads.
``FALLBACK`` keys speak only when no other key of their field does, because submitters use them loosely.
"""

from __future__ import annotations

HARMONISATION_VERSION = "1"
"""Raised whenever a rule changes what a value becomes."""

TITLE_KEYS: tuple[str, ...] = (
    "sample name",
    "sample title",
    "title",
    "subject number",
    "extract name",
    "labeled extract name",
)

_AGE_UNITS = ("years", "months", "days", "hours")

FIELD_KEYS: dict[str, tuple[str, ...]] = {
    "sex": ("sex", "gender", "subject gender", "subject sex"),
    "age": (
        "age",
        "patient age",
        "age of patient",
        "age (years)",
        "age (yrs)",
        "age (months)",
        "age (weeks)",
        "age (days)",
        "age (hours)",
        "age at diagnosis",
        *(f"age at diagnosis {unit}" for unit in _AGE_UNITS),
    ),
    "specimen_part": (
        "organism part",
        "cell type",
        "tissue",
        "tissue type",
        "tissue source",
        "tissue origin",
        "source tissue",
        "tissue subtype",
        "tissue/cell type",
        "tissue region",
        "tissue compartment",
        "tissues",
        "tissue of origin",
        "tissue harvested",
        "cell/tissue type",
        "tissue subregion",
        "organ",
        "isolation source",
        "tissue sampled",
        "cell description",
        "source name",
        "source name ch1",
    ),
    "genetic_information": (
        "strain/background",
        "strain",
        "strain or line",
        "background strain",
        "genotype",
        "genetic background",
        "genetic information",
        "genotype/variation",
        "ecotype",
        "cultivar",
        "strain/genotype",
    ),
    "disease": ("disease", "disease state", "disease status", "diagnosis", "infection with", "sample type"),
    "disease_stage": (
        "disease state",
        "disease staging",
        "disease stage",
        "grade",
        "tumor grade",
        "who grade",
        "histological grade",
        "tumor grading",
        "disease outcome",
        "subject status",
    ),
    "cell_line": ("cell line",),
    "treatment": ("treatment", "treatment group", "treatment protocol", "drug treatment", "clinical treatment"),
    "race": ("race", "ethnicity", "race/ethnicity"),
    "subject": (
        "subject",
        "subject id",
        "subject/sample source id",
        "subject identifier",
        "human subject anonymized id",
        "individual",
        "individual identifier",
        "individual id",
        "patient",
        "patient id",
        "patient identifier",
        "patient number",
        "patient no",
        "donor id",
        "donor",
    ),
    "developmental_stage": ("developmental stage", "development stage", "development stages", "dev stage"),
    "compound": ("compound", "compound1", "compound2", "compound name", "drug", "drugs", "immunosuppressive drugs"),
    "time": (
        "time",
        "initial time point",
        "start time",
        "stop time",
        "time point",
        "sampling time point",
        "sampling time",
        "time post infection",
    ),
}

FALLBACK: frozenset[tuple[str, str]] = frozenset(
    {
        ("specimen_part", "source name"),
        ("specimen_part", "source name ch1"),
        ("disease", "sample type"),
    }
)
"""(field, key) pairs that speak only when nothing else does: "source name" is free text about the material
(refine.bio files it under subject), "sample type" as often says "fresh frozen" as it says "tumor"."""

OWN_KEY, SAMPLE_KEY, HOST_KEY = range(3)
PREFIXES: dict[tuple[str, ...], int] = {
    (): OWN_KEY,
    ("sample",): SAMPLE_KEY,
    ("sample", "sample"): SAMPLE_KEY,
    ("host",): HOST_KEY,
    ("sample", "host"): HOST_KEY,
}
"""Words that may stand before a key (``sample_sex``, ``host_sex``), with the rank they give it."""

PLACEHOLDERS: frozenset[str] = frozenset(
    {
        # INSDC missing value vocabulary, https://www.insdc.org/technical-specifications/missing-value-reporting/
        "not applicable",
        "missing",
        "not collected",
        "not provided",
        "restricted access",
        # What submitters write instead of it
        "",
        "-",
        "--",
        "?",
        ".",
        "na",
        "n.a.",
        "n/a",
        "nan",
        "nil",
        "none",
        "null",
        "not available",
        "not determined",
        "not recorded",
        "not reported",
        "not specified",
        "unavailable",
        "undefined",
        "unknown",
        "unspecified",
    }
)
PLACEHOLDER_STARTS: tuple[str, ...] = ("missing:", "not applicable:", "missing -")
"""INSDC's reasons for a missing value ("missing: human-identifiable")."""

SEXES: dict[str, str] = {
    "f": "female",
    "female": "female",
    "woman": "female",
    "m": "male",
    "male": "male",
    "man": "male",
}

AGE_UNITS: dict[str, str] = {
    spelling: unit
    for unit, spellings in {
        "year": ("year", "years", "yr", "yrs", "y", "yo", "y.o.", "y/o"),
        "month": ("month", "months", "mo", "mos", "mth", "mths"),
        "week": ("week", "weeks", "wk", "wks", "w"),
        "day": ("day", "days", "d"),
        "hour": ("hour", "hours", "hr", "hrs", "h"),
        "day post fertilization": ("dpf", "days post fertilization", "day post fertilization"),
        "hour post fertilization": ("hpf", "hours post fertilization", "hour post fertilization"),
    }.items()
    for spelling in spellings
}
