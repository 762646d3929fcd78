"""README.md and LICENSE.TXT of downloads: what is inside, how to read it, what to keep in mind, under which terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

LICENSE_TEXT = """\
TERMS OF USE

The measurements in this archive were made and published by the authors of the experiments it names. They come
from public archives (NCBI GEO and SRA, EMBL-EBI ArrayExpress/BioStudies and ENA, DDBJ), which give them out under
their own terms, and some authors have put further conditions on theirs:

  NCBI      https://www.ncbi.nlm.nih.gov/geo/info/disclaimer.html
  EMBL-EBI  https://www.ebi.ac.uk/about/terms-of-use/

Nothing here takes away from, or adds to, the rights that anybody has in these data. Look up the experiments that
you use (aggregated_metadata.json names them, with their publications) and follow what is asked for there.

What was added to them - the selection, the harmonised metadata, the normalisation and the files of this archive -
is licensed under the Creative Commons Attribution licence, as the downloads of refine.bio are (version 3.0):

  CC BY 3.0  https://creativecommons.org/licenses/by/3.0/legalcode
  CC BY 4.0  https://creativecommons.org/licenses/by/4.0/legalcode   (at your choice)

You may share and adapt it if you give credit: cite the experiments, and refine.bio.
"""

_CITATION = """\
## How to cite

Cite the publications of the experiments you use: `aggregated_metadata.json` lists title, DOI and PubMed id of each.
And cite refine.bio, whose methods and formats these are:

> Greene, Hu, Jones et al. **refine.bio: a resource of uniformly processed publicly available gene expression
> datasets.** <https://www.refine.bio>

The data have their own terms: see `LICENSE.TXT`.
"""

_METADATA = """\
The metadata columns beginning with `refinebio_` were harmonised: submitters' names and spellings of sex, age, tissue
and so on were brought to one. All others are what the submitters wrote; columns of ArrayExpress begin with
`characteristic_` or `variable_`, those of GEO with `characteristics_ch1_`. `refinebio_processed` says whether the
sample has been processed completely, `refinebio_has_raw` whether there are raw data of it. Cells have no tabs or
line breaks, and are quoted where they contain quotes. Submitters write what they like: let a spreadsheet read these
tables as text.

`created_at` in `aggregated_metadata.json` is the day the archives changed one of these experiments last, not the day of
packing: the same content has the same bytes, whenever it is packed.
"""


_CAVEATS = """\
## What to keep in mind

- Platforms and technologies leave traces that normalisation does not remove. Look at your genes by
  `refinebio_platform` before you compare samples of different ones.
- Longer genes get more reads: RNA-seq tends to show them higher and short genes lower, or not at all, than arrays do.
- Genes that are often zero in RNA-seq tend to be low on arrays.
- Quantile normalisation assumes that samples have about the same distribution. Differences of the whole transcriptome
  between samples are gone.
- Imputed values follow from the other samples: they are no measurements, and no test should count them as such.
"""


def compendium_readme(
    organism: str, *, organisms: Sequence[str], version: str, summary: Mapping[str, Any], filtered: int
) -> str:
    """README.md of a compendium's archive.

    Args:
        organism: UPPER_SNAKE name of the (primary) organism, which is that of the files.
        organisms: All organisms whose samples are inside.
        version: Of the compendium.
        summary: From :meth:`PreparedCompendium.summary`.
        filtered: How many samples were left out.
    """
    filters = summary.get("recipe", {}).get("filters", {})
    imputed = "Nothing was imputed: cells without a value are `NaN`."
    if summary.get("converged") is not None:
        share, rank = summary.get("share_imputed", 0.0), summary.get("recipe", {}).get("rank", "")
        algorithm = summary.get("recipe", {}).get("svd_algorithm", "")
        imputed = (
            f"{share:.1%} of the cells had no value and were imputed (iterative SVD of rank {rank}, `{algorithm}`). "
            "The `.h5ad` and `.zarr.zip` of this compendium say which cells these are, and have the values before "
            "normalisation."
        )
    normalised = (
        "Every sample was then given the same distribution (quantile normalisation to the organism's target)."
        if summary.get("quantile_normalized")
        else "The samples were not quantile-normalised."
    )
    together = f" Samples of {_listed(organisms)} are inside, which share platforms." if len(organisms) > 1 else ""
    return f"""\
# Normalised compendium: {_species(organism)}

Version `{version}`: expression of {summary["genes"]} genes in {summary["samples"]} samples, measured on microarrays and
by RNA sequencing, brought together for work across experiments.{together}

## What is inside

| file | content |
|---|---|
| `{organism}.tsv` | the matrix: genes (Ensembl ids) in rows, first column `Gene`; samples in columns |
| `{organism}/metadata_{organism}.tsv` | what is known of the samples, one per row |
| `{organism}/metadata_{organism}.json` | the same with nested values |
| `aggregated_metadata.json` | experiments, samples, and how this was made |
{_filtered_row(filtered)}| `LICENSE.TXT` | terms of use |

