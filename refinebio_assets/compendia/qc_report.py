"""The report of a compendium: one page that a biologist reads before using it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from refinebio_assets.compendia.qc_report_evidence import evidence_sections
from refinebio_assets.compendia.qc_report_html import (
    NOTHING,
    Cell,
    Markup,
    facts,
    foreign,
    in_full,
    joined,
    page,
    paragraph,
    percent,
    section,
    table,
    technology_name,
)
from refinebio_assets.compendia.quality import Quality
from refinebio_assets.compendia.quality_checks import QualityCheck
from refinebio_assets.compendia.quality_sampling import column
from refinebio_assets.domain.organisms import scientific_name
from refinebio_assets.matrix_files import replacing

if TYPE_CHECKING:
    from refinebio_assets.compendia.compendium_files import CompendiumDescription

MOST_ROWS = 30
"""Rows of a table that would otherwise grow with the compendium."""
DEEPEST = 3
_DIGITS = re.compile(r"\d+(?:[.,]\d+)*")
_PROBLEMS = {
    "empty_samples": "samples without any value",
    "constant_samples": "samples with one value everywhere",
    "duplicated_samples": "samples that are there twice",
    "copies_across_experiments": "samples that several experiments have",
    "duplicated_genes": "genes that are there twice",
    "unmapped_genes": "genes without a stable id",
    "finite_values": "values that are no numbers",
    "observed_values_untouched": "measured values that were changed",
    "quantile_normalization_deterministic": "a check that gives another answer when repeated",
    "distributions_agree": "samples whose distributions differ",
    "imputation_converged": "an imputation that had not settled",
    "imputation_beats_gene_means": "imputed values that are worse than the gene's mean in some groups",
}
"""What a check that fails says, in a few words."""

Sections = list[tuple[str, str, Markup]]


def write_qc_report(path: Path, quality: Quality, description: CompendiumDescription) -> None:
    """Write the report as one HTML file; the same compendium gives the same bytes.

    Args:
        path: Where; replaced if it exists.
        quality: The evidence.
        description: What the compendium is.
    """
    name = scientific_name(description.organism)
    sections = [
        *_opening(quality, description),
        *(evidence_sections(quality.figures) if quality.figures is not None else ()),
        *_closing(description),
    ]
    head = joined(
        [
            Markup(f"<h1>Quality report: {foreign(name)} compendium</h1>"),
            paragraph(f"Version {description.version}, made by refinebio.", css="soft"),
            _verdict(quality.checks),
        ]
    )
    foot = paragraph(
        "This page is complete in itself: it loads nothing and runs nothing. The README of the compendium "
        "describes the files beside it."
    )
    text = page(f"{name} compendium {description.version}: quality report", head, sections, foot)
    with replacing(path) as temporary:
        temporary.write_bytes(text.encode("utf-8", "replace"))


def _opening(quality: Quality, description: CompendiumDescription) -> Iterator[tuple[str, str, Markup]]:
    yield "what", "What this is", section("what", "What this is", *_what(quality, description))
    yield "steps", "How it was made", section("steps", "How it was made", *_steps(description.summary))
    yield "checks", "Checks", section("checks", "Checks", *_checks(quality.checks))


def _closing(description: CompendiumDescription) -> Iterator[tuple[str, str, Markup]]:
    yield "left-out", "Samples left out", section("left-out", "Samples left out", *_left_out(description.filtered))
    yield "experiments", "Experiments", section("experiments", "Experiments", *_experiments(description))
    yield "provenance", "Provenance", section("provenance", "Provenance", *_provenance(description.provenance))


def _verdict(checks: Sequence[QualityCheck]) -> Markup:
    """What a reader who reads nothing else should know."""
    failed = [check for check in checks if not check.passed]
    blocking = [_PROBLEMS.get(check.name, check.name) for check in failed if check.blocking]
    others = [_PROBLEMS.get(check.name, check.name) for check in failed if not check.blocking]
    if blocking:
        kind, text = "bad", f"Do not use this compendium. It has {'; '.join(blocking)}."
    elif others:
        kind, text = "look", f"Fit for use. Know before you do: it has {'; '.join(others)}."
    else:
        kind, text = "good", "Fit for use: every check holds."
    link = Markup('<a href="#checks">All checks</a>')
    return Markup(
        f'<div class="verdict {kind}" role="note">{paragraph(Markup(f"<strong>{in_full(text)}</strong>"), link)}</div>'
    )


def _what(quality: Quality, description: CompendiumDescription) -> Iterator[Markup]:
    samples = description.samples
    technologies = Counter(column(samples, "technology"))
    names = [scientific_name(organism) for organism in description.organisms]
    shared = f" (with {', '.join(names)}, which share array platforms)" if len(names) > 1 else ""
    yield paragraph(
        foreign(f"{scientific_name(description.organism)}{shared}."),
        "All samples that refinebio could process are in one matrix, genes in rows and samples in columns, with values "
        "on a log2 scale that can be compared within the matrix. Use it to look at a gene across many studies or to "
        "train models; for differential expression within one study, use that study's own matrix.",
    )
    counts: list[tuple[str, Cell]] = [("samples", len(samples)), ("genes", len(description.genes))]
    counts += [(technology_name(name) + " samples", count) for name, count in sorted(technologies.items())]
    counts += [
        ("experiments", len(set(column(samples, "experiment")))),
        ("platforms", len(set(column(samples, "platform")))),
        ("values imputed", percent(quality.summary.get("share_imputed", 0.0))),
        ("samples left out", len(description.filtered)),
    ]
    yield facts(counts)


def _steps(summary: Mapping[str, Any]) -> Iterator[Markup]:
    filters, recipe = summary.get("filters", {}), summary.get("recipe", {})

    def count(name: str, what: str = "genes") -> str:
        return f"{filters[name]:,} {what}" if isinstance(filters.get(name), int) else NOTHING

    presence, completeness, of_sample = (
        percent(float(filters.get(name, 0.0))) for name in ("gene_presence", "gene_completeness", "sample_completeness")
    )
    low = f"{float(filters.get('low_expression_percentile', 0.0)):g}th"
    method = f"IterativeSVD, {recipe.get('svd_algorithm', NOTHING)}, rank {recipe.get('rank', NOTHING)}"
    iterations = (
        f"{summary.get('iterations', 0)} iterations; {percent(float(summary.get('share_imputed', 0.0)))} of values"
    )
    rows: list[tuple[Cell, Cell, Cell]] = [
        ("Start", "all genes of all samples", count("genes_in_store")),
        ("Gene presence", f"genes that more than {presence} of the samples have", count("genes_present")),
        (
            "Low RNA-seq expression",
            f"genes whose RNA-seq values count as missing: their sum is below the {low} percentile",
            count("rna_low_expression"),
        ),
        (
            "Gene completeness",
            f"genes that at least {completeness} of the samples have, zeros aside",
            count("genes_kept"),
        ),
        ("Samples", "all samples of the organism that can be used", count("samples_in_store", "samples")),
        (
            "Sample completeness",
            f"samples dropped because they have less than {of_sample} of the genes",
            f"{int(summary.get('samples_dropped', 0)):,} samples",
        ),
        ("Imputation", method, iterations if summary.get("iterations") else "nothing was imputed"),
        (
            "Quantile normalisation",
            "every sample gets the organism's reference distribution",
            "yes" if summary.get("quantile_normalized") else "no",
        ),
    ]
    extends = summary.get("extends")
    if extends:
        added, reused = (f"{int(extends.get(name, 0)):,}" for name in ("added", "reused"))
        rows.append(
            ("Extension", f"{added} new samples were placed by the earlier version's genes and axes", f"{reused} kept")
        )
    yield table(
        f"The steps in their order, and what each left (method {filters.get('method', NOTHING)}). RNA-seq values "
        "become log2(x + 1) after the low-expression step.",
        ("step", "what", "outcome"),
        rows,
        long=1,
    )


def _checks(checks: Sequence[QualityCheck]) -> Iterator[Markup]:
    def outcome(check: QualityCheck) -> Markup:
        kind = "blocking" if check.blocking else "note"
        css, found = (
            ("good", "✓ holds") if check.passed else ("bad", "✗ fails") if check.blocking else ("look", "! look")
        )
        return Markup(f'<span class="{css}">{found}</span><br><span class="soft">{kind}</span>')

    yield paragraph(
        "A compendium for which a blocking check fails must not be used; the others tell you what to expect."
    )
    rows = ((check.name.replace("_", " "), outcome(check), in_full(check.description)) for check in checks)
    yield table("What was checked.", ("check", "outcome", "found"), rows, long=2)


def _left_out(filtered: Mapping[str, Any]) -> Iterator[Markup]:
    if not filtered:
        yield paragraph("None: every sample of the organism that has expression values is in.")
        return
    alike: dict[str, list[str]] = {}
    for sample, one in filtered.items():
        alike.setdefault(_DIGITS.sub("…", one.reason), []).append(sample)
    ordered = sorted(alike.items(), key=lambda item: (-len(item[1]), item[0]))
    rows = (
        (foreign(filtered[samples[0]].reason), len(samples), foreign(_some(sorted(samples)))) for _, samples in ordered
    )
    yield table(
        f"{len(filtered):,} samples are not in the matrix; filtered_samples.tsv names each. Numbers in a reason are "
        "those of the first sample.",
        ("reason", "samples", "for example"),
        _first(rows),
        long=0,
    )


def _experiments(description: CompendiumDescription) -> Iterator[Markup]:
    samples = description.samples
    experiments = column(samples, "experiment")
    sizes = Counter(experiments)
    technology: dict[str, str] = dict(zip(experiments, column(samples, "technology"), strict=True))
    titles = getattr(description.metadata, "experiments", {})
    ordered = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))
    rows = (
        (
            foreign(name or "not stated"),
            technology_name(technology[name]),
            size,
            foreign(str((titles.get(name) or {}).get("title") or "")),
        )
        for name, size in ordered
    )
    beyond = f" The {MOST_ROWS} largest of {len(ordered):,}." if len(ordered) > MOST_ROWS else ""
    header = ("experiment", "technology", "samples", "title")
    yield table(f"Where the samples come from.{beyond}", header, _first(rows), long=3)


def _provenance(provenance: Mapping[str, Any]) -> Iterator[Markup]:
    yield paragraph(
        "Everything that decides the values; provenance.json beside this page has all of it. The version of the "
        "compendium is made of these: the same inputs give the same version and the same bytes."
    )
    rows = ((foreign(name), foreign(value)) for name, value in _flat(provenance))
    yield table("Inputs, versions and parameters.", ("what", "value"), rows, long=1)


def _flat(values: Mapping[str, Any], before: str = "", depth: int = 1) -> Iterator[tuple[str, str]]:
    """Nested values as ``a.b``: in their order; long lists and deep ones as a count."""
    for name, value in values.items():
        path = f"{before}{name}"
        if isinstance(value, Mapping) and len(value) <= MOST_ROWS and depth < DEEPEST:
            yield from _flat(value, f"{path}.", depth + 1)
        elif isinstance(value, Mapping) or (isinstance(value, (list, tuple)) and len(value) > MOST_ROWS):
            yield path, f"{len(value):,} entries"
        elif isinstance(value, (list, tuple)):
            yield path, ", ".join(map(str, value))
        else:
            yield path, NOTHING if value is None else str(value)


def _first(rows: Iterable[Sequence[Cell]]) -> Iterator[Sequence[Cell]]:
    return (row for row, _ in zip(rows, range(MOST_ROWS), strict=False))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
