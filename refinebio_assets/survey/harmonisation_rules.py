"""Which raw metadata keys feed which harmonised field, in order of priority.

The keys are those of refine.bio's harmonisation, then plain synonyms of them; where two keys of a field are both
filled, the earlier one leads. ``FALLBACK`` keys speak only when no other key of their field does, because submitters
use them loosely.
"""

from __future__ import annotations

HARMONISATION_VERSION = "2"
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
    "sex": ("sex", "gender", "subject gender", "subject sex", "cell sex"),
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
        "age of subjects",
        "age of donor",
        "age at death",
        "age at sampling",
        "age at collection",
        "gestational age",
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
        "cell types",
        "body site",
        "source name",
        "source name ch1",
        "source name ch2",
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
        "breed",
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
        "tumor stage",
        "ajcc stage",
    ),
    "cell_line": ("cell line", "cell line name"),
    "treatment": (
        "treatment",
        "treatment group",
        "treatment protocol",
        "drug treatment",
        "clinical treatment",
        "treated with",
        "stimulation",
        "stimulus",
    ),
    "race": ("race", "ethnicity", "race/ethnicity", "ethnic group"),
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
    "compound": (
        "compound",
        "compound1",
        "compound2",
        "compound name",
        "drug",
        "drugs",
        "immunosuppressive drugs",
        "agent",
    ),
    "time": (
        "time",
        "initial time point",
        "start time",
        "stop time",
        "time point",
        "sampling time point",
        "sampling time",
        "time post infection",
        "time after infection",
        "time after induction",
        "time post treatment",
        "time after treatment",
        "timepoint after treatment",
        "treatment time",
        "treatment time point",
        "treatment duration",
        "treatment length",
        "length of treatment",
        "exposure time",
        "hours post infection",
        "days post infection",
    ),
    "dose": (
        "dose",
        "dosage",
        "concentration",
        "drug dose",
        "drug concentration",
        "compound dose",
        "compound concentration",
        "treatment dose",
        "treatment concentration",
        "radiation dose",
    ),
}

FALLBACK: frozenset[tuple[str, str]] = frozenset(
    {
        ("specimen_part", "source name"),
        ("specimen_part", "source name ch1"),
        ("specimen_part", "source name ch2"),
        ("disease", "sample type"),
        ("time", "initial time point"),
    }
)
"""(field, key) pairs that speak only when nothing else does: "source name" is free text about the material
(refine.bio files it under subject), "sample type" as often says "fresh frozen" as it says "tumor", and the initial time
point of MAGE-TAB is what ages are counted from ("birth")."""

OWN_KEY, SAMPLE_KEY, HOST_KEY = range(3)
PREFIXES: dict[tuple[str, ...], int] = {
    (): OWN_KEY,
    ("sample",): SAMPLE_KEY,
    ("sample", "sample"): SAMPLE_KEY,
    ("host",): HOST_KEY,
    ("sample", "host"): HOST_KEY,
    ("arrayexpress",): SAMPLE_KEY,
    ("donor",): HOST_KEY,
    ("patient",): HOST_KEY,
    ("subject",): HOST_KEY,
}
"""Words that may stand before a key (``sample_sex``, ``host_sex``), with the rank they give it."""

OF_A_PERSON: frozenset[str] = frozenset({"donor", "patient", "subject"})
FIELDS_OF_A_PERSON: frozenset[str] = frozenset({"sex", "age", "race", "disease"})
"""What a donor, patient or subject has (``donor_sex``); their tissue or strain may be another than the sample's."""

TREATMENT_FIELDS: frozenset[str] = frozenset({"treatment", "compound"})
"""Fields whose values may name a time and a dose that have no key of their own: ``10nM E2 for 24h``."""

STAGE_WORDS: frozenset[str] = frozenset(
    {
        *("embryo", "embryos", "embryonic", "fetus", "fetal", "foetus", "foetal", "blastocyst", "gastrula", "zygote"),
        *("neonate", "neonatal", "newborn", "infant", "child", "children", "juvenile", "adolescent", "teenager"),
        *("adult", "adults", "larva", "larvae", "larval", "pupa", "pupae", "pupal", "nymph", "dauer"),
        *("hatchling", "fry", "smolt", "seedling", "seedlings", "pup", "pups", "postnatal", "prenatal", "weanling"),
    }
)
"""Words by which an age is a stage of life, if it is no number."""

PLACEHOLDERS: frozenset[str] = frozenset(
    {
        # INSDC missing value vocabulary, https://www.insdc.org/technical-specifications/missing-value-reporting/
        "not applicable",
        "missing",
        "not collected",
        "not provided",
        "restricted access",
        "withheld",
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
        "---",
        "#n/a",
        "#na",
        "anonymous",
        "n.d.",
        "n/d",
        "nd",
        "no data",
        "not available",
        "not determined",
        "not given",
        "not identified",
        "not indicated",
        "not known",
        "not recorded",
        "not reported",
        "not specified",
        "not stated",
        "tbd",
        "to be determined",
        "unavailable",
        "undefined",
        "undetermined",
        "unk",
        "unknown",
        "unspecified",
    }
)
PLACEHOLDER_STARTS: tuple[str, ...] = ("missing:", "not applicable:", "missing -")
"""INSDC's reasons for a missing value ("missing: human-identifiable")."""
