"""READMEs say what is inside, with the numbers of this download."""

from __future__ import annotations

from refinebio_assets.datasets.readmes import LICENSE_TEXT, compendium_readme, quantpendium_readme

SUMMARY = {
    "genes": 17000,
    "samples": 830,
    "share_imputed": 0.0612,
    "converged": True,
    "quantile_normalized": True,
    "recipe": {
        "rank": 10,
        "svd_algorithm": "arpack",
        "filters": {
            "method": "refinebio-2",
            "gene_presence": 0.4,
            "gene_completeness": 0.7,
            "sample_completeness": 0.5,
        },
    },
}


def readme(**changes):
    return compendium_readme(
        "DANIO_RERIO",
        organisms=("DANIO_RERIO", "DANIO_ALBOLINEATUS"),
        version="0123",
        summary=SUMMARY | changes,
        filtered=10,
    )


def test_a_compendium_says_how_it_was_made():
    text = readme()
    for part in (
        "# Normalised compendium: Danio rerio\n",
        "`0123`",
        "17000 genes in 830 samples",
        "Danio rerio and Danio albolineatus",
        "6.1% of the cells",
        "rank 10, `arpack`",
        "more than 40% of all samples",
        "log2(x + 1) of RNA-seq values, once",
        "samples that were left out (10)",
        "`DANIO_RERIO/metadata_DANIO_RERIO.tsv`",
    ):
        assert part in text, part


def test_what_was_not_done_is_not_claimed():
    text = readme(converged=None, quantile_normalized=False)
    assert "Nothing was imputed" in text
    assert "were not quantile-normalised" in text
    original = {"recipe": {"filters": {"method": "refinebio-1"}}}
    assert "twice, as refine.bio's program does" in readme(**original)


def test_a_quantpendium_says_what_it_holds():
    text = quantpendium_readme("DANIO_RERIO", version="0123", samples=7, experiments=2, filtered=3)
    assert "7 RNA-seq samples of 2 experiments" in text
    assert "samples that were left out (3)" in text
    assert 'sep="\\t"' in text


def test_files_that_are_not_inside_are_not_named():
    assert "filtered_samples" in quantpendium_readme(
        "DANIO_RERIO", version="0123", samples=7, experiments=2, filtered=3
    )
    assert "filtered_samples" not in quantpendium_readme("D_R", version="0123", samples=7, experiments=2, filtered=0)


def test_the_licence_names_its_page():
    assert "https://creativecommons.org/licenses/by/3.0/legalcode" in LICENSE_TEXT
    assert "https://creativecommons.org/licenses/by/4.0/legalcode" in LICENSE_TEXT
