"""Ages, times and doses as submitters write them -> a canonical number and a unit.

The number is a decimal (``14.5``), a range (``8-10``) or a bound (``>89``, ``>=65``): what was written, in one
spelling. Nothing is averaged, rounded or guessed; what cannot be read with certainty is None.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache

from refinebio_assets.survey import harmonised_units as units

_NUMBER = r"(?:(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:[.,][0-9]+)?|\.[0-9]+)"
_DOSE_NUMBER = rf"(?:{_NUMBER}(?:e[-+]?[0-9]{{1,2}}(?![0-9]))?)"
_ABOUT = r"(?:about|approximately|approx\.?|around|circa|ca\.?|estimated|est\.?|~)"
_BOUNDS: Mapping[str, str] = {
    ">=": ">=",
    "<=": "<=",
    ">": ">",
    "<": "<",
    "at least": ">=",
    "at most": "<=",
    "up to": "<=",
    "more than": ">",
    "older than": ">",
    "over": ">",
    "above": ">",
    "less than": "<",
    "younger than": "<",
    "under": "<",
    "below": "<",
}
_BOUND = "|".join(map(re.escape, sorted(_BOUNDS, key=len, reverse=True)))
_BEFORE_AMOUNT = rf"(?:(?P<about>{_ABOUT})\s*)?(?:(?P<bound>{_BOUND})\s*)?"
_TO = r"\s*(?:-|to|through)\s*"
_AGE_TAIL = re.compile(
    r"(?:[\s-]*(?:old|of age))?(?:[\s-]*at (?:diagnosis|death|onset|biopsy|surgery|sampling|collection|enrol?lment))?"
    r"(?:\s+(?:larvae?|embryos?|f(?:o)?etus(?:es)?|pups?|seedlings?|adults?))?"
)
_AFTER_AGE: Mapping[str, Mapping[str, str]] = {
    r"(?:of\s+)?(?:gestation|gestational(?:\s+age)?|ga)": {
        units.DAY: units.EMBRYONIC_DAY,
        units.WEEK: units.GESTATIONAL_WEEK,
    },
    r"(?:post|after)[\s-]*(?:conception|coitum)(?:\s*\(gestation\))?": {
        units.DAY: units.EMBRYONIC_DAY,
        units.WEEK: units.WEEK_POST_CONCEPTION,
    },
    r"(?:post|after)[\s-]*fertili[sz]ation": {
        units.DAY: units.DAY_POST_FERTILIZATION,
        units.HOUR: units.HOUR_POST_FERTILIZATION,
    },
    r"(?:post|after)[\s-]*(?:natal|birth|partum)": {
        units.DAY: units.POSTNATAL_DAY,
        units.WEEK: units.WEEK,
        units.MONTH: units.MONTH,
    },
}
_BEFORE_AGE: Mapping[str, str] = {
    r"e|ed|gd|embryonic(?:\s+day)?|gestation(?:al)?\s+day|day\s+of\s+gestation": units.EMBRYONIC_DAY,
    r"p|pn|pnd|pd|post-?\s*natal\s+day": units.POSTNATAL_DAY,
    r"gw|gestation(?:al)?\s+week": units.GESTATIONAL_WEEK,
    r"pcw|post-?\s*conception(?:al)?\s+week": units.WEEK_POST_CONCEPTION,
}
_BEFORE: Mapping[str, str] = {
    r"d|day": units.DAY,
    r"w|wk|week": units.WEEK,
    r"month": units.MONTH,
    r"h|hr|hour": units.HOUR,
}
_BEFORE_TAIL = re.compile(r"[\s-]*(?:d|dpc|days?|weeks?|old)?")
_NUMBER_WORDS = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)
_NUMBER_WORD = re.compile(rf"(?:{'|'.join(_NUMBER_WORDS)})(?=[\s-]+[a-z])")
_OPEN_ENDED = re.compile(r"(?:or|and) (?:(older|over|above|more)|(?:younger|under|below|less))")
_LONGEST_QUANTITY, _LONGEST_TREATMENT = 80, 300
"""Characters; whole protocols are submitted as values, and say no age, time or dose of the sample."""
_ISO_DURATION = re.compile(r"pt?([0-9]+)(?:(y)|(m)|(w)|(d)|(h))")
_MONTHS_IN_A_YEAR, _DAYS_IN_A_WEEK = 12, 7
_TIME_TAIL = re.compile(
    r"(?:[\s-]*(?:post|after|of|following|from|since|in|into|later|treatment|exposure|stimulation|incubation|culture|"
    r"infection|transfection|induction|pi|p\.i\.?)\b.*|\s*\(.*\))?",
    re.DOTALL,
)
_SINCE = re.compile(r"(?:post|after)[\s-]*[a-z]+\s+(?=(?:day|week|hour)\b)")
_NO_DOSE_OF_THE_COMPOUND = re.compile(r"\b(?:vehicle|control|mock)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A number with its unit.

    Attributes:
        value: Canonical: ``14.5``, ``8-10``, ``>89``.
        unit: Its name, None if the text has none.
        approximate: Whether the text says that the number is an estimate.
    """

    value: str
    unit: str | None = None
    approximate: bool = False


