"""What a file's path and bytes show is told even of a file that is no text."""

from __future__ import annotations

from pipeline.parse.decode import Newlines
from pipeline.reading import Reading, reading_of
from pipeline.traits import Trait


def test_a_text_has_its_traits_and_line_ends() -> None:
    reading = reading_of("vendor/test_a.py", "# größe\r\n".encode("utf-16"))
    assert reading == Reading(frozenset({Trait.TEST, Trait.VENDORED}), Newlines.CRLF)
    assert reading.trait_names == ("test", "vendored")


def test_what_is_no_text_has_no_line_ends() -> None:
    for data in (b"\n\0\n", b"\xff\xfea\n\xd8"):
        assert reading_of("a.min.js", data) == Reading(frozenset({Trait.MINIFIED}))
    assert Reading().trait_names == ()