## How the values were made

1. Arrays: log2 values as their processing gives them. RNA-seq: lengthScaledTPM from Salmon and tximport.
{_filter_steps(filters)}
4. {imputed}
5. {normalised}

`provenance.json`, which lies beside this archive, has all thresholds, counts and inputs.

{_CAVEATS}
{_reading_a_matrix(organism)}
## Metadata

{_METADATA}
{_CITATION}"""


def _reading_a_matrix(organism: str) -> str:
    return f"""\
## Reading it

R:

```r
expression <- read.delim("{organism}.tsv", row.names = 1, check.names = FALSE)
metadata <- read.delim("{organism}/metadata_{organism}.tsv", row.names = 1, check.names = FALSE)
```

Python:

```python
import pandas as pd

expression = pd.read_csv("{organism}.tsv", sep="\\t", index_col=0)
metadata = pd.read_csv("{organism}/metadata_{organism}.tsv", sep="\\t", index_col=0)
```
"""


def quantpendium_readme(organism: str, *, version: str, samples: int, experiments: int, filtered: int) -> str:
    """README.md of an RNA-seq sample compendium.

    Args:
        organism: UPPER_SNAKE name.
        version: Of the quantpendium.
        samples: How many are inside.
        experiments: How many experiments own them.
        filtered: How many samples were left out.
    """
    return f"""\
# RNA-seq sample compendium: {_species(organism)}

Version `{version}`: Salmon's quantification of {samples} RNA-seq samples of {experiments} experiments, for work on
transcripts or with your own summary and normalisation. Nothing was filtered, imputed or normalised.

## What is inside

There is a folder for each experiment (`SRP…`, `ERP…`, `DRP…`). A sample that several experiments share is in the folder
of one of them, which is its experiment in the metadata too; `aggregated_metadata.json` lists all of its experiments.

| file | content |
|---|---|
| `<EXPERIMENT>/<RUN>_quant.sf` | Salmon's table: `Name`, `Length`, `EffectiveLength`, `TPM`, `NumReads` by transcript |
| `<EXPERIMENT>/metadata_<EXPERIMENT>.tsv` | what is known of the experiment's samples, one per row |
| `aggregated_metadata.json` | experiments and samples |
{_filtered_row(filtered)}| `LICENSE.TXT` | terms of use |

Samples can have been quantified with different releases of the organism's transcriptome: compare the `Name` columns
before you bind tables together.

## Reading it

R, to genes with tximport (a table of transcripts and genes of the same Ensembl release is `tx2gene`):

```r
files <- list.files("<EXPERIMENT>", pattern = "_quant.sf$", full.names = TRUE)
names(files) <- sub("_quant.sf$", "", basename(files))
txi <- tximport::tximport(files, type = "salmon", tx2gene = tx2gene)
```

Python:

```python
import pandas as pd
from pathlib import Path

tpm = pd.DataFrame({{
    path.name.removesuffix("_quant.sf"): pd.read_csv(path, sep="\\t", index_col="Name")["TPM"]
    for path in sorted(Path("<EXPERIMENT>").glob("*_quant.sf"))
}})
```

## Metadata

{_METADATA}
{_CITATION}"""


def _filtered_row(filtered: int) -> str:
    if not filtered:
        return ""
    return f"| `filtered_samples_metadata.tsv`, `.json` | samples that were left out ({filtered}), and why |\n"


def _filter_steps(filters: Mapping[str, Any]) -> str:
    """Second and third step; the thresholds of refine.bio where the summary does not say others."""
    percent = {
        name: f"{filters.get(name, usual):.0%}"
        for name, usual in (("gene_presence", 0.5), ("gene_completeness", 0.7), ("sample_completeness", 0.5))
    }
    lowest = filters.get("low_expression_percentile", 10.0)
    logarithm = "twice, as refine.bio's program does" if filters.get("method") == "refinebio-1" else "once"
    return (
        f"2. Genes that more than {percent['gene_presence']} of all samples have stay. In RNA-seq samples, those whose"
        f"\n   sum is below percentile {lowest:g} are set missing; then log2(x + 1) of RNA-seq values, {logarithm}.\n"
        f"3. Zeros count as missing while genes with less than {percent['gene_completeness']} and then samples with\n"
        f"   less than {percent['sample_completeness']} of values are left out."
    )


def _species(organism: str) -> str:
    return organism.replace("_", " ").capitalize()


def _listed(organisms: Sequence[str]) -> str:
    names = [_species(organism) for organism in organisms]
    return f"{', '.join(names[:-1])} and {names[-1]}"
