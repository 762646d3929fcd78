"""``refinebio config``: every setting, its value and where it comes from. Secrets never leave the process."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from refinebio_assets.cli.common import emit, json_option, read_settings, say, table

if TYPE_CHECKING:
    from resources.settings import Settings

PREFIX = "REFINEBIO_"
MASK = "********"
# Settings that are unset by default and then follow from others: what is in effect.
IN_EFFECT = {"database_url": "catalog_url", "object_store_url": "store_url", "scratch_dir": "scratch"}
# Variables of ours that are no settings: a note between our own processes, and the shell's completion.
NOT_SETTINGS = {"REFINEBIO_PINNED_RANDOM_DEVICE"}

# Greedy up to the last @: a password written unquoted may hold one.
_PASSWORD_IN_URL = re.compile(r"(?<=://)([^/:@\s]*):\S*(?=@)")
_SECRET_PARAMETER = re.compile(r"(?i)([?&;][\w.-]*(?:password|passwd|pwd|secret|token|signature|key)[\w.-]*=)[^&;\s]*")


class SettingShown(NamedTuple):
    """One line of ``refinebio config``."""

    name: str
    value: Any
    source: str
    description: str


@click.command()
@json_option
def config(as_json: bool) -> None:
    """Every setting: its value, whether the environment or the default gave it, and what it means.

    Set one by exporting the variable: REFINEBIO_HOME=/data/refinebio refinebio config
    """
    shown = describe_settings(read_settings())
    unknown = unknown_variables()
    for name in unknown:
        say(f"Warning: {name} is set, but there is no such setting.", as_json=as_json)
    value = {"settings": [line._asdict() for line in shown], "unknown": unknown}
    emit(value, as_json, text=lambda: table([line._asdict() for line in shown]))


def describe_settings(settings: Settings) -> list[SettingShown]:
    """Every setting with secrets masked, in the order of the settings model.

    Args:
        settings: The settings of this process.
    """
    lines = []
    for field, about in type(settings).model_fields.items():
        value = getattr(settings, field)
        if value is None and field in IN_EFFECT:
            value = getattr(settings, IN_EFFECT[field])
        source = "environment" if field in settings.model_fields_set else "default"
        lines.append(SettingShown(PREFIX + field.upper(), _shown(value), source, about.description or ""))
    return lines


def unknown_variables() -> list[str]:
    """Variables that look like settings and are none: most often a misspelt name."""
    from resources.settings import Settings

    known = {PREFIX + field.upper() for field in Settings.model_fields} | NOT_SETTINGS
    return sorted(name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known)


def mask_secrets(text: str) -> str:
    """``text`` without the passwords, keys and tokens of the URLs in it.

    Args:
        text: A URL, or a message that repeats one.
    """
    return _SECRET_PARAMETER.sub(rf"\g<1>{MASK}", _PASSWORD_IN_URL.sub(rf"\g<1>:{MASK}", text))


def _shown(value: Any) -> Any:
    if hasattr(value, "get_secret_value"):
        return MASK
    if isinstance(value, str):
        return mask_secrets(value)
    if isinstance(value, tuple):
        return [_shown(item) for item in value]
    return value if value is None or isinstance(value, int | float) else str(value)
