"""Raw archives: what comes out, what is refused, and that nothing ever gets out of the folder."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import os
import tarfile
import tempfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refinebio_assets.domain.errors import InputError, MalformedFileError
from resources.extraction import ExtractionLimits, ExtractionReport, extract
from resources.object_store.temporary import remove_abandoned
from resources.unpacking import PIECE_BYTES

CEL = b"[CEL]\nVersion=3\n" + bytes(range(256)) * 20
OTHER = b"[CEL]\nVersion=3\nother" * 10


def tar_of(*members: tuple[str, bytes], form: int = tarfile.GNU_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def tar_with(*infos: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for info in infos:
            tar.addfile(info, io.BytesIO(b"\0" * info.size))
    return buffer.getvalue()


def zip_of(*members: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


def run(folder: Path, data: bytes, name: str = "GSE1_RAW.tar", **options) -> ExtractionReport:
    archive = folder / name
    archive.write_bytes(data)
    return extract(archive, folder / "out", **options)


def contents(report: ExtractionReport) -> dict[str, bytes]:
    return {file.archive_member_path: file.path.read_bytes() for file in report.files}


def reasons(report: ExtractionReport) -> dict[str, str]:
    return {member.name: member.reason for member in report.refused}


def test_a_raw_tar_of_gzipped_cel_files(tmp_path):
    report = run(tmp_path, tar_of(("GSM1_a.CEL.gz", gzip.compress(CEL)), ("GSM2_b.CEL.gz", gzip.compress(OTHER))))

    first, second = report.files
    assert (first.name, first.archive_member_path) == ("GSM1_a.CEL", "GSM1_a.CEL.gz")
    assert first.path == tmp_path / "out" / "GSM1_a.CEL"
    assert first.path.read_bytes() == CEL
    assert (first.size_bytes, first.sha256) == (len(CEL), hashlib.sha256(CEL).hexdigest())
    assert second.path.read_bytes() == OTHER
    assert (report.refused, report.passed_over) == ((), ())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["GSE1_RAW.tar", "out"], "nothing is left beside it"


ONE = {
    "tar": lambda: tar_of(("a.CEL", CEL)),
    "pax tar": lambda: tar_of(("a.CEL", CEL), form=tarfile.PAX_FORMAT),
    "ustar": lambda: tar_of(("a.CEL", CEL), form=tarfile.USTAR_FORMAT),
    "tar.gz": lambda: gzip.compress(tar_of(("a.CEL", CEL))),
    "tar.bz2": lambda: bz2.compress(tar_of(("a.CEL", CEL))),
    "tar.xz": lambda: lzma.compress(tar_of(("a.CEL", CEL))),
    "zip": lambda: zip_of(("a.CEL", CEL)),
    "stored zip": lambda: zip_of(("a.CEL", CEL), method=zipfile.ZIP_STORED),
    "tar of tar.gz": lambda: tar_of(("inner.tar.gz", gzip.compress(tar_of(("a.CEL.gz", gzip.compress(CEL)))))),
    "zip in tar": lambda: tar_of(("inner.zip", zip_of(("a.CEL.bz2", bz2.compress(CEL))))),
    "zip in zip": lambda: zip_of(("inner.zip", zip_of(("a.CEL", CEL)))),
    "gzip twice": lambda: tar_of(("a.CEL.gz.gz", gzip.compress(gzip.compress(CEL)))),
    "members of gzip": lambda: tar_of(("a.CEL.gz", gzip.compress(CEL[:100]) + gzip.compress(CEL[100:]) + b"\0" * 9)),
}


@pytest.mark.parametrize("kind", ONE)
@pytest.mark.parametrize("name", ["GSE1_RAW.tar", "download", "x.zip"])
def test_content_decides_what_an_archive_is(tmp_path, kind, name):
    report = run(tmp_path, ONE[kind](), name)
    assert [(file.name, file.path.read_bytes()) for file in report.files] == [("a.CEL", CEL)]
    assert report.refused == ()


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_single_compressed_file(tmp_path, pack):
    report = run(tmp_path, pack(CEL), "GSM1_a.CEL.gz")
    assert [(file.name, file.archive_member_path) for file in report.files] == [("GSM1_a.CEL", "GSM1_a.CEL")]
    assert report.files[0].path.read_bytes() == CEL


def test_a_file_that_is_no_archive_comes_out_as_it_is(tmp_path):
    report = run(tmp_path, CEL, "GSM1_a.CEL")
    assert contents(report) == {"GSM1_a.CEL": CEL}


def test_spreadsheets_and_array_stores_are_files(tmp_path):
    sheet = zip_of(("[Content_Types].xml", b"<Types/>"), ("xl/workbook.xml", b"<w/>"))
    arrays = zip_of(("x.npy", b"\x93NUMPY"))
    report = run(tmp_path, tar_of(("table.xlsx", sheet), ("counts.npz", arrays)))
    assert contents(report) == {"table.xlsx": sheet, "counts.npz": arrays}


def test_long_names_of_every_format_are_read(tmp_path):
    name = "a" * 150 + "/" + "GSM1_" + "b" * 120 + ".CEL"
    for number, form in enumerate((tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert contents(run(folder, tar_of((name, CEL), form=form))) == {name: CEL}


def special(kind: bytes, name: str = "x", link: str = "", size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, size
    return info


ESCAPES = [
    "../evil",
    "a/../../evil",
    "/etc/evil",
    "..",
    "a/..",
    "\\evil",
    "a\\..\\..\\evil",
    "C:\\evil",
    "c:evil",
]


@pytest.mark.parametrize("name", ESCAPES)
@pytest.mark.parametrize("make", [tar_of, zip_of])
def test_a_path_that_leads_out_is_refused_and_the_others_are_extracted(tmp_path, make, name):
    report = run(tmp_path, make(("GSM1.CEL", CEL), (name, b"evil"), ("GSM2.CEL", OTHER)))
    assert list(contents(report)) == ["GSM1.CEL", "GSM2.CEL"]
    assert len(report.refused) == 1
    assert any(word in report.refused[0].reason for word in ("absolute", "leads out"))
    assert not list(tmp_path.rglob("*evil*"))


def test_links_devices_and_sparse_files_are_refused(tmp_path):
    sparse = special(tarfile.GNUTYPE_SPARSE, "sparse", size=512)
    tar = tar_with(
        special(tarfile.SYMTYPE, "soft", "/etc/passwd"),
        special(tarfile.LNKTYPE, "hard", "soft"),
        special(tarfile.CHRTYPE, "device"),
        special(tarfile.FIFOTYPE, "pipe"),
        special(tarfile.DIRTYPE, "folder"),
        sparse,
        special(tarfile.REGTYPE, "folder/good.txt", size=3),
    )
    report = run(tmp_path, tar)
    assert list(contents(report)) == ["folder/good.txt"]
    assert reasons(report) == {
        "soft": "a symbolic link",
        "hard": "a hard link",
        "device": "a device",
        "pipe": "a named pipe",
        "sparse": "a sparse file",
    }
    assert not any(path.is_symlink() for path in (tmp_path / "out").iterdir())


def test_a_sparse_file_of_pax_is_refused(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("sparse")
        info.size = 3
        info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.realsize": str(10**15)}
        tar.addfile(info, io.BytesIO(b"abc"))
    assert reasons(run(tmp_path, buffer.getvalue())) == {"sparse": "a sparse file"}


def test_links_and_passwords_in_a_zip_are_refused(tmp_path):
    link = zipfile.ZipInfo("soft")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    data = bytearray(zip_of((link, b"/etc/passwd"), ("secret.CEL", CEL), ("good.CEL", OTHER)))
    directory = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4)
    data[directory + 8] |= 1
    report = run(tmp_path, bytes(data))
    assert list(contents(report)) == ["good.CEL"]
    assert reasons(report) == {"soft": "a symbolic link", "secret.CEL": "encrypted with a password"}


def test_zip_methods_that_are_not_unpacked_are_named(tmp_path):
    report = run(tmp_path, zip_of(("a.CEL", CEL), method=zipfile.ZIP_LZMA))
    assert "number 14" in reasons(report)["a.CEL"]


def test_a_name_never_overwrites_another(tmp_path):
    report = run(
        tmp_path,
        tar_of(
            ("a/x.CEL", b"1"), ("b/x.CEL", b"2"), ("B/X.cel", b"3"), ("x~2.CEL", b"4"), ("a/x.CEL", b"5"), ("-r", b"6")
        ),
    )
    assert contents(report) == {"a/x.CEL": b"1", "b/x.CEL": b"2", "B/X.cel": b"3", "x~2.CEL": b"4", "-r": b"6"}
    on_disk = [path.name.casefold() for path in (tmp_path / "out").iterdir()]
    assert len(on_disk) == len(set(on_disk)) == 5
    assert not any(name.startswith("-") for name in on_disk)
    assert reasons(report) == {"a/x.CEL": "the archive has a file of this path already"}


def test_a_member_that_is_damaged_is_refused_and_the_others_are_extracted(tmp_path):
    broken = bytearray(gzip.compress(CEL))
    broken[-6] ^= 0xFF
    report = run(
        tmp_path,
        tar_of(
            ("GSM1.CEL.gz", bytes(broken)),
            ("GSM2.CEL.gz", gzip.compress(CEL)[:-9]),
            ("GSM3.CEL.gz", gzip.compress(CEL) + b"and more"),
            ("GSM4.CEL.gz", gzip.compress(OTHER)),
            ("GSM5.CEL.gz", b"<!DOCTYPE html><html>busy</html>"),
            ("GSM6.zip", b"not a zip"),
        ),
    )
    assert [file.name for file in report.files] == ["GSM4.CEL"]
    found = reasons(report)
    assert found["GSM1.CEL.gz"].startswith("damaged")
    assert found["GSM2.CEL.gz"].startswith("truncated")
    assert found["GSM3.CEL.gz"].startswith("damaged")
    assert found["GSM5.CEL.gz"].startswith("a web page")
    assert found["GSM6.zip"].startswith("called an archive")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["GSM4.CEL"]


def test_a_damaged_member_of_a_zip_is_refused_and_the_others_are_extracted(tmp_path):
    data = bytearray(zip_of(("GSM1.CEL", CEL), ("GSM2.CEL", OTHER)))
    data[60] ^= 0xFF
    report = run(tmp_path, bytes(data))
    assert list(contents(report)) == ["GSM2.CEL"]
    assert reasons(report)["GSM1.CEL"].startswith("damaged")


def test_a_truncated_tar_gives_what_is_whole_and_says_where_it_ends(tmp_path):
    whole = tar_of(("GSM1.CEL", CEL), ("GSM2.CEL", CEL))
    report = run(tmp_path, whole[: 512 + len(CEL) + 512 + 1000])
    assert list(contents(report)) == ["GSM1.CEL"]
    assert reasons(report)["GSM2.CEL"].startswith("truncated")
    assert reasons(report)["GSE1_RAW.tar"].startswith("truncated")


def test_a_tar_without_its_end_may_lack_members_and_that_is_told(tmp_path):
    whole = tar_of(("GSM1.CEL", b"x" * 512))
    report = run(tmp_path, whole[:1024])
    assert list(contents(report)) == ["GSM1.CEL"]
    assert "members may be missing" in reasons(report)["GSE1_RAW.tar"]


def test_a_truncated_tar_gz_gives_what_is_whole(tmp_path):
    noise = os.urandom(100_000)
    data = gzip.compress(tar_of(("GSM1.CEL", CEL), ("GSM2.CEL", noise), ("GSM3.CEL", CEL)))
    report = run(tmp_path, data[:50_000], "GSE1_RAW.tar.gz")
    assert list(contents(report)) == ["GSM1.CEL"]
    assert set(reasons(report)) == {"GSM2.CEL", "GSE1_RAW.tar.gz"}


def test_a_damaged_archive_in_an_archive_does_not_end_the_outer_one(tmp_path):
    inner = gzip.compress(tar_of(("a.CEL", CEL), ("b.CEL", os.urandom(5000))))[:-2000]
    report = run(tmp_path, tar_of(("inner.tar.gz", inner), ("GSM9.CEL", OTHER)))
    assert set(contents(report)) == {"inner.tar.gz/a.CEL", "GSM9.CEL"}
    assert set(reasons(report)) == {"inner.tar.gz/b.CEL", "inner.tar.gz"}


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("GSE1_RAW.tar", b"<html><body>Moved</body></html>", "web page"),
        ("GSE1_RAW.tar", b"", "empty"),
        ("GSE1_RAW.tar", b"\0" * 10240, "its content is none"),
        ("x.zip", b"plain text", "its content is none"),
        ("x.tar.gz", b"plain text", "its content is none"),
    ],
)
def test_what_is_no_archive_is_an_error(tmp_path, name, data, words):
    with pytest.raises(MalformedFileError, match=words):
        run(tmp_path, data, name)
    assert not (tmp_path / "out").exists()


def test_files_are_extracted_into_a_new_folder_only(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    with pytest.raises(InputError, match="new folder"):
        run(tmp_path, tar_of(("a", b"1")))
    (tmp_path / "out" / "mine").unlink()
    assert contents(run(tmp_path, tar_of(("a", b"1")))) == {"a": b"1"}


def test_only_wanted_files_are_extracted_and_the_others_are_listed(tmp_path):
    tar = tar_of(("GSM1.CEL.gz", gzip.compress(CEL)), ("GPL570.txt", b"x"), ("in.zip", zip_of(("GSM2.cel", OTHER))))
    report = run(tmp_path, tar, wanted=lambda path: path.lower().endswith(".cel"))
    assert list(contents(report)) == ["GSM1.CEL.gz", "in.zip/GSM2.cel"]
    assert report.passed_over == ("GPL570.txt",)
    assert report.refused == ()


ZEROS = bytes(4 * 1024 * 1024)
TIGHT = ExtractionLimits(ratio=100, ratio_from_bytes=64 * 1024)


@pytest.mark.parametrize(
    "bomb",
    [
        lambda: tar_of(("bomb.gz", gzip.compress(ZEROS))),
        lambda: tar_of(("bomb.xz", lzma.compress(ZEROS))),
        lambda: tar_of(("bomb.bz2", bz2.compress(ZEROS))),
        lambda: zip_of(("bomb.gz", ZEROS)),
        lambda: tar_of(("bomb.gz", gzip.compress(gzip.compress(ZEROS)))),
    ],
    ids=["gzip", "xz", "bzip2", "zip", "gzip in gzip"],
)
def test_what_grows_implausibly_is_refused_and_leaves_nothing(tmp_path, bomb):
    report = run(tmp_path, bomb(), limits=TIGHT)
    assert "more than 100 times" in " ".join(reasons(report).values())
    assert report.files == ()
    assert list((tmp_path / "out").iterdir()) == []


def test_many_small_bombs_are_one_large_one(tmp_path):
    small = gzip.compress(bytes(60 * 1024))
    limits = ExtractionLimits(ratio=30, ratio_from_bytes=64 * 1024)
    report = run(tmp_path, tar_of(*((f"{n}.gz", small) for n in range(200))), limits=limits)
    assert 0 < sum(file.size_bytes for file in report.files) <= 30 * (tmp_path / "GSE1_RAW.tar").stat().st_size
    assert "the archive unpacks to more than 30 times its size" in reasons(report)["GSE1_RAW.tar"]


def test_an_honest_table_is_no_bomb(tmp_path):
    table = "".join(f"{n % 50000}_at\t{n % 997}.5\tP\n" for n in range(100_000)).encode()
    assert run(tmp_path, gzip.compress(table), "t.txt.gz", limits=TIGHT).refused == ()


def limited(**values) -> ExtractionLimits:
    return ExtractionLimits(**values)


def test_a_file_beyond_the_limit_is_refused_and_the_others_are_extracted(tmp_path):
    report = run(
        tmp_path, tar_of(("big", b"x" * 5000), ("small", b"y")), limits=limited(member_bytes=4000, total_bytes=4500)
    )
    assert contents(report) == {"small": b"y"}
    assert "4,000 bytes" in reasons(report)["big"]


@pytest.mark.parametrize(
    ("limits", "words", "most"),
    [
        (limited(total_bytes=2500), "2,500 bytes together", 2),
        (limited(members=3), "more than 3 members", 3),
    ],
)
def test_beyond_the_limits_of_the_whole_nothing_more_is_read_and_that_is_told(tmp_path, limits, words, most):
    report = run(tmp_path, tar_of(*((str(n), b"x" * 1000) for n in range(6))), limits=limits)
    assert len(report.files) == most
    assert words in reasons(report)["GSE1_RAW.tar"]
    assert "not looked at" in reasons(report)["GSE1_RAW.tar"]


def test_archives_around_archives_end_at_the_limit(tmp_path):
    nested = CEL
    for _ in range(4):
        nested = tar_of(("in.tar", nested)) if nested is not CEL else tar_of(("a.CEL", nested))
    report = run(tmp_path, nested, limits=limited(depth=3))
    assert report.files == ()
    assert reasons(report) == {"in.tar/in.tar/in.tar": "limit: more than 3 archives around each other"}
    (tmp_path / "again").mkdir()
    assert len(run(tmp_path / "again", nested, limits=limited(depth=4)).files) == 1


def test_a_zip_with_too_large_a_directory_is_refused_before_it_is_read(tmp_path):
    report = run(tmp_path, zip_of(*((f"{n}", b"") for n in range(50))), limits=limited(members=20))
    assert "more than 20 members" in reasons(report)["GSE1_RAW.tar"]


def test_a_header_that_asks_for_much_memory_is_refused(tmp_path):
    header = special(tarfile.GNUTYPE_LONGNAME, "././@LongLink", size=2**30)
    block = header.tobuf(tarfile.GNU_FORMAT)[:512]
    report = run(tmp_path, block + bytes(4096))
    assert "1,048,576 bytes" in reasons(report)["GSE1_RAW.tar"]


def test_memory_does_not_grow_with_the_archive(tmp_path):
    size = 64 * PIECE_BYTES
    archive = tmp_path / "big.tar.gz"
    archive.write_bytes(gzip.compress(tar_of(("a.bin", os.urandom(size))), compresslevel=1))
    tracemalloc.start()
    try:
        extract(archive, tmp_path / "out")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * PIECE_BYTES


def test_what_a_killed_process_leaves_is_swept_up_with_other_leftovers(tmp_path):
    archive = tmp_path / "GSE1_RAW.tar"
    archive.write_bytes(tar_of(("GSM1.CEL", CEL), ("GSM2.CEL", CEL)))
    child = os.fork()
    if child == 0:
        extract(archive, tmp_path / "out", wanted=lambda name: name == "GSM1.CEL" or os._exit(9))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert any(path.name == "GSM1.CEL" for path in tmp_path.rglob("*"))
    assert remove_abandoned(tmp_path) == 1
    assert list(tmp_path.iterdir()) == [archive]


def test_a_folder_of_an_old_tar_is_no_file(tmp_path):
    folder = tarfile.TarInfo("CEL/")
    folder.type = tarfile.AREGTYPE
    report = run(tmp_path, tar_with(folder))
    assert (report.files, report.refused) == ((), ())


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("resources.extraction._Unpacking._write", full)
    with pytest.raises(OSError, match="No space"):
        run(tmp_path, tar_of(("a", b"1")))
    assert [path.name for path in tmp_path.iterdir()] == ["GSE1_RAW.tar"]


NAMES = st.text(st.sampled_from("aA./\\:~-ß\N{KELVIN SIGN}kK \n"), min_size=1, max_size=12)


@given(st.lists(st.tuples(NAMES, st.binary(max_size=50)), min_size=1, max_size=8))
@settings(max_examples=150, deadline=None)
def test_no_name_ever_leads_out_and_every_member_has_its_place(members):
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder, "base")
        base.mkdir()
        tar = tar_of(*members, form=tarfile.PAX_FORMAT)
        report = run(base, tar, "x")
        assert sorted(path.name for path in Path(folder).iterdir()) == ["base"]
        assert sorted(path.name for path in base.iterdir()) == ["out", "x"]
        assert all(file.path.parent == base / "out" for file in report.files)
        assert len({file.path.name.casefold() for file in report.files}) == len(report.files)
        assert len(list((base / "out").iterdir())) == len(report.files)
        assert len(report.files) + len(report.refused) >= len([name for name, _ in members if name[-1] != "/"])


GOOD = {
    "tar": tar_of(("GSM1.CEL.gz", gzip.compress(CEL)), ("b/GSM2.txt", b"text" * 200), ("in.zip", zip_of(("z", OTHER)))),
    "tar.gz": gzip.compress(tar_of(("GSM1.CEL", CEL), ("GSM2.CEL", OTHER))),
    "zip": zip_of(("GSM1.CEL", CEL), ("d/GSM2.CEL.xz", lzma.compress(OTHER))),
    "tar.xz": lzma.compress(tar_of(("GSM1.CEL", CEL))),
    "pax": tar_of(("n" * 200, CEL), form=tarfile.PAX_FORMAT),
}
TRUE = {hashlib.sha256(data).hexdigest() for data in (CEL, OTHER, b"text" * 200)}


@given(
    st.sampled_from(sorted(GOOD)),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=6),
    st.one_of(st.none(), st.integers(0, 10**6)),
)
@settings(max_examples=300, deadline=None)
def test_a_damaged_archive_gives_our_errors_or_a_report_and_nothing_else(kind, changes, cut):
    data = bytearray(GOOD[kind])
    for position, value in changes:
        data[position % len(data)] = value
    data = data[: cut % len(data)] if cut is not None else data
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        try:
            report = run(base, bytes(data), "x")
        except MalformedFileError:
            assert [path.name for path in base.iterdir()] == ["x"]
            return
        assert sorted(path.name for path in base.iterdir()) == ["out", "x"]
        for file in report.files:
            content = file.path.read_bytes()
            assert (file.size_bytes, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
        if not changes and cut is None:
            assert {file.sha256 for file in report.files} <= TRUE
            assert report.refused == ()


@given(st.binary(max_size=2000))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_a_file_or_an_error(data):
    with tempfile.TemporaryDirectory() as folder:
        try:
            report = run(Path(folder), data, "x.CEL")
        except MalformedFileError:
            return
        assert report.files or report.refused
