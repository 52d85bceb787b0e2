"""What kind of file a path and the beginning of its bytes show: written by hand, or not, and for whom.

A trait says nothing about quality; settings decide whether a file with it is indexed, and a search may leave it out.
Custom decides, not proof: the names that tools and languages have agreed on, the notice that generators put into the
first comment of what they write, and lines too long and too dense for a person. The same path and bytes have the
same traits everywhere, and no more than a bounded head of the bytes is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache


class Trait(StrEnum):
    """What a file is besides its language."""

    GENERATED = "generated"
    VENDORED = "vendored"
    MINIFIED = "minified"
    LOCK = "lock"
    TEST = "test"
    DOCUMENTATION = "documentation"


#: How far into a file a generator's notice is looked for, and how much of it is measured to call it minified (bytes).
_NOTICE_BYTES = 4 * 1024
_MEASURED_BYTES = 64 * 1024

#: A line is longer than a person's at this length (bytes). A file is minified where such lines make up more than this
#: share of it and white space less than that one. Of 1,900 stylesheets and scripts the readable ones had 0.06 of
#: white space and more only where they carried their source map in a comment, and the minified ones 0.04 and less.
_LONG_LINE = 500
_LONG_SHARE = 0.75
_SPACE_SHARE = 0.1
_INLINE_MAP = b"sourceMappingURL=data:"
_SPACES = b" \t\r\n"


def _names(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns))


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Names are compared in lower case, except where a language tells words apart by capitals.
_LOCK = _names(
    r"(?:package|npm-shrinkwrap|\.package)-?lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lock|deno\.lock",
    r"(?:poetry|pdm|uv|pixi|pipfile)\.lock|conda-lock\.ya?ml|pylock(?:\.[^.]+)?\.toml|requirements[\w.-]*\.lock",
    r"cargo\.lock|go(?:\.work)?\.sum|(?:gemfile|gems|berksfile|podfile|puppetfile|brewfile)\.lock(?:ed|\.json)?",
    r"(?:composer|symfony|mix|rebar|pubspec|flake|shard|chart|paket|renv|elm-stuff|stack\.yaml|module\.bazel)\.lock",
    r"package\.resolved|cartfile\.resolved|packages\.lock\.json|project\.assets\.json|(?:buildscript-)?gradle\.lockfile",
    r"cabal\.project\.freeze|\.terraform\.lock\.hcl",
)
_MINIFIED = _names(r".+[.-]min\.(?:js|mjs|cjs|css)")
_WEB = _names(r".+\.(?:js|mjs|cjs|css|js\.map|mjs\.map|cjs\.map|css\.map)")
_GENERATED = _names(
    r".+\.pb(?:\.gw|\.validate)?\.(?:go|cc|h|c|swift|dart)|.+_grpc\.pb\.go|.+_pb2(?:_grpc)?\.pyi?|.+_pb\.(?:js|d\.ts|rb)",
    r".+\.(?:g|freezed|gr|mocks|config)\.dart|.+\.(?:designer|g|g\.i|generated)\.(?:cs|vb)|.+\.generated\.\w+",
    r"zz_generated\..+\.go|.+\.gen\.(?:go|ts|rs)|.+_generated\.(?:go|h|rs|py|ts|swift)|bindata\.go|.+\.pbxproj",
    r".+\.(?:js|mjs|cjs|css|d\.ts)\.map|.+\.snap",
)
_GENERATED_DIRECTORIES = frozenset({"__generated__", "__snapshots__", "generated-sources", "generated-src"})
_VENDORED_DIRECTORIES = _words(
    "vendor vendors vendored _vendor third_party third-party thirdparty 3rdparty 3rd_party godeps pods carthage"
    " jspm_packages site-packages dist-packages .yarn"
)
_VENDORED = _names(r"gradlew(?:\.bat)?|mvnw(?:\.cmd)?|\.pnp\.[cm]?js")
#: At the top of a source, and anywhere; a package below it may well be called ``docs`` and hold code.
_DOCUMENTATION_TOP = frozenset({"doc", "docs", "man"})
_DOCUMENTATION_DIRECTORIES = frozenset({"documentation", "groovydoc", "javadoc"})
_DOCUMENTATION = _names(
    r"(?:readme|changelog|changes|contributing|copying|install|licen[cs]e|code_of_conduct|security|authors|citation)"
    r"(?:[-.][\w.-]+)?\.(?:md|markdown|rst|txt|adoc|org|cff|html)",
    r"readme|changelog|changes|contributing|copying|install|licen[cs]e|authors|notice",
)
_TEST_DIRECTORIES = _words("test tests __tests__ __mocks__ spec specs testdata e2e cypress androidtest")
_TEST = _names(
    r"(?:test_.+|.+_test|conftest)\.pyi?|.+_tests?\.(?:go|rs|exs|dart|cc|cpp|cxx|c|ml|lua|clj[cs]?)|tests?\.rs",
    r"(?:test_.+|.+_(?:unit)?tests?)\.(?:c|cc|cpp|cxx|h|hpp)|.+[.-](?:test|spec|e2e|cy)\.[cm]?[jt]sx?|.+\.bats",
    r".+_(?:spec|test)\.(?:rb|lua|cr)|test_.+\.(?:rb|jl)|runtests\.jl|test[-_].+\.r|.+\.spec\.(?:vue|svelte)",
)
#: ``OrderTest.java``, not ``Latest.java``; ``Orders.Tests/`` of a .NET solution.
_TEST_CLASS = _names(
    r".+(?:Tests?|(?<=[a-z])IT|Specs?|TestCase)\.(?:java|kt|kts|groovy|scala|cs|fs|vb|php|swift|m|mm)|.+Spec\.hs"
)
_TEST_PROJECT = _names(r".+\.(?:Unit|Integration)?Tests?")

#: What a line that is a comment begins with in one language or another, and what stands between that and its words.
_COMMENT = (
    b"//",
    b"/*",
    b"*",
    b"#",
    b"--",
    b";",
    b"%",
    b"<!--",
    b"(*",
    b"{-",
    b'"""',
    b"'''",
    b"REM ",
    b"rem ",
    b"@rem ",
)
_DECORATION = b"/*#!-;%<({\"' \t"
#: How a generator's notice begins, in lower case.
_NOTICE = re.compile(
    rb"code generated\b.*\bdo not edit|@generated\b(?! by hand)|rem auto-?generated\b|a bison parser, made by gnu bison"
    rb"|(?:this (?:file|code|source|module|class|script|header) (?:is|was|has been|gets) )?"
    rb"(?:auto-? ?generated|automatically generated|machine[- ]generated|generated automatically)\b"
    rb"(?! (?:docs|documentation|names?|ids?|keys?|values?)\b)"
    rb"|generated by (?:the )?(?:protocol buffer compiler|protoc|grpc|cython|swig|coffeescript|bison|yacc|flex|ragel"
    rb"|antlr|javacc|jflex|re2c|thrift|gnu autoconf|automake|graphql-codegen|openapi|swagger|sqlc|mockgen)\b"
)
#: Anywhere in a comment line that speaks of what is generated.
_HANDS_OFF = re.compile(rb"\b(?:do not|don't) (?:edit|modify|change)\b")
_GENERATED_WORD = re.compile(rb"\bgenerated\b")
_ANNOTATION = re.compile(rb"@(?:javax|jakarta)\.annotation\.(?:processing\.)?Generated\(")


