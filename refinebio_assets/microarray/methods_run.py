"""From a file to the outcome of each of its samples: which array it really is, its reference, the method."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from refinebio_assets.domain.errors import MalformedFileError
from refinebio_assets.domain.organisms import scientific_name
from refinebio_assets.domain.records import LedgerDecision
from refinebio_assets.domain.vocabulary import NO_REFERENCE, WRONG_CHIP, PlatformReferenceKind, SampleState
from refinebio_assets.microarray import processors
from refinebio_assets.microarray.cel import read_cel
from refinebio_assets.microarray.cel_file import CelFile
from refinebio_assets.microarray.illumina_samples import SampleHint
from refinebio_assets.microarray.processor_choice import REFERENCE_OF, ArrayProcessor
from refinebio_assets.microarray.processors import Verdict
from refinebio_assets.microarray.references_run import References, import_command
from refinebio_assets.microarray.submitter_tables import read_submitter_table
from refinebio_assets.survey.geo_tables import SampleTable, read_sample_tables
from refinebio_assets.survey.microarray_platforms import MicroarrayPlatform
from refinebio_assets.survey.registry import PlatformRegistry
from resources.catalog import ArrayToProcess, DetectedPlatformToRecord, PlatformReferenceInfo

CEL_HEADER = "cel_header"
PROBE_OVERLAP = "probe_overlap"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a sample ended: its values, or why there are none.

    ``platform`` and ``references`` (``platform/kind`` -> sha256) are what its values were made with; ``detected`` is
    what its file shows of the array.
    """

    sample: str
    verdict: Verdict
    processor: ArrayProcessor = ArrayProcessor.AFFYMETRIX
    platform: str | None = None
    references: Mapping[str, str] = field(default_factory=dict)
    detected: DetectedPlatformToRecord | None = None
    retryable: bool = False


