import re

import pytest

from worker.sources.wildmatch import MalformedGlob, translate


def matches(glob: bytes, text: bytes) -> bool:
    return re.match(translate(glob, rb"\Z"), text, re.DOTALL) is not None


@pytest.mark.parametrize(
    ("glob", "text"),
    [
        (b"a*b*c", b"a-b-b-c"), (b"*", b""), (b"a?c", b"a\xffc"), (b"[]x]", b"]"), (b"[!]x]", b"a"), (b"[a-]", b"-"),
        (b"[--0]", b"."), (b"[\\]]", b"]"), (b"[[:digit:]x]", b"7"), (b"[[:x]", b":"), (b"\\*", b"*"),
        (b"a/**", b"a/b/c"), (b"**/a", b"a"), (b"**/a", b"x/y/a"), (b"a/**/b", b"a/b"), (b"a/**/b", b"a/x/y/b"),
        (b"a/*/b", b"a/x/b"),
        (b"*/**/x*/**/b", b"q/x/x1/b"), (b"a.b", b"a.b"), (b"[^a]", b"b"), (b"a***b", b"axb"),
    ],
)  # fmt: skip
def test_a_glob_matches(glob: bytes, text: bytes) -> None:
    assert matches(glob, text)


@pytest.mark.parametrize(
    ("glob", "text"),
    [
        (b"a*b", b"a/b"), (b"a?b", b"a/b"), (b"[!a]", b"/"), (b"a[/]b", b"a/b"), (b"a/*/b", b"a/x/y/b"),
        (b"a.b", b"axb"), (b"a/**", b"a"), (b"[z-a]", b"m"), (b"[a-c-e]", b"d"), (b"a", b"a\n"), (b"\\*", b"a"),
    ],
)  # fmt: skip
def test_a_glob_does_not_match(glob: bytes, text: bytes) -> None:
    assert not matches(glob, text)


@pytest.mark.parametrize(
    "glob", [b"[", b"[a", b"[]", b"[!", b"a\\", b"[\\", b"[a-\\", b"[[:nope:]]", b"[[::]]", b"[[:a"]
)
def test_an_unfinished_glob_is_malformed(glob: bytes) -> None:
    with pytest.raises(MalformedGlob):
        translate(glob, rb"\Z")


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "glob", [b"*a" * 40 + b"b", b"**/a*a*a*a/" * 8 + b"b", b"/**" * 30 + b"/b", b"**/*a" * 20 + b"b"]
)
def test_a_hostile_glob_is_answered_at_once(glob: bytes) -> None:
    assert not matches(glob, b"a" * 250)
    assert not matches(glob, (b"a" * 40 + b"/") * 90 + b"a" * 250)
