"""Many CEL files of one chip: a bounded number at a time, the outcome of each on its own."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from refinebio_assets.domain.array_names import array_code
from refinebio_assets.domain.errors import InputError
from refinebio_assets.microarray.affymetrix import AffymetrixResult, check_chip, process_cel
from refinebio_assets.microarray.cel import CelHeader, read_cel, read_cel_header
from refinebio_assets.microarray.scan import ScanMethod
from refinebio_assets.microarray.scan_annotation import ArrayAnnotation

Outcome = AffymetrixResult | InputError
_EXTENSION = re.compile(r"\.cel.*", re.IGNORECASE | re.DOTALL)


def sample_name(path: Path) -> str:
    """The name of a CEL file up to its first ``.CEL``, as refine.bio names samples."""
    return _EXTENSION.sub("", path.name) or path.name


def process_cel_files(
    paths: Sequence[Path],
    annotation: ArrayAnnotation,
    method: ScanMethod | str,
    *,
    threads: int | None = None,
    keep_going: bool = True,
    on_done: Callable[[Path, Outcome], None] = lambda _path, _outcome: None,
) -> list[Outcome]:
    """Normalise CEL files; those of another chip than most are errors, as are damaged ones.

    The numbers do not depend on the number of threads, nor on which other files are given.

    Args:
        paths: CEL files.
        annotation: Of their chip.
        method: As in :func:`~refinebio_assets.microarray.affymetrix.process_cel`.
        threads: How many are processed at a time; the processors this process may use if not given.
        keep_going: Process the others when one fails; otherwise the first error (in the order given) is raised and
            files that were not begun are left.
        on_done: Called in this thread, in the order of ``paths``.

    Returns:
        A result or an error per file, in their order.
    """
    annotation = replace(annotation, code=annotation.code or common_chip(paths, annotation))
    annotation.gc_counts  # noqa: B018  computed once, before threads share it

    def outcome(path: Path) -> Outcome:
        try:
            return process_cel(read_cel(path), annotation, method, path=path)
        except InputError as error:
            return error

    outcomes: list[Outcome] = []
    with ThreadPoolExecutor(threads or processors()) as pool:
        futures: list[Future[Outcome]] = [pool.submit(outcome, path) for path in paths]
        try:
            for path, future in zip(paths, futures, strict=True):
                done = future.result()
                if isinstance(done, InputError) and not keep_going:
                    raise done
                on_done(path, done)
                outcomes.append(done)
        finally:
            for future in futures:
                future.cancel()
    return outcomes


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def common_chip(paths: Sequence[Path], annotation: ArrayAnnotation) -> str:
    """The chip that most of the files name whose grid fits the annotation, the first of these if several do; or ''."""
    if len(paths) < 2:
        return ""
    codes = [array_code(header.chip_type) for path in paths if (header := _fitting_header(path, annotation))]
    return Counter(code for code in codes if code).most_common(1)[0][0] if any(codes) else ""


def _fitting_header(path: Path, annotation: ArrayAnnotation) -> CelHeader | None:
    """The header of a file that fits. Whatever is wrong with another is told when it is processed."""
    try:
        header = read_cel_header(path)
        check_chip(header, annotation, path=path)
    except InputError:
        return None
    return header