@dataclass(slots=True)
class ArrayMethods:
    """The methods with the references that they need. Threads share it."""

    references: References
    scan_method: str
    registry: PlatformRegistry = field(default_factory=PlatformRegistry.load)

    def supported(self, platform: str | None) -> MicroarrayPlatform | None:
        """The supported array of a code, None if it is none."""
        return self.registry.microarray_platform(platform) if platform else None

    def unambiguous_platform(self, sample: ArrayToProcess) -> str | None:
        """The code of the array as submitted; None if it is not supported, or the accession is that of several."""
        platform = self.supported(sample.platform)
        if platform is None:
            return None
        named = sample.annotations.get("geo", {}).get("platform_id") or ()
        filed = [self.supported(each) for each in ([named] if isinstance(named, str) else named)]
        return None if any(each is not None and each.alternatives for each in filed) else platform.accession

    def version(self, processor: ArrayProcessor) -> str:
        """Version of the method that a processor uses."""
        if processor is ArrayProcessor.AFFYMETRIX:
            return self.scan_method
        return processors.METHOD_VERSIONS[processor]

    def outcomes(self, samples: Sequence[ArrayToProcess], processor: ArrayProcessor, path: Path) -> Iterator[Outcome]:
        """The outcome of every sample of a file.

        Raises:
            RefinebioError: The file cannot be used at all.
        """
        if processor is ArrayProcessor.AFFYMETRIX:
            for sample in samples:
                yield self._affymetrix(sample, path)
        elif processor is ArrayProcessor.BEAD_ARRAY:
            yield from self._bead_array(samples, path)
        elif processor is ArrayProcessor.SUBMITTER_PROCESSED:
            yield from self._submitted(samples, path)
        else:
            for sample in samples:
                yield self._agilent(sample, processor, path)

    def _affymetrix(self, sample: ArrayToProcess, path: Path) -> Outcome:
        cel = read_cel(path)
        platform = self.supported(cel.platform_code() or sample.platform)
        detected = _detected(sample, platform, named=cel.chip_type, evidence=CEL_HEADER)
        info = None if platform is None else self._reference(platform.accession, ArrayProcessor.AFFYMETRIX)
        verdict: Verdict | None = _wrong_chip(sample, cel, platform, info)
        if verdict is None and info is not None:
            verdict = processors.normalise_cel(cel, self.references.chip(info), self.scan_method)
        elif verdict is None:
            verdict = self._waits(platform, PlatformReferenceKind.CHIP_ANNOTATION)
        return _outcome(sample, verdict, ArrayProcessor.AFFYMETRIX, info, detected)

    def _bead_array(self, samples: Sequence[ArrayToProcess], path: Path) -> Iterator[Outcome]:
        """Samples of a BeadArray table; those of one organism are read together."""
        by_organism: dict[str | None, list[ArrayToProcess]] = {}
        for sample in samples:
            by_organism.setdefault(sample.organism, []).append(sample)
        for organism, found in by_organism.items():
            infos = {info.platform: info for info in self.references.of_kind(PlatformReferenceKind.PROBE_MAP, organism)}
            hints = [sample_hint(sample) for sample in found]
            platforms = [self.references.beads(info) for info in infos.values()]
            read = processors.bead_values(path, hints, platforms)
            if read.is_other:
                yield from self._other_beads(found, path, read.verdicts)
                continue
            info = infos.get(read.platform or "")
            named = self.supported(read.platform)
            for sample in found:
                seen = None
                if named is not None:
                    seen = _detected(sample, named, named=named.accession, evidence=PROBE_OVERLAP, share=read.share)
                verdict = read.verdicts[sample.accession]
                yield _outcome(sample, verdict, ArrayProcessor.BEAD_ARRAY, info, seen)

    def _other_beads(
        self, samples: Sequence[ArrayToProcess], path: Path, verdicts: Mapping[str, Verdict]
    ) -> Iterator[Outcome]:
        """A table of none of the arrays whose probes are known: the submitter's own wait, others are taken as they are.

        refine.bio's rule: values whose probes are not known are taken for values that the submitter processed.
        """
        for sample in samples:
            platform = self._platform(sample)
            if self.references.info(platform, PlatformReferenceKind.PROBE_MAP) is None:
                verdict: Verdict = waits_for(platform, PlatformReferenceKind.PROBE_MAP)
            elif self._reference(platform, ArrayProcessor.SUBMITTER_PROCESSED) is not None:
                yield from self._submitted([sample], path)
                continue
            else:
                verdict = verdicts[sample.accession]
            yield _outcome(sample, verdict, ArrayProcessor.BEAD_ARRAY, None)

    def _agilent(self, sample: ArrayToProcess, processor: ArrayProcessor, path: Path) -> Outcome:
        info = self._reference(self._platform(sample), processor)
        if info is None:
            verdict: Verdict = waits_for(self._platform(sample), REFERENCE_OF[processor])
        else:
            verdict = processors.agilent_values(path, self.references.identifiers(info))
        return _outcome(sample, verdict, processor, info)

    def submitted_tables(self, samples: Sequence[ArrayToProcess], family: Path) -> list[Outcome]:
        """The outcome of every sample from its table in the family file of its series.

        Raises:
            MalformedFileError: It is no family file.
        """
        by_name = {sample.accession: sample for sample in samples}
        found: dict[str, Outcome] = {}

        def on_sample(table: SampleTable) -> None:
            sample = by_name[table.sample]
            info = self._reference(self._platform(sample), ArrayProcessor.SUBMITTER_PROCESSED)
            verdict = self._of_family(sample, table, info)
            found[sample.accession] = _outcome(sample, verdict, ArrayProcessor.SUBMITTER_PROCESSED, info)

        read_sample_tables(family, on_sample, samples=by_name.keys())
        return [found.get(sample.accession) or _without_table(sample) for sample in samples]

    def _of_family(self, sample: ArrayToProcess, table: SampleTable, info: PlatformReferenceInfo | None) -> Verdict:
        if info is None:
            return waits_for(self._platform(sample), PlatformReferenceKind.IDENTIFIER_MAP)
        try:
            submitted = read_submitter_table(table)
        except MalformedFileError as error:
            return LedgerDecision(state=SampleState.CORRUPT_FILE, reason=error.code, message=processors.told(error))
        mapping = self.references.identifiers(info)
        return processors.submitted_values(submitted, mapping, column=0, said=_said(sample))

    def _submitted(self, samples: Sequence[ArrayToProcess], path: Path) -> Iterator[Outcome]:
        """Samples of a table file; those of one platform are read together."""
        by_platform: dict[str | None, list[ArrayToProcess]] = {}
        for sample in samples:
            by_platform.setdefault(self._platform(sample), []).append(sample)
        for platform, found in by_platform.items():
            info = self._reference(platform, ArrayProcessor.SUBMITTER_PROCESSED)
            verdicts: Mapping[str, Verdict] = {}
            if info is not None:
                said = {sample.accession: _said(sample) for sample in found}
                hints = [sample_hint(sample) for sample in found]
                verdicts = processors.submitted_table(path, hints, self.references.identifiers(info), said)
            for sample in found:
                verdict = verdicts.get(sample.accession) or waits_for(platform, PlatformReferenceKind.IDENTIFIER_MAP)
                yield _outcome(sample, verdict, ArrayProcessor.SUBMITTER_PROCESSED, info)

    def _platform(self, sample: ArrayToProcess) -> str | None:
        platform = self.supported(sample.platform)
        return None if platform is None else platform.accession

    def _reference(self, platform: str | None, processor: ArrayProcessor) -> PlatformReferenceInfo | None:
        return self.references.info(platform, REFERENCE_OF[processor])

    def _waits(self, platform: MicroarrayPlatform | None, kind: PlatformReferenceKind) -> LedgerDecision:
        return waits_for(None if platform is None else platform.accession, kind)


