"""The sections of the report that show figures: distributions, missing values, imputation, components, agreement."""

from __future__ import annotations

from collections.abc import Iterator

from refinebio_assets.compendia.qc_report_html import (
    Cell,
    Markup,
    facts,
    figure,
    foreign,
    heading,
    joined,
    legend,
    number,
    paragraph,
    percent,
    plots,
    section,
    share_bar,
    table,
    technology_name,
)
from refinebio_assets.compendia.qc_report_plots import (
    density_curves,
    density_legend,
    gene_means,
    groups_of,
    scatter,
    share_histogram,
)
from refinebio_assets.compendia.quality import QualityFigures
from refinebio_assets.compendia.quality_agreement import Agreement, SamplePair
from refinebio_assets.compendia.quality_components import Components
from refinebio_assets.compendia.quality_densities import Density
from refinebio_assets.compendia.quality_held_out import BLOCK_SHARE, RANDOM_SHARE, HeldOutError
from refinebio_assets.compendia.quality_missingness import Missingness

MOST_PLATFORMS = 30
MOST_PAIRS_SHOWN = 15


def evidence_sections(figures: QualityFigures) -> Iterator[tuple[str, str, Markup]]:
    """Anchor, title and markup of each."""
    parts: list[tuple[str, str, Iterator[Markup]]] = [
        ("distributions", "Distributions", _distributions(figures)),
        ("missing", "Missing values", _missing(figures.missingness)),
        ("imputation", "How good imputed values are", _imputation(figures.held_out, figures.missingness)),
        ("components", "What separates the samples", _components(figures)),
        ("agreement", "Do arrays and RNA-seq agree?", _agreement(figures.agreement)),
    ]
    for anchor, title, content in parts:
        yield anchor, title, section(anchor, title, *content)


def _distributions(figures: QualityFigures) -> Iterator[Markup]:
    densities = figures.densities
    yield paragraph(
        "Quantile normalisation gives every sample the same distribution of values, so that after it the curves should "
        "lie on each other. What is left apart are values that many genes of a sample share, such as zero counts in "
        "RNA-seq: equal values stay equal and show as a spike."
    )
    yield legend(density_legend(densities))
    zeros = sum(one.zeros for one in densities)
    note = f" {zeros:,} exact zeros (no reads) are left out." if zeros else ""
    yield plots(
        figure(
            density_curves(densities, after=False),
            f"Density of values before quantile normalisation. {_medians(densities, after=False)}",
            f"Before quantile normalisation.{note}",
        ),
        figure(
            density_curves(densities, after=True),
            f"Density of values after quantile normalisation. {_medians(densities, after=True)}",
            "After quantile normalisation.",
        ),
    )


def _medians(densities: tuple[Density, ...], *, after: bool) -> str:
    medians = ((one.label, one.quantiles()["after" if after else "before"][1]) for one in densities)
    return "Medians: " + ", ".join(f"{technology_name(label)} {median}" for label, median in medians) + "."


def _missing(found: Missingness) -> Iterator[Markup]:
    genes = sum(found.by_gene)
    if found.missing:
        yield paragraph(
            f"{percent(found.missing)} of all values were not measured, mostly because a platform has no probe for a "
            f"gene. {found.complete_genes:,} of {genes:,} genes were measured in every sample. The files mark every "
            "value that was imputed, so that an analysis can leave them out."
        )
    else:
        yield paragraph(f"None: each of the {genes:,} genes was measured in every sample.")
    rows: Iterator[tuple[Cell, ...]] = (
        (foreign(one.platform or "not stated"), technology_name(one.technology), one.samples, share_bar(one.missing))
        for one in found.platforms[:MOST_PLATFORMS]
    )
    beyond = len(found.platforms) - MOST_PLATFORMS
    note = f" The {MOST_PLATFORMS} largest of {len(found.platforms):,} platforms." if beyond > 0 else ""
    yield table(f"By platform.{note}", ("platform", "technology", "samples", "not measured"), rows)
    if found.missing:
        yield _missing_histograms(found)
    if found.worst_genes:
        technologies = tuple(found.worst_genes[0].by_technology)
        worst: Iterator[tuple[Cell, ...]] = (
            (foreign(one.gene), share_bar(one.missing), *(percent(one.by_technology[name]) for name in technologies))
            for one in found.worst_genes
        )
        header = ("gene", "samples without it", *(f"of {technology_name(name)} samples" for name in technologies))
        yield table("Genes with most missing values.", header, worst)
    if found.worst_samples:
        samples: Iterator[tuple[Cell, ...]] = (
            (foreign(one.sample), foreign(one.platform), share_bar(one.missing)) for one in found.worst_samples
        )
        yield table("Samples with most missing values.", ("sample", "platform", "genes without value"), samples)


