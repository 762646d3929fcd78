"""Units of ages, times and doses: their spellings, their one name, their term in the Units Ontology.

Names are labels of the Units Ontology (UO, https://github.com/bio-ontology-research-group/unit-ontology) wherever it
has one. Units that also say from when is counted ("embryonic day") have the term of what is counted (UO's day).
"""

from __future__ import annotations

from collections.abc import Mapping

YEAR, MONTH, WEEK, DAY = "year", "month", "week", "day"
HOUR, MINUTE, SECOND = "hour", "minute", "second"
EMBRYONIC_DAY = "embryonic day"
POSTNATAL_DAY = "postnatal day"
GESTATIONAL_WEEK = "gestational week"
WEEK_POST_CONCEPTION = "week post conception"
DAY_POST_FERTILIZATION = "day post fertilization"
HOUR_POST_FERTILIZATION = "hour post fertilization"

UNIT_TERMS: Mapping[str, str] = {
    YEAR: "UO:0000036",
    MONTH: "UO:0000035",
    WEEK: "UO:0000034",
    DAY: "UO:0000033",
    HOUR: "UO:0000032",
    MINUTE: "UO:0000031",
    SECOND: "UO:0000010",
    EMBRYONIC_DAY: "UO:0000033",
    POSTNATAL_DAY: "UO:0000033",
    GESTATIONAL_WEEK: "UO:0000034",
    WEEK_POST_CONCEPTION: "UO:0000034",
    DAY_POST_FERTILIZATION: "UO:0000033",
    HOUR_POST_FERTILIZATION: "UO:0000032",
    "molar": "UO:0000062",
    "millimolar": "UO:0000063",
    "micromolar": "UO:0000064",
    "nanomolar": "UO:0000065",
    "picomolar": "UO:0000066",
    "gram per liter": "UO:0000175",
    "milligram per milliliter": "UO:0000176",
    "microgram per milliliter": "UO:0000274",
    "nanogram per milliliter": "UO:0000275",
    "milligram per liter": "UO:0000273",
    "microgram per liter": "UO:0000301",
    "milligram per kilogram": "UO:0000308",
    "gram": "UO:0000021",
    "milligram": "UO:0000022",
    "microgram": "UO:0000023",
    "nanogram": "UO:0000024",
    "liter": "UO:0000099",
    "milliliter": "UO:0000098",
    "microliter": "UO:0000101",
    "percent": "UO:0000187",
    "gray": "UO:0000134",
    "centigray": "UO:0010055",
    "milligray": "UO:0000142",
    "unit per milliliter": "UO:0000178",
    "parts per million": "UO:0000169",
    "parts per billion": "UO:0000170",
}
"""Unit -> UO term. Units of doses that UO has no term for are absent."""

DURATIONS: Mapping[str, tuple[str, ...]] = {
    YEAR: ("year", "years", "yr", "yrs", "y", "yo", "y.o", "y.o.", "y/o"),
    MONTH: ("month", "months", "monthes", "mo", "mos", "mon", "mth", "mths"),
    WEEK: ("week", "weeks", "wk", "wks", "w"),
    DAY: ("day", "days", "d"),
    HOUR: ("hour", "hours", "hr", "hrs", "h"),
    MINUTE: ("minute", "minutes", "min", "mins"),
    SECOND: ("second", "seconds", "sec", "secs"),
}

RECKONED: Mapping[str, tuple[str, ...]] = {
    EMBRYONIC_DAY: (
        *("embryonic day", "embryonic days", "dpc", "d.p.c", "d.p.c."),
        *("days post coitum", "day post coitum", "days post conception"),
    ),
    POSTNATAL_DAY: ("postnatal day", "postnatal days"),
    WEEK_POST_CONCEPTION: ("pcw", "wpc", "weeks post conception", "week post conception", "post conception weeks"),
    GESTATIONAL_WEEK: ("gestational weeks", "gestational week", "weeks gestation", "weeks of gestation", "gw"),
    DAY_POST_FERTILIZATION: ("dpf", "days post fertilization", "day post fertilization", "days post fertilisation"),
    HOUR_POST_FERTILIZATION: ("hpf", "hours post fertilization", "hour post fertilization", "hours post fertilisation"),
}
"""Units that also say from when is counted."""