def canonical_text(text: str) -> str:
    """Lower case, single spaces, one kind of dash, ``u`` for micro, ``>=`` for its signs."""
    # "Â" is what is left of UTF-8 that was read as Latin-1: "5 Âµg" was "5 µg", and "Î¼" was the other µ.
    repaired = text.replace("Âµ", "µ").replace("Î¼", "µ")
    plain = unicodedata.normalize("NFKC", repaired).lower().translate(_SIGNS)
    return " ".join(plain.split()).strip().rstrip(".;,")


_SIGNS = str.maketrans(
    {
        "\N{GREEK SMALL LETTER MU}": "u",
        **dict.fromkeys("\N{EN DASH}\N{EM DASH}\N{MINUS SIGN}\N{HYPHEN}\N{NON-BREAKING HYPHEN}", "-"),
        "\N{GREATER-THAN OR EQUAL TO}": ">=",
        "\N{LESS-THAN OR EQUAL TO}": "<=",
        "_": " ",
    }
)


def _one_of(spellings: Mapping[str, str]) -> str:
    longest_first = sorted(spellings, key=lambda spelling: (-len(spelling), spelling))
    return "(?:" + "|".join(re.escape(spelling) for spelling in longest_first) + ")"


def _measure(spellings: Mapping[str, str], number: str = _NUMBER) -> re.Pattern[str]:
    """An amount, a range or a bound with a unit: ``8 wk``, ``8-10 wk``, ``8wk-10wk``, ``>89y``, ``65+ years``."""
    unit = _one_of(spellings)
    end = r"(?![a-z0-9/])"
    return re.compile(
        rf"{_BEFORE_AMOUNT}(?P<low>{number})(?:\s*-?\s*(?P<unit_of_low>{unit}){end})?"
        rf"(?:{_TO}(?P<high>{number}))?(?P<plus>\s*\+)?"
        rf"(?:[\s-]*(?P<unit>{unit}){end})?"
    )


_AGE_MEASURE = _measure(units.AGE_SPELLINGS)
_TIME_MEASURE = _measure(units.TIME_SPELLINGS)
_DOSE_MEASURE = _measure(units.DOSE_SPELLINGS, _DOSE_NUMBER)
_AMOUNT_ALONE = re.compile(rf"{_BEFORE_AMOUNT}(?P<low>{_NUMBER})(?:{_TO}(?P<high>{_NUMBER}))?")
_COMPOUND_AGE = re.compile(
    rf"(?P<first>[0-9]+)\s*-?\s*(?P<first_unit>{_one_of(units.AGE_SPELLINGS)})[\s,]*(?:and\s+)?"
    rf"(?P<second>[0-9]+)\s*-?\s*(?P<second_unit>{_one_of(units.AGE_SPELLINGS)})(?P<tail>[\s-]*old)?"
)
_DOSE_IN_TEXT = re.compile(rf"(?<![a-z0-9.,-])({_DOSE_NUMBER})\s*({_one_of(units.DOSE_SPELLINGS)})(?![a-z0-9/])")
_TIME_IN_TEXT = re.compile(rf"(?<![a-z0-9.,-])({_NUMBER})\s*-?\s*({_one_of(units.TIME_SPELLINGS)})(?![a-z0-9/])")


@lru_cache(maxsize=65536)
def parse_age(text: str) -> Quantity | None:
    """``8-10 weeks``, ``E14.5``, ``2 yrs 3 mo``, ``> 89``, ``57``; None if it is no age in numbers."""
    plain = _open_ended(_digits(re.sub(r"^age\s*[:=]\s*", "", _short(text))))
    return (
        _iso_age(plain)
        or _prefixed(plain, {**_BEFORE_AGE, **_BEFORE})
        or _compound_age(plain)
        or _measured_age(plain)
        or _age_in_parentheses(plain)
    )


