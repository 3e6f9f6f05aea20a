"""The sources that are always there: made-up radiographs. A test holds that they are those that can be drawn."""

from covaudit.domain.source import Source

BUILT_IN: tuple[Source, ...] = tuple(Source(name=f"phantom-{letter}", reader="phantom") for letter in "abcde")
