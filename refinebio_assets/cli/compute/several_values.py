"""Options that take several values in a row: ``--quant A B C`` as well as ``--quant A --quant B``."""

from __future__ import annotations

import click


class SeveralValuesOption(click.Option):
    """A ``multiple=True`` option that may also be given once with several values; they end at the next option."""


class SeveralValuesCommand(click.Command):
    """A command with such options. Click itself wants the option's name before every value, so it is put there."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Repeat the option's name, then parse as usual."""
        several = {name for option in self.params if isinstance(option, SeveralValuesOption) for name in option.opts}
        return super().parse_args(ctx, repeat_option_names(args, several))


def repeat_option_names(words: list[str], several: set[str]) -> list[str]:
    """``--quant A B`` -> ``--quant A --quant B`` for the options named in ``several``."""
    repeated: list[str] = []
    option: str | None = None
    has_value = False
    for place, word in enumerate(words):
        if word == "--":
            return repeated + words[place:]
        if word.startswith("-") and word != "-":
            name, has_equals_sign, _ = word.partition("=")
            option, has_value = (name if name in several else None), bool(has_equals_sign)
            repeated.append(word)
        else:
            repeated += [option, word] if option is not None and has_value else [word]
            has_value = True
    return repeated