@lru_cache(maxsize=65536)
def parse_time(text: str) -> Quantity | None:
    """``24h``, ``day 3``, ``D3``, ``2 weeks post infection``, ``t=30min``; None if it is no time in numbers."""
    plain = re.sub(r"^(?:time\s*|t\s*)[:=]\s*|^t(?=[0-9.]+\s*[a-z])", "", _digits(_short(text)))
    plain = _SINCE.sub("", plain, count=1)
    unsigned = re.sub(r"^((?:day|week|hour|d|w|h)\s+)?-\s*(?=[0-9.])", r"\1", plain)
    found = _measured(unsigned, _TIME_MEASURE, units.TIME_SPELLINGS, tail=_TIME_TAIL) or _prefixed(
        unsigned, _BEFORE, tail=_TIME_TAIL, separators="[.:]?"
    )
    if found is None or unsigned == plain:
        return found
    return replace(found, value=f"-{found.value}") if re.fullmatch(r"[0-9.]+", found.value) else None


@lru_cache(maxsize=65536)
def parse_dose(text: str) -> Quantity | None:
    """``10 µM``, ``100 ng/ml``, ``5 mg/kg``, ``0.1%``, ``2 Gy``, ``500``; None if it is no dose in numbers."""
    plain = _short(text)
    return _measured(plain, _DOSE_MEASURE, units.DOSE_SPELLINGS, tail=re.compile(r"(?:\s+of\s.*)?"))


@lru_cache(maxsize=65536)
def dose_in(text: str) -> Quantity | None:
    """The one concentration or radiation dose that a treatment names; None if there is none, or several.

    Percentages, masses and volumes do not count, and neither does what a vehicle or control was given.
    """
    plain = _short(text, _LONGEST_TREATMENT)
    if _NO_DOSE_OF_THE_COMPOUND.search(plain):
        return None
    found = {
        (_decimal(number), units.DOSE_SPELLINGS[unit])
        for number, unit in _DOSE_IN_TEXT.findall(plain)
        if units.DOSE_SPELLINGS[unit] in units.CONCENTRATIONS
    }
    ambiguous = len(found) != 1 or _several_values(plain)
    return None if ambiguous else _quantity(*found.pop())


@lru_cache(maxsize=65536)
def time_in(text: str) -> Quantity | None:
    """The one duration that a treatment names; None if there is none, or several."""
    plain = _short(text, _LONGEST_TREATMENT)
    found = {(_decimal(number), units.TIME_SPELLINGS[unit]) for number, unit in _TIME_IN_TEXT.findall(plain)}
    return _quantity(*found.pop()) if len(found) == 1 else None


def unit_of(text: str, spellings: Mapping[str, str]) -> str | None:
    """The unit that a column or an archive names: ``years`` -> ``year``; None if it is not known."""
    plain = canonical_text(text)
    return spellings.get(plain) or (plain if plain in spellings.values() else None)


def unit_term(unit: str | None) -> str | None:
    """The term of a unit in the Units Ontology, None if it has none."""
    return units.UNIT_TERMS.get(unit) if unit else None


def _short(text: str, longest: int = _LONGEST_QUANTITY) -> str:
    """The canonical text; nothing if it is too long to be about one quantity."""
    return canonical_text(text) if len(text) <= longest else ""


def _digits(plain: str) -> str:
    """``three months`` -> ``3 months``."""
    return _NUMBER_WORD.sub(lambda word: str(_NUMBER_WORDS.index(word.group())), plain, count=1)


def _open_ended(plain: str) -> str:
    """``90 years or older`` -> ``>=90 years``."""
    match = re.fullmatch(rf"(?P<amount>{_NUMBER}.*?)\s+{_OPEN_ENDED.pattern}", plain)
    return f"{'>=' if match[2] else '<='}{match['amount']}" if match else plain


def _several_values(plain: str) -> bool:
    """Whether a text lists doses that are not all read, as in ``1, 5 and 10 uM``."""
    return re.search(r"[0-9]\s*(?:,\s|/|and|or|\+)\s*[0-9.]+\s*[a-z]+/?[a-z]*", plain) is not None


def _quantity(number: str, unit: str) -> Quantity:
    return Quantity(value=number, unit=unit)


