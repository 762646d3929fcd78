"""Sexes as submitters write them -> female, male, mixed sex, hermaphrodite, with their terms in PATO."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

FEMALE, MALE, MIXED, HERMAPHRODITE = "female", "male", "mixed sex", "hermaphrodite"

SEX_TERMS: Mapping[str, str] = {
    FEMALE: "PATO:0000383",
    MALE: "PATO:0000384",
    MIXED: "PATO:0001338",
    HERMAPHRODITE: "PATO:0001340",
}
"""Terms of the Phenotype and Trait Ontology (https://obofoundry.org/ontology/pato)."""

_FEMALE = frozenset({"f", "fem", "female", "females", "femal", "woman", "women", "girl", "girls"})
_MALE = frozenset({"m", "male", "males", "man", "men", "boy", "boys"})
_MIXED = frozenset({"mixed", "mix", "both", "pooled", "pool"})
_HERMAPHRODITE = frozenset({"hermaphrodite", "hermaphrodites", "hermaphroditic"})
_WITHOUT_MEANING = frozenset({"and", "gender", "of", "sex", "sexes", "the"})
_UNKNOWN = frozenset({"nd", "nr", "u", "uk", "unk", "undetermined", "unsexed", "indeterminate", "x"})
_UNKNOWN_TEXTS = frozenset({"not known", "not sexed", "not stated", "not done", "n.d", "sex unknown", "unknown sex"})
_WORD = re.compile(r"[a-z]+")
_LETTERS_AND_NUMBERS = re.compile(r"[a-z0-9 .,;:&+/()|_-]+")


@lru_cache(maxsize=8192)
def canonical_sex(text: str) -> str | None:
    """The sex that a value means, the value in lower case if it is another word, None if it says nothing.

    ``1 Male, 2 Female`` and ``pooled male and female`` are mixed sex. Numbers alone are codes whose key nobody gave:
    None. Chromosomes (``XX``) stay as they are: whether XX is female or a hermaphrodite depends on the species.
    """
    plain = " ".join(text.lower().replace("_", " ").split())
    words = _WORD.findall(plain)
    if not words or plain.rstrip(".") in _UNKNOWN_TEXTS or (len(words) == 1 and words[0] in _UNKNOWN):
        return None
    meant = {_meaning(word) for word in words} - {""}
    if None in meant or not meant or _LETTERS_AND_NUMBERS.fullmatch(plain) is None:
        return plain
    if {FEMALE, MALE} <= meant or meant == {MIXED}:
        return MIXED
    meant -= {MIXED}  # "pooled females" are females
    return meant.pop() if len(meant) == 1 else plain


def _meaning(word: str) -> str | None:
    """The sex a word stands for, an empty text if it adds nothing, None if it changes what is said."""
    for meaning, words in ((FEMALE, _FEMALE), (MALE, _MALE), (HERMAPHRODITE, _HERMAPHRODITE), (MIXED, _MIXED)):
        if word in words:
            return meaning
    return "" if word in _WITHOUT_MEANING else None