SINCE_EVENT: Mapping[str, tuple[str, ...]] = {
    HOUR: ("hpi", "h.p.i", "h.p.i.", "hpt"),
    DAY: ("dpi", "d.p.i", "d.p.i."),
    WEEK: ("wpi", "w.p.i", "w.p.i."),
}
"""Time since an infection, an injury, an injection, a transfection: the letters do not say which."""

DOSES: Mapping[str, tuple[str, ...]] = {
    "molar": ("m", "molar", "mol/l"),
    "millimolar": ("mm", "millimolar", "mmol/l"),
    "micromolar": ("um", "micromolar", "umol/l"),
    "nanomolar": ("nm", "nanomolar", "nmol/l"),
    "picomolar": ("pm", "picomolar", "pmol/l"),
    "gram per liter": ("g/l", "gram per liter"),
    "milligram per milliliter": ("mg/ml", "mg ml-1", "ug/ul", "milligram per milliliter"),
    "microgram per milliliter": ("ug/ml", "ug ml-1", "mcg/ml", "ng/ul", "microgram per milliliter"),
    "nanogram per milliliter": ("ng/ml", "ng ml-1", "pg/ul", "nanogram per milliliter"),
    "picogram per milliliter": ("pg/ml", "picogram per milliliter"),
    "milligram per liter": ("mg/l", "milligram per liter"),
    "microgram per liter": ("ug/l", "microgram per liter"),
    "gram per kilogram": ("g/kg", "gram per kilogram"),
    "milligram per kilogram": ("mg/kg", "mg kg-1", "milligram per kilogram"),
    "microgram per kilogram": ("ug/kg", "microgram per kilogram"),
    "microgram per square centimeter": ("ug/cm2", "ug/cm^2"),
    "gram": ("g", "gram", "grams"),
    "milligram": ("mg", "milligram", "milligrams"),
    "microgram": ("ug", "mcg", "microgram", "micrograms"),
    "nanogram": ("ng", "nanogram", "nanograms"),
    "liter": ("l", "liter", "litre"),
    "milliliter": ("ml", "milliliter", "milliliters", "millilitre"),
    "microliter": ("ul", "microliter", "microliters", "microlitre"),
    "percent": ("%", "percent", "per cent", "pct"),
    "gray": ("gy", "gray", "grays"),
    "centigray": ("cgy", "centigray"),
    "milligray": ("mgy", "milligray"),
    "unit per milliliter": ("u/ml", "units/ml", "unit/ml", "unit per milliliter"),
    "international unit per milliliter": ("iu/ml",),
    "parts per million": ("ppm",),
    "parts per billion": ("ppb",),
}
"""Spellings in lower case with ``u`` for micro. Micrograms per microlitre are milligrams per millilitre, and so on."""

CONCENTRATIONS: frozenset[str] = frozenset(
    {
        *("millimolar", "micromolar", "nanomolar", "picomolar"),
        *("milligram per milliliter", "microgram per milliliter", "nanogram per milliliter", "picogram per milliliter"),
        *("gram per kilogram", "milligram per kilogram", "microgram per kilogram", "microgram per square centimeter"),
        *("gray", "centigray", "unit per milliliter", "international unit per milliliter"),
    }
)
"""Units that are a dose also in the middle of a text; percentages, masses and volumes may be of anything."""


def _spellings(*tables: Mapping[str, tuple[str, ...]], **more: str) -> dict[str, str]:
    return {spelling: unit for table in tables for unit, spellings in table.items() for spelling in spellings} | more


AGE_SPELLINGS = _spellings(DURATIONS, RECKONED, m=MONTH)
"""Spelling -> unit of an age; nobody counts an age in minutes, so ``18m`` are months."""

TIME_SPELLINGS = _spellings(DURATIONS, RECKONED, SINCE_EVENT, s=SECOND)
"""Spelling -> unit of a time; ``m`` may be minutes or months and is neither."""

DOSE_SPELLINGS = _spellings(DOSES)
"""Spelling -> unit of a dose."""