def traits_of(path: str, data: bytes) -> frozenset[Trait]:
    """Return the traits of a file, from its path in the source and its bytes (the head of them is enough)."""
    traits = set(path_traits(path))
    if any(_is_notice(line.strip()) for line in _ascii_head(data, _NOTICE_BYTES).splitlines()):
        traits.add(Trait.GENERATED)
    if _WEB.fullmatch(_name(path)) and _is_dense(_ascii_head(data, _MEASURED_BYTES)):
        traits.add(Trait.MINIFIED)
    return frozenset(traits)


@dataclass(frozen=True, slots=True)
class Declared:
    """What the owner of a file says of it, which holds whatever it looks like."""

    traits: frozenset[Trait] = frozenset()
    denied: frozenset[Trait] = frozenset()

    def over(self, shown: frozenset[Trait]) -> frozenset[Trait]:
        """Return the traits of a file that shows these."""
        return (shown | self.traits) - self.denied

    @property
    def mark(self) -> str:
        """A word that is another one where anything else is declared; empty where nothing is."""
        words = sorted([f"+{trait}" for trait in self.traits] + [f"-{trait}" for trait in self.denied])
        return "".join(words)


NOTHING_DECLARED = Declared()


# Whoever plans asks again for the path that the walk has just judged.
@lru_cache(maxsize=16)
def path_traits(path: str) -> frozenset[Trait]:
    """Return the traits that the path alone shows; those hold whatever the file's content."""
    *directories, cased = path.split("/")
    name = cased.lower()
    lowered = {directory.lower() for directory in directories}
    is_test_class = _TEST_CLASS.fullmatch(cased) or any(_TEST_PROJECT.fullmatch(part) for part in directories)
    claims = {
        Trait.LOCK: _LOCK.fullmatch(name),
        Trait.MINIFIED: _MINIFIED.fullmatch(name),
        Trait.GENERATED: _GENERATED.fullmatch(name) or lowered & _GENERATED_DIRECTORIES,
        Trait.VENDORED: _VENDORED.fullmatch(name) or lowered & _VENDORED_DIRECTORIES,
        Trait.TEST: _TEST.fullmatch(name) or is_test_class or lowered & _TEST_DIRECTORIES,
        Trait.DOCUMENTATION: _DOCUMENTATION.fullmatch(name)
        or set(directories[:1]) & _DOCUMENTATION_TOP
        or lowered & _DOCUMENTATION_DIRECTORIES,
    }
    return frozenset(trait for trait, is_so in claims.items() if is_so)


def traits_called(words: Iterable[str]) -> tuple[str, ...]:
    """Return the traits that people name, several in one word with commas between them, each once.

    Raises:
        ValueError: There is none of such a name; the message lists those that there are.
    """
    names = [name for word in words for part in word.split(",") if (name := part.strip().lower())]
    known = [trait.value for trait in Trait]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: name some of {', '.join(known)}")
    return tuple(dict.fromkeys(names))


def _name(path: str) -> str:
    return path.rpartition("/")[2].lower()


def _is_notice(line: bytes) -> bool:
    """Tell whether a line is a comment in which a generator says that it wrote the file."""
    if _ANNOTATION.match(line):
        return True
    if not line.startswith(_COMMENT):
        return False
    words = line.lstrip(_DECORATION).lower()
    if _NOTICE.match(words):
        return True
    return _GENERATED_WORD.search(words) is not None and _HANDS_OFF.search(words) is not None


def _ascii_head(data: bytes, size: int) -> bytes:
    """Return the beginning; without its NUL bytes UTF-16 text of ASCII letters reads as ASCII."""
    return data[:size].replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe")


def _is_dense(head: bytes) -> bool:
    lines = [line for line in head.splitlines(keepends=True) if _INLINE_MAP not in line]
    size = sum(len(line) for line in lines)
    if sum(len(line) for line in lines if len(line) > _LONG_LINE) <= _LONG_SHARE * size:
        return False
    spaces = size - sum(len(line.translate(None, _SPACES)) for line in lines)
    return spaces < _SPACE_SHARE * size
