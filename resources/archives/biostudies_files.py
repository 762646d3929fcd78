"""Which files a BioStudies document names: MAGE-TAB documents, and lists of further files.

Both spellings of a document are read: page-tab JSON as the API gives it (``subsections``, tables are lists within
lists, a file list is the attribute ``File List``) and the extended form of exports (``sections``, tables are objects, a
file list is the object ``fileList``). https://github.com/EBIBioStudies/page-tab-specification
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

Row = dict[str, Any]

_FILE_LIST = "file list"
_PATH_KEYS = ("path", "filePath", "fileName")
_SECTION_KEYS = ("subsections", "sections")


def mage_tab_paths(study: Row, kind: str) -> list[str]:
    """Paths of the study's MAGE-TAB documents of a kind, each once, in the order of the document.

    Args:
        study: A BioStudies document.
        kind: ``idf`` or ``sdrf``: files named ``….{kind}.txt``, or else of the type ``{kind} File``.
    """
    named: dict[str, None] = {}
    typed: dict[str, None] = {}
    for section in _sections(study.get("section")):
        for file in _rows(section.get("files")):
            path = next((str(file[key]) for key in _PATH_KEYS if file.get(key)), "")
            if path.lower().endswith(f".{kind}.txt"):
                named.setdefault(path)
            elif path and any(value.lower() == f"{kind} file" for value in _values(file, "type")):
                typed.setdefault(path)
    return list(named or typed)


def file_list_names(study: Row) -> list[tuple[str, str]]:
    """The file lists of a study: the type of the section that has one, and the name of its JSON document.

    Lists are kept as they were submitted (TSV, XML) and as JSON; the JSON is the one that is read.
    """
    found: dict[tuple[str, str], None] = {}
    for section in _sections(study.get("section")):
        told = section.get("fileList")
        names = [str(told.get("fileName") or told.get("path") or "") if isinstance(told, dict) else str(told or "")]
        names += _values(section, _FILE_LIST)
        for name in filter(None, names):
            path = PurePosixPath(name)
            is_list = path.suffix.lower() in (".json", ".tsv", ".xml", ".xlsx")
            found.setdefault((str(section.get("type") or ""), f"{path.with_suffix('') if is_list else path}.json"))
    return list(found)


def _sections(value: Any) -> Iterator[Row]:
    """A section and all those in it, outer before inner."""
    waiting = list(_rows(value))[::-1]
    while waiting:
        section = waiting.pop()
        yield section
        inner = [each for key in _SECTION_KEYS for each in _rows(section.get(key))]
        waiting.extend(inner[::-1])


def _rows(value: Any) -> Iterator[Row]:
    """The objects of a list in which tables are lists, or objects that hold a list; anything else is passed over."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting.extend(each[::-1])
        elif isinstance(each, dict):
            kind = str(each.get("extType") or "")
            if kind.endswith("sTable"):
                waiting.append(each.get(kind.removesuffix("Table")))
            else:
                yield each


def _values(row: Row, name: str) -> list[str]:
    """The values of an attribute, whatever the letter case of its name."""
    return [
        str(attribute["value"])
        for attribute in _rows(row.get("attributes"))
        if str(attribute.get("name") or "").lower() == name and attribute.get("value")
    ]
