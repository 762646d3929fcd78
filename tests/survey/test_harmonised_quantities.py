from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from refinebio_assets.survey import harmonised_units as units
from refinebio_assets.survey.harmonised_quantities import (
    Quantity,
    canonical_text,
    dose_in,
    parse_age,
    parse_dose,
    parse_time,
    time_in,
    unit_of,
    unit_term,
)

AGES = [
    ("57", "57", None),
    ("29 years old", "29", "year"),
    ("1-year-old", "1", "year"),
    ("8wk", "8", "week"),
    ("30 months", "30", "month"),
    ("048.50 y/o", "48.5", "year"),
    ("45Y", "45", "year"),
    ("10w", "10", "week"),
    ("18m", "18", "month"),
    ("age: 45", "45", None),
    ("45 years at diagnosis", "45", "year"),
    ("45 years of age at diagnosis", "45", "year"),
    ("3,5 years", "3.5", "year"),
    ("1,000 days", "1000", "day"),
    ("three monthes", "3", "month"),
    ("one-year-old", "1", "year"),
    ("8-10 weeks", "8-10", "week"),
    ("8\N{EN DASH}10 weeks", "8-10", "week"),
    ("8wk-10wk", "8-10", "week"),
    ("6 to 8 week old", "6-8", "week"),
    ("20-30", "20-30", None),
    ("65+", ">=65", None),
    ("65+ years", ">=65", "year"),
    ("90 years or older", ">=90", "year"),
    ("> 89", ">89", None),
    ("\N{GREATER-THAN OR EQUAL TO} 90 y", ">=90", "year"),
    ("under 18 yrs", "<18", "year"),
    ("2 yrs 3 mo", "27", "month"),
    ("2y3m", "27", "month"),
    ("1 week and 3 days", "10", "day"),
    ("P30D", "30", "day"),
    ("P6M", "6", "month"),
    ("E14.5", "14.5", "embryonic day"),
    ("E17.5 d", "17.5", "embryonic day"),
    ("embryonic day 14.5", "14.5", "embryonic day"),
    ("18.5 dpc", "18.5", "embryonic day"),
    ("Gestation day 15-16", "15-16", "embryonic day"),
    ("54-57 days post conception (gestation)", "54-57", "embryonic day"),
    ("P7", "7", "postnatal day"),
    ("postnatal day 7", "7", "postnatal day"),
    ("PND21", "21", "postnatal day"),
    ("3 days after birth", "3", "postnatal day"),
    ("3 dpf", "3", "day post fertilization"),
    ("5 dpf larvae", "5", "day post fertilization"),
    ("24 hpf", "24", "hour post fertilization"),
    ("8 weeks gestation", "8", "gestational week"),
    ("GW20", "20", "gestational week"),
    ("12 weeks post-conception", "12", "week post conception"),
    ("12 pcw", "12", "week post conception"),
    ("day 4", "4", "day"),
    ("0", "0", None),
    ("0d", "0", "day"),
    ("12 Hours", "12", "hour"),
    ("adult (22-36yrs range)", "22-36", "year"),
]


@pytest.mark.parametrize(("raw", "value", "unit"), AGES)
def test_an_age_is_read_with_its_unit(raw: str, value: str, unit: str | None):
    assert parse_age(raw) == Quantity(value=value, unit=unit)


@pytest.mark.parametrize("raw", ["about 25 years", "est. 25 years", "~25 years", "ca. 25 y"])
def test_an_estimated_age_is_marked_as_such(raw: str):
    assert parse_age(raw) == Quantity(value="25", unit="year", approximate=True)


@pytest.mark.parametrize(
    "raw",
    [
        *("NaN", "inf", "-5", "", "adult", "newborn", "larval stage 4", "57 fortnights", "4 weeks to 3 months"),
        *("10-8 weeks", "8 and 10 weeks", "2 months 5 days", "11+5", "0 DIV", "P7-P9", "day -3", "years", "5'"),
        *("24-Jan-2016", "57 (2)", "45.2 +/- 3 years", "stage 22", "12 hours old and fed", "9" * 300),
    ],
)
def test_what_is_no_certain_age_is_none(raw: str):
    assert parse_age(raw) is None


TIMES = [
    ("24h", "24", "hour"),
    ("24 hr", "24", "hour"),
    ("0 h", "0", "hour"),
    ("day 3", "3", "day"),
    ("D3", "3", "day"),
    ("2 weeks post infection", "2", "week"),
    ("t=30min", "30", "minute"),
    ("T24h", "24", "hour"),
    ("10 wpi", "10", "week"),
    ("3 dpi", "3", "day"),
    ("24 hpf", "24", "hour post fertilization"),
    ("post infection day 3", "3", "day"),
    ("3 days after adipogenic stimulation (Day 3)", "3", "day"),
    ("-1 h", "-1", "hour"),
    ("day -3", "-3", "day"),
    ("0.5hr", "0.5", "hour"),
    ("24-48 h", "24-48", "hour"),
    ("8", "8", None),
]


@pytest.mark.parametrize(("raw", "value", "unit"), TIMES)
def test_a_time_is_read_with_its_unit(raw: str, value: str, unit: str | None):
    assert parse_time(raw) == Quantity(value=value, unit=unit)