def _decimal(number: str) -> str:
    """``048.50`` -> ``48.5``, ``3,5`` -> ``3.5``, ``1,000`` -> ``1000``, ``1e-3`` -> ``0.001``."""
    if re.fullmatch(r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?", number):
        number = number.replace(",", "")
    text = format(Decimal(number.replace(",", ".")), "f")
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")


def _value(match: re.Match[str]) -> str | None:
    """The canonical number of a match: alone, with a bound, or a range from the smaller to the larger."""
    parts = match.groupdict()
    low = _decimal(parts["low"])
    bound = _BOUNDS.get(parts["bound"] or "", "")
    if parts.get("high") is not None:
        high = _decimal(parts["high"])
        return f"{low}-{high}" if not bound and not parts.get("plus") and Decimal(low) < Decimal(high) else None
    if parts.get("plus"):
        return None if bound else f">={low}"
    return f"{bound}{low}"


def _measured(
    plain: str, measure: re.Pattern[str], spellings: Mapping[str, str], *, tail: re.Pattern[str]
) -> Quantity | None:
    match = measure.match(plain)
    if match is None or tail.fullmatch(plain, match.end()) is None:
        return None
    named = {spellings[each] for each in (match["unit_of_low"], match["unit"]) if each}
    value = _value(match)
    if value is None or len(named) > 1 or (not named and match.end() != len(plain)):
        return None
    return Quantity(value=value, unit=named.pop() if named else None, approximate=match["about"] is not None)


def _measured_age(plain: str) -> Quantity | None:
    for after, unit_then in _AFTER_AGE.items():
        counted = re.fullmatch(rf"(.*?)[\s-]*{after}", plain)
        found = _measured(counted[1], _AGE_MEASURE, units.AGE_SPELLINGS, tail=_AGE_TAIL) if counted else None
        if found is not None:
            unit = unit_then.get(found.unit or "")
            return replace(found, unit=unit) if unit else None
    return _measured(plain, _AGE_MEASURE, units.AGE_SPELLINGS, tail=_AGE_TAIL)


def _age_in_parentheses(plain: str) -> Quantity | None:
    """``adult (22-36yrs range)``: a word, and the age beside it."""
    match = re.fullmatch(r"[a-z ]+\(([^()]*?)(?:\s+range)?\)", plain)
    found = _measured(match[1], _AGE_MEASURE, units.AGE_SPELLINGS, tail=_AGE_TAIL) if match else None
    return found if found is not None and found.unit else None


def _prefixed(
    plain: str, prefixes: Mapping[str, str], *, tail: re.Pattern[str] = _BEFORE_TAIL, separators: str = "-?[.:]?"
) -> Quantity | None:
    """``E14.5``, ``postnatal day 7``, ``D3``, ``week 8``: the unit stands first. A dash after a space is a minus."""
    for prefix, unit in prefixes.items():
        start = re.match(rf"(?:{prefix}){separators}\s*(?=[0-9~<>])", plain)
        if start is None:
            continue
        amount = _AMOUNT_ALONE.match(plain, start.end())
        value = _value(amount) if amount else None
        if amount and value is not None and tail.fullmatch(plain, amount.end()):
            return Quantity(value=value, unit=unit, approximate=amount["about"] is not None)
    return None


def _iso_age(plain: str) -> Quantity | None:
    """An ISO 8601 duration of one part: ``P30D``, ``P6M``."""
    match = _ISO_DURATION.fullmatch(plain)
    if match is None:
        return None
    number, *letters = match.groups()
    unit = next(
        unit
        for unit, letter in zip((units.YEAR, units.MONTH, units.WEEK, units.DAY, units.HOUR), letters, strict=True)
        if letter
    )
    return _quantity(_decimal(number), unit)


def _compound_age(plain: str) -> Quantity | None:
    """``2 yrs 3 mo`` -> 27 months, ``1 week 3 days`` -> 10 days; other pairs of units have no exact sum."""
    match = _COMPOUND_AGE.fullmatch(plain)
    if match is None:
        return None
    pair = units.AGE_SPELLINGS[match["first_unit"]], units.AGE_SPELLINGS[match["second_unit"]]
    factor = {(units.YEAR, units.MONTH): _MONTHS_IN_A_YEAR, (units.WEEK, units.DAY): _DAYS_IN_A_WEEK}.get(pair)
    if factor is None:
        return None
    return _quantity(str(int(match["first"]) * factor + int(match["second"])), pair[1])
