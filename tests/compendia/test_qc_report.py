"""The report: complete in itself, the same bytes twice, safe whatever titles say, readable without pictures."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from refinebio_assets.compendia.compendium_files import CompendiumDescription
from refinebio_assets.compendia.filters import FilterOptions
from refinebio_assets.compendia.qc_report import write_qc_report
from refinebio_assets.compendia.qc_report_html import escaped, percent
from refinebio_assets.compendia.qc_report_plots import MOST_NAMED, groups_of
from refinebio_assets.compendia.quality import Quality, QualityCheck, held_out_error
from refinebio_assets.domain.download_metadata import DownloadMetadata, FilteredSample
from tests.compendia.quality_data import small

HOSTILE = "</td><script>alert('x')</script><img src=x onerror=alert(1)> & \"$x_1$\" \u202e\x00\ud800"
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Elements, attributes and text of a page; fails where tags do not match."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(content)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def description(data, *, text="A study of lungs") -> CompendiumDescription:
    filters = {
        "method": "refinebio-2",
        "gene_presence": 0.5,
        "gene_completeness": 0.7,
        "sample_completeness": 0.5,
        "low_expression_percentile": 10.0,
        "genes_in_store": 80,
        "genes_present": 70,
        "rna_low_expression": 5,
        "genes_kept": 60,
        "samples_in_store": 92,
    }
    summary = {
        "filters": filters,
        "recipe": data.recipe.to_dict(),
        "samples_dropped": 2,
        "share_imputed": 0.0167,
        "iterations": 7,
        "quantile_normalized": True,
        "extends": {"reused": 70, "added": 20, "changed": 0, "gone": 0},
    }
    return CompendiumDescription(
        organism="HOMO_SAPIENS",
        organisms=("HOMO_SAPIENS",),
        version="3fa4c9d01b7e",
        samples=data.samples,
        genes=data.genes,
        summary=summary,
        metadata=DownloadMetadata(samples={}, experiments={"EGPL96": {"title": text}}),
        filtered={
            "X1": FilteredSample(reason=f"has 12.5 % of the genes {text}", experiment="E1"),
            "X2": FilteredSample(reason=f"has 13.5 % of the genes {text}", experiment="E1"),
        },
        provenance={"versions": {"refinebio": "1.2.3", "note": text}, "parts": [text] * 40, "extends": None},
    )


@pytest.fixture(scope="module")
def data():
    data = small()
    data.samples.loc[["S035", "S050"], "biosample"] = "SAMN01"
    return data


@pytest.fixture(scope="module")
def quality(data):
    return data.quality(held_out=held_out_error(data.prepared, data.samples))


@pytest.fixture(scope="module")
def content(data, quality, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "HOMO_SAPIENS_qc_report.html"
    write_qc_report(path, quality, description(data))
    return path.read_text("utf-8")


def test_says_what_the_compendium_is(content):
    text = " ".join(Page(content).words)
    for said in (
        *("Homo sapiens", "3fa4c9d01b7e", "microarray samples", "RNA-seq samples", "Fit for use", "A study of lungs"),
        *(
            "80 genes",
            "92 samples",
            "2 samples",
            "IterativeSVD, arpack, rank 3",
            "refinebio-2",
            "1.2.3",
            "40 entries",
            "70 kept",
        ),
        *("gene block", "random cells", "GPL97", "SAMN01"),
    ):
        assert said in text


def test_loads_and_runs_nothing(content):
    page = Page(content)
    assert not {"script", "link", "iframe", "object", "style-src"} & {tag for tag, _ in page.tags}
    sources = [image["src"] for image in page.all("img")]
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)
    assert not re.findall(r"url\(|@import|https?://", re.sub(r"base64,[^\"]+", "", content))
    assert any("default-src 'none'" in (meta.get("content") or "") for meta in page.all("meta"))
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)


def test_is_readable_without_pictures_and_by_those_who_listen(content):
    page = Page(content)
    assert all(len(image["alt"]) > 30 for image in page.all("img"))
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("table")) == len(page.all("caption"))
    assert all(header.get("scope") in {"col", "row"} for header in page.all("th"))
    assert [tag for tag, _ in page.tags if tag == "h1"] == ["h1"]
    anchors = {attributes["href"][1:] for attributes in page.all("a")}
    assert anchors <= {attributes.get("id") for _, attributes in page.tags}


def test_titles_are_text_whatever_they_say(data, quality, tmp_path):
    nasty = small()
    nasty.samples["experiment"] = ["EGPL96"] * 45 + [HOSTILE] * 45
    nasty.samples.loc[nasty.samples.platform == "GPL97", "platform"] = HOSTILE
    path = tmp_path / "report.html"
    write_qc_report(path, nasty.quality(), description(nasty, text=HOSTILE))
    text = path.read_text("utf-8")
    page = Page(text)
    assert not page.all("script")
    assert all((image["src"] or "").startswith("data:") for image in page.all("img"))
    assert "\x00" not in text
    assert sum("alert('x')" in words for words in page.words) >= 4


def test_long_titles_are_shortened_and_control_characters_replaced():
    assert len(escaped("a" * 5000)) == 200
    assert escaped("<b>\x07\ud800") == "&lt;b&gt;\ufffd\ufffd"


def test_same_evidence_same_bytes_in_another_process(data, quality, content, tmp_path):
    path = tmp_path / "again.html"
    write_qc_report(path, quality, description(data))
    assert path.read_text("utf-8") == content
    program = (
        "import sys; from pathlib import Path; from refinebio_assets.compendia.qc_report import write_qc_report\n"
        "from refinebio_assets.compendia.quality import held_out_error\n"
        "from tests.compendia.quality_data import small\n"
        "from tests.compendia.test_qc_report import description\n"
        "data = small(); data.samples.loc[['S035', 'S050'], 'biosample'] = 'SAMN01'\n"
        "quality = data.quality(held_out=held_out_error(data.prepared, data.samples))\n"
        "write_qc_report(Path(sys.argv[1]), quality, description(data))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", program, str(path)], check=True, env=environment)
    assert path.read_text("utf-8") == content


def test_failed_blocking_check_is_said_first(data, quality, tmp_path):
    failed = QualityCheck("empty_samples", False, True, "1 of 90 samples has nothing.", {})
    path = tmp_path / "report.html"
    write_qc_report(path, Quality(summary={}, checks=(failed,)), description(data))
    text = " ".join(Page(path.read_text("utf-8")).words)
    assert text.index("Do not use this compendium. It has samples without any value.") < text.index("What this is")
    assert "✗ fails" in text


def test_no_more_groups_are_named_than_a_reader_can_tell_apart():
    groups = groups_of([f"GPL{number:02d}" for number in range(30) for _ in range(30 - number)])
    assert len(groups) == MOST_NAMED + 1
    assert groups[0].label == "GPL00"
    assert groups[-1].label == "21 others"
    assert len({group.color for group in groups}) == len({group.mark for group in groups}) == len(groups)
    assert sum(len(group.members) for group in groups) == 465


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0 %"), (0.00001, "< 0.1 %"), (0.048, "4.8 %"), (0.5, "50 %"), (0.99999, "> 99.9 %")]
)
def test_only_none_is_zero_per_cent_and_only_all_is_hundred(share, text):
    assert percent(share) == text.replace(" %", "\N{NO-BREAK SPACE}%")


def test_plotting_library_is_imported_only_to_plot():
    program = "import sys, refinebio_assets.compendia.qc_report; sys.exit('matplotlib' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_defaults_of_the_filters_are_shown_as_shares(content):
    assert FilterOptions().gene_completeness == 0.7
    assert f"at least {percent(0.7)} of the samples" in content