def _missing_histograms(found: Missingness) -> Markup:
    return plots(
        figure(
            share_histogram(found.by_gene, what="genes", of_what="samples"),
            f"Genes by share of samples without a value; {found.complete_genes:,} genes have values everywhere.",
            "Genes: those to the right rest on imputation most.",
        ),
        figure(
            share_histogram(found.by_sample, what="samples", of_what="genes"),
            "Samples by share of genes without a value.",
            "Samples: those to the right rest on imputation most.",
        ),
    )


def _imputation(held_out: HeldOutError | None, found: Missingness) -> Iterator[Markup]:
    if held_out is None:
        yield paragraph("Not measured: missing values were left missing, or there are too few samples or genes.")
        return
    unused = " Nothing was missing in this compendium; this is what its recipe would have done." * (not found.missing)
    yield paragraph(
        f"Measured values were hidden and imputed again: {percent(RANDOM_SHARE)} of the cells at random, and "
        f"{percent(BLOCK_SHARE)} of the genes for a whole platform, as where its array has no probe for them "
        f"({held_out.samples:,} samples x {held_out.genes:,} genes). The error is the typical distance from the "
        "measured value in log2 units: 1 is a factor of two. The gene's mean is what you would guess without any "
        f"method; imputation is of use where its error is smaller.{unused}"
    )
    rows = (
        (
            one.hiding,
            technology_name(one.technology),
            foreign(one.platform or "all"),
            one.cells,
            number(one.rmse),
            number(one.baseline_rmse),
            Markup('<span class="look">gene\'s mean</span>' if one.baseline_rmse < one.rmse else "imputation"),
            number(one.correlation),
            number(one.correlation_within_genes),
        )
        for one in held_out.strata
    )
    header = (
        *("hidden", "technology", "platform", "values", "error (RMSE)", "error of gene's mean", "closer to the truth"),
        *("correlation", "correlation within genes"),
    )
    yield table(
        "Error of imputation. Correlation is high by genes being high or low as such; correlation within genes is how "
        "well samples are told apart.",
        header,
        rows,
    )


def _components(figures: QualityFigures) -> Iterator[Markup]:
    before, after = figures.before, figures.after
    if before is None or after is None:
        yield paragraph("Not shown: too few samples.")
        return
    count = len(figures.labels["technology"])
    yield paragraph(
        f"Principal components of {count:,} samples x {figures.component_genes:,} genes, evenly drawn from all "
        "technologies and platforms. Samples that lie together are alike. Colours that fall apart into clouds by "
        "technology, platform or experiment show what is not biology: include it in your model, or compare within it."
    )
    rows = (
        (f"{name}, {when} normalisation", *(percent(part) for part in found.associations[name]))
        for name in figures.labels
        for when, found in (("before", before), ("after", after))
    )
    shares = [
        (f"variance, {when} normalisation", *(percent(part) for part in found.explained))
        for when, found in (("before", before), ("after", after))
    ]
    header = ("share of", *(f"PC{place + 1}" for place in range(len(after.explained))))
    drawn: dict[tuple[int, ...], str] = {}
    for name, labels in figures.labels.items():
        like = drawn.setdefault(_partition(labels), name)
        if like == name:
            yield _panels(name, labels, before, after)
        else:
            yield paragraph(f"By {name}: the same picture, because it divides the samples as {like} does.")
    yield table(
        "Share of the variance that each component has, and share of each component that technology, platform and "
        "experiment explain (eta squared: 0 nothing, 1 all).",
        header,
        [*shares, *rows],
    )