def _wrong_chip(
    sample: ArrayToProcess, cel: CelFile, platform: MicroarrayPlatform | None, info: PlatformReferenceInfo | None
) -> LedgerDecision | None:
    """Why an array cannot be that of the sample, or of any platform that is processed; None if it can."""
    if platform is None:
        named = cel.chip_type or "no chip type"
        message = f"The header of the CEL file names {named}, which is not among the supported arrays."
    elif info is not None and info.organism and sample.organism and info.organism != sample.organism:
        message = (
            f"The header of the CEL file names {cel.chip_type}, an array for {scientific_name(info.organism)}; the "
            f"sample is from {scientific_name(sample.organism)}."
        )
    else:
        return None
    return LedgerDecision(state=SampleState.UNSUPPORTED_PLATFORM, reason=WRONG_CHIP, message=message)


def _detected(
    sample: ArrayToProcess,
    platform: MicroarrayPlatform | None,
    *,
    named: str,
    evidence: str,
    share: float | None = None,
) -> DetectedPlatformToRecord:
    return DetectedPlatformToRecord(
        sample=sample.accession,
        platform=None if platform is None else platform.accession,
        platform_name=None if platform is None else platform.name,
        manufacturer=None if platform is None else platform.manufacturer,
        named=named,
        evidence=evidence,
        share=share,
    )


def _outcome(
    sample: ArrayToProcess,
    verdict: Verdict,
    processor: ArrayProcessor,
    info: PlatformReferenceInfo | None,
    detected: DetectedPlatformToRecord | None = None,
) -> Outcome:
    return Outcome(
        sample=sample.accession,
        verdict=verdict,
        processor=processor,
        platform=None if info is None else info.platform,
        references={} if info is None else {f"{info.platform}/{info.kind.value}": info.sha256},
        detected=detected,
    )


def waits_for(platform: str | None, kind: PlatformReferenceKind) -> LedgerDecision:
    """The decision for a sample whose platform has no reference yet."""
    words = kind.value.replace("_", " ")
    message = (
        f"There is no {words} of {platform or 'the array'} yet. Import it: {import_command(platform or 'CODE', kind)}. "
        "The sample is processed once there is one."
    )
    return LedgerDecision(state=SampleState.SURVEYED, reason=NO_REFERENCE, message=message)


def sample_hint(sample: ArrayToProcess) -> SampleHint:
    """What columns of tables may call a sample."""
    geo = sample.annotations.get("geo", {})
    named = [str(file["name"]) for file in sample.annotations.get("files", ()) if file.get("name")]
    described = (*_texts(geo.get("description")), *_texts(geo.get("source_name_ch1")), *named)
    return SampleHint(accession=sample.accession, title=sample.title, description=described)


def _said(sample: ArrayToProcess) -> str:
    """What the submitter says about the processing of the values."""
    return " ".join(_texts(sample.annotations.get("geo", {}).get("data_processing")))


def _texts(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(map(str, value)) if isinstance(value, list | tuple) else (str(value),)


def _without_table(sample: ArrayToProcess) -> Outcome:
    message = "The family file of the series has no table of this sample."
    decision = LedgerDecision(state=SampleState.NO_RAW_FILE, reason="no_raw_file", message=message)
    return Outcome(sample=sample.accession, verdict=decision, processor=ArrayProcessor.SUBMITTER_PROCESSED)
