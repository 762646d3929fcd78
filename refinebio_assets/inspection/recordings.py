"""Recorded HTTP answers (VCR cassettes, YAML or JSON): every answer is described as if it were a file.

Formats: https://vcrpy.readthedocs.io (``interactions``) and https://benoittgt.github.io/vcr (``http_interactions``).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from refinebio_assets.domain.errors import MalformedFileError, RefinebioError
from refinebio_assets.inspection.content import Content, content_of
from refinebio_assets.inspection.describers import Describer, Recognition, Setting, begin
from refinebio_assets.inspection.report import Description

RECORDING = "http_recording"
_YAML = re.compile(r"(?:---\s*\n)?(?:http_)?interactions:\s*\n\s*-\s+(?:request|response):", re.MULTILINE)
_JSON = re.compile(r'\s*\{\s*(?:"version"\s*:\s*\d+\s*,\s*)?"(?:http_)?interactions"\s*:\s*\[')
_MOST_INTERACTIONS = 10_000


class _Answer(NamedTuple):
    method: str
    url: str
    status: str
    body: bytes


def recognise(content: Content) -> Recognition | None:
    """A list of interactions, each a request and its answer."""
    if not (_YAML.match(content.text) or _JSON.match(content.text)):
        return None
    return Recognition(kind=RECORDING, confidence=1.0, evidence="interactions of a VCR cassette")


def describe(content: Content, recognition: Recognition, setting: Setting) -> Description:
    """What each answer is, with the experiments and samples of all."""
    description = begin(recognition)
    interactions = []
    for number, answer in enumerate(_answers(content), start=1):
        told = {"method": answer.method, "url": answer.url, "status": answer.status}
        name = f"{content.name}#{number}"
        try:
            inner = content_of(answer.body, name)
        except RefinebioError as error:
            interactions.append({**told, "kind": None, "error": error.message})
            continue
        if setting.depth:
            interactions.append({**told, "kind": None, "error": "A recording within a recording is not read."})
            continue
        report = setting.inspect_content(inner, replace(setting, given=(), depth=setting.depth + 1))
        shown = report.to_dict()
        interactions.append({**told, "kind": shown["kind"], "error": shown.get("error", {}).get("message")})
        description.experiments += shown["experiments"]
        description.samples += shown["samples"]
        description.warnings += [f"answer {number}: {warning}" for warning in shown["warnings"]]
    description.header = {"interactions": interactions}
    return description


def _answers(content: Content) -> Iterator[_Answer]:
    document = _load(content)
    found = document.get("interactions", document.get("http_interactions")) if isinstance(document, dict) else None
    if not isinstance(found, list):
        message = "The recording holds no list of interactions."
        raise MalformedFileError(message, path=content.name, line=1)
    for interaction in found[:_MOST_INTERACTIONS]:
        if isinstance(interaction, dict):
            yield _answer(_mapping(interaction.get("request")), _mapping(interaction.get("response")))


def _answer(request: dict[str, Any], response: dict[str, Any]) -> _Answer:
    status = response.get("status")
    code = status.get("code", "") if isinstance(status, dict) else status or response.get("status_code", "")
    return _Answer(
        method=str(request.get("method", "")).upper(),
        url=str(request.get("uri", request.get("url", ""))),
        status=str(code),
        body=_body(response.get("body", response.get("content", b""))),
    )


def _body(body: Any) -> bytes:
    """The answer's bytes; a value of another form has none."""
    if isinstance(body, dict):
        encoded = body.get("base64_string")
        if isinstance(encoded, str):
            try:
                return base64.b64decode(encoded)
            except binascii.Error:
                return b""
        body = body.get("string", b"")
    return body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else b""


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _load(content: Content) -> Any:
    data = content.read()
    if content.text.lstrip().startswith("{"):
        import orjson

        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError as error:
            message = f"This is no JSON: {error.msg}."
            raise MalformedFileError(message, path=content.name, line=error.lineno) from error
    import yaml  # type: ignore[import-untyped]  # its stubs are a package of their own

    try:
        return yaml.load(data, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        message = f"This is no YAML: {getattr(error, 'problem', None) or error}."
        raise MalformedFileError(message, path=content.name, line=None if line is None else line + 1) from error


DESCRIBERS = (Describer(recognise=recognise, describe=describe),)