@pytest.mark.parametrize("raw", ["T0", "30m", "D-3", "72 hour control sample", "pre-LVAD", "NaN", "day A", "-2-5 h"])
def test_what_is_no_certain_time_is_none(raw: str):
    assert parse_time(raw) is None


DOSES = [
    ("10 uM", "10", "micromolar"),
    ("10\N{MICRO SIGN}M", "10", "micromolar"),
    ("10 \N{GREEK SMALL LETTER MU}M", "10", "micromolar"),
    ("20 Âµm", "20", "micromolar"),
    ("1e-6 M", "0.000001", "molar"),
    ("100 ng/ml", "100", "nanogram per milliliter"),
    ("5 mg/kg", "5", "milligram per kilogram"),
    ("0.1%", "0.1", "percent"),
    ("2 Gy", "2", "gray"),
    ("500", "500", None),
    ("1-5 mM", "1-5", "millimolar"),
    ("1 ug/ul", "1", "milligram per milliliter"),
]


@pytest.mark.parametrize(("raw", "value", "unit"), DOSES)
def test_a_dose_is_read_with_its_unit(raw: str, value: str, unit: str | None):
    assert parse_dose(raw) == Quantity(value=value, unit=unit)


@pytest.mark.parametrize("raw", ["10-6 M", "high", "low dose", "2 tablets", "", "10 uM + 5 nM"])
def test_what_is_no_certain_dose_is_none(raw: str):
    assert parse_dose(raw) is None


@pytest.mark.parametrize(
    ("treatment", "dose", "time"),
    [
        ("100nM JQ1 48h", ("100", "nanomolar"), ("48", "hour")),
        ("vemurafenib_10 doses_75mg/kg", ("75", "milligram per kilogram"), None),
        ("irradiated with 2 Gy, 6 h", ("2", "gray"), ("6", "hour")),
        ("3 h DRB 60 min 4sU-labeling", None, None),
        ("SR1_500nM+BIO_1ÂµM", None, None),
        ("1, 5 and 10 uM", None, None),
        ("vehicle (0.1% EtOH) as control for 24hrs", None, ("24", "hour")),
        ("control, 10 nM siRNA", None, None),
        ("20% FBS", None, None),
        ("300ul of DMS to 15mls of cells", None, None),
        ("IL-2", None, None),
        ("DOX days 0-19", None, None),
    ],
)
def test_a_treatment_may_name_one_dose_and_one_time(
    treatment: str, dose: tuple[str, str] | None, time: tuple[str, str] | None
):
    found = [quantity and (quantity.value, quantity.unit) for quantity in (dose_in(treatment), time_in(treatment))]
    assert found == [dose, time]


def test_every_unit_of_an_age_or_time_has_a_term_and_a_spelling_means_one_unit():
    for spellings in (units.AGE_SPELLINGS, units.TIME_SPELLINGS):
        assert all(unit_term(unit) for unit in spellings.values())
    tables = (units.DURATIONS, units.RECKONED, units.SINCE_EVENT, units.DOSES)
    for table in tables:
        spellings = [spelling for several in table.values() for spelling in several]
        assert len(set(spellings)) == len(spellings)
    assert set(units.DOSES) >= units.CONCENTRATIONS
    assert all(spelling == canonical_text(spelling) or "." in spelling for spelling in units.DOSE_SPELLINGS)


def test_the_unit_beside_a_value_is_known_by_name_and_spelling():
    assert unit_of("Years", units.AGE_SPELLINGS) == "year"
    assert unit_of("nanomolar", units.DOSE_SPELLINGS) == "nanomolar"
    assert unit_of("RIN", units.AGE_SPELLINGS) is None


whole = st.integers(min_value=0, max_value=9999)


@given(
    whole,
    st.integers(min_value=0, max_value=99),
    st.sampled_from(sorted(units.AGE_SPELLINGS)),
    st.sampled_from(["", " ", "-"]),
)
def test_every_spelling_of_a_unit_is_read_after_every_number(number: int, hundredths: int, spelling: str, space: str):
    written = f"{number}.{hundredths:02}"
    found = parse_age(f"{written}{space}{spelling}")
    assert found is not None
    assert Decimal(found.value) == Decimal(written)
    assert found.unit == units.AGE_SPELLINGS[spelling]


@example("1e-9 m")
@example(".5")
@example("1,2,3")
@given(st.text(max_size=40) | st.from_regex(r"[0-9eEpPdD.,+<>~ -]{1,12}(?: ?[a-zµ/%]{0,6})?", fullmatch=True))
def test_any_text_is_read_as_digits_of_its_own_or_not_at_all(text: str):
    for parse in (parse_age, parse_time, parse_dose, dose_in, time_in):
        found = parse(text)
        if found is None:
            continue
        assert any(character.isdigit() for character in found.value)
        for number in found.value.lstrip("<>=-").split("-"):
            assert Decimal(number) >= 0
        again = parse_age(f"{found.value} {found.unit}" if parse is parse_age and found.unit else found.value)
        if parse is parse_age:
            assert again is not None
            assert again.value == found.value