def _partition(labels: tuple[str, ...]) -> tuple[int, ...]:
    """Which samples belong together, whatever their labels are called."""
    first: dict[str, int] = {}
    return tuple(first.setdefault(label, place) for place, label in enumerate(labels))


def _panels(name: str, labels: tuple[str, ...], before: Components, after: Components) -> Markup:
    """The first two components before and after normalisation, coloured by a grouping."""
    shown = [technology_name(label) for label in labels] if name == "technology" else labels
    groups = groups_of(shown)
    drawn = []
    for when, found in (("before", before), ("after", after)):
        explains = f"{name} explains {percent(found.associations[name][0])} of the first component."
        alternative = f"First two principal components, coloured by {name}, {when} quantile normalisation; {explains}"
        image = scatter(found.scores[:, :2], groups, axis_names=_axis_names(found))
        drawn.append(figure(image, alternative, f"{when.capitalize()} quantile normalisation: {explains}"))
    return joined([heading(f"By {name}"), legend(group.entry for group in groups), plots(*drawn)])


def _axis_names(found: Components) -> tuple[str, str]:
    shares = [*found.explained, 0.0][:2]
    return f"PC1 ({percent(shares[0])} of variance)", f"PC2 ({percent(shares[1])} of variance)"


def _agreement(found: Agreement | None) -> Iterator[Markup]:
    if found is None:
        yield paragraph("Not asked: this compendium has samples of one technology only.")
        return
    if found.pairs:
        yield from _by_pair(found)
    else:
        yield paragraph(
            "No biological sample of this compendium was measured both by array and by RNA-seq, so that "
            "agreement cannot be measured directly. What follows is a weaker statement: whether genes that are high on "
            "average on arrays are high on average in RNA-seq. The samples behind the two averages differ in tissue "
            "and disease."
        )
    yield heading("Means of genes")
    yield facts(
        [
            ("genes measured by both", found.genes),
            ("Spearman, before", number(found.means_before.spearman if found.means_before else None)),
            ("Spearman, after", number(found.means_after.spearman if found.means_after else None)),
            ("Pearson, before", number(found.means_before.pearson if found.means_before else None)),
            ("Pearson, after", number(found.means_after.pearson if found.means_after else None)),
        ]
    )
    if found.genes:
        alternative = f"Mean of {found.genes:,} genes on arrays against their mean in RNA-seq, before normalisation."
        caption = "Each gene's mean over the samples that measured it, before quantile normalisation."
        yield plots(figure(gene_means(*found.means), alternative, caption))


def _by_pair(found: Agreement) -> Iterator[Markup]:
    values = found.to_dict()
    yield paragraph(
        f"{found.num_overlapping:,} biological samples were measured both by array and by RNA-seq; "
        f"{len(found.pairs):,} of them are compared, by genes that neither has imputed. The same sample should agree "
        "better than two different ones do: the column with a stranger's RNA-seq says how much agreement any two "
        "samples have. Quantile normalisation keeps the order of genes, so that Spearman's coefficient hardly changes "
        "by it."
    )
    yield facts(
        [
            ("median Spearman, before", number(values["median_spearman_before"])),
            ("median Spearman, after", number(values["median_spearman_after"])),
            ("median Pearson, after", number(values["median_pearson_after"])),
            ("median Spearman with a stranger", number(values["median_spearman_of_strangers"])),
        ]
    )
    header = ("biosample", "array", "RNA-seq", "genes", "Spearman, before", "Spearman, after", "with a stranger")
    yield table(
        f"The first {MOST_PAIRS_SHOWN} pairs." if len(found.pairs) > MOST_PAIRS_SHOWN else "The pairs.",
        header,
        (_pair(pair) for pair in found.pairs[:MOST_PAIRS_SHOWN]),
    )


def _pair(pair: SamplePair) -> tuple[Cell, ...]:
    return (
        foreign(pair.biosample),
        foreign(pair.array),
        foreign(pair.rna_seq),
        pair.genes,
        number(pair.before.spearman),
        number(pair.after.spearman),
        number(pair.stranger.spearman if pair.stranger else None),
    )
