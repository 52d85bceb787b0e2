"""Recognise a file's language: by its name, its extension, and, where those leave it open, what it starts with.

An extension is believed unless it is known to stand for several things (``.h``, ``.ts``). Only the head of a file is
ever looked at, so that the answer needs neither the whole file nor a parser, and is the same everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePosixPath

from pipeline.parse.languages.entry import TEXT
from pipeline.parse.languages.registry import LANGUAGES

#: Bytes of a file that are looked at.
HEAD_BYTES = 8_192

_BY_EXTENSION = {suffix: language.name for language in LANGUAGES.values() for suffix in language.extensions}
_BY_FILE_NAME = {name: language.name for language in LANGUAGES.values() for name in language.file_names}
_BY_INTERPRETER = {name: language.name for language in LANGUAGES.values() for name in language.interpreters}
_BY_CALL_NAME = (
    {suffix[1:]: name for suffix, name in _BY_EXTENSION.items() if suffix.islower()}
    | {alias: language.name for language in LANGUAGES.values() for alias in language.aliases}
    | {name: name for name in LANGUAGES}
)

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SHEBANG = re.compile(rb"#![ \t]*(\S+)(?:[ \t]+-S)?(?:[ \t]+\S+=\S*)*(?:[ \t]+(\S+))?")
_INTERPRETER_VERSION = "0123456789."
#: An editor's own note about the file, in its first lines.
_EMACS = re.compile(rb"-\*-([^*\n]*)-\*-")
_EMACS_MODE = re.compile(rb"(?:^|.*\bmode:)[ \t]*([\w+#-]+)[ \t]*(?:;|$)")
_VIM = re.compile(rb"(?<![^\n])(?>[^\n]*?\b(?:vim?|ex):)[^\n]*\b(?:ft|filetype|syntax)=([\w+#-]+)")
_MODELINE_BYTES = 512

#: Extensions that say: this is no code, whatever it begins with.
_PROSE = frozenset({".txt", ".text", ".log"})

#: The first key of an object.
_JSON = re.compile(rb'\s*\{\s*"[^"\n]*"\s*:')

_MARKUP = re.compile(rb"\s*<(?:\?xml|!DOCTYPE TS\b)", re.IGNORECASE)
_HTML = re.compile(rb"\s*(?:<!--[^>]{0,400}-->\s*)?<(?:!doctype\s+html|html)\b", re.IGNORECASE)

#: What says nothing about C or C++: comments, and strings with what is in them, whether or not they are closed.
_ASIDE = re.compile(rb"/\*.*?(?:\*/|\Z)|//[^\n]*|'\\?[^\n]'|\"(?:[^\"\\\n]|\\.)*+\"?", re.DOTALL)
#: What a header for both languages keeps from a C compiler.
_CPP_ONLY = re.compile(rb"(?<![^\r\n])[ \t]*+#[ \t]*+if[^\r\n]*?\b__cplusplus\b")
_CPP_ONLY_END = re.compile(rb"#[ \t]*+endif")
_CPP = re.compile(
    rb"\b\w++::\w|^[ \t]*(?:class[ \t]+\w++[^;{:]{0,400}+[{:]|(?:inline[ \t]+)?namespace\b|template[ \t]*<"
    rb"|using[ \t]+\w|(?:public|protected|private)[ \t]*:|friend[ \t])"
    rb"|\b(?:constexpr|noexcept|nullptr|virtual|typename|decltype)\b"
    rb"|#[ \t]*include[ \t]*<(?:string|vector|memory|map|set|utility|functional|iostream|algorithm|cstd\w+)>",
    re.MULTILINE,
)


def detect_language(path: str, head: bytes) -> str:
    """Return the language of the file at ``path`` that starts with ``head``; bytes above HEAD_BYTES do not matter."""
    name = PurePosixPath(path).name
    if name in _BY_FILE_NAME:
        return _BY_FILE_NAME[name]
    head = head[:HEAD_BYTES].removeprefix(_BYTE_ORDER_MARK)
    suffix = PurePosixPath(name).suffix
    if suffix.lower() in _BY_CONTENT:
        return _BY_CONTENT[suffix.lower()](head)
    if suffix in _BY_EXTENSION:
        return _BY_EXTENSION[suffix]
    known = _BY_EXTENSION.get(suffix.lower())
    if known is None and suffix.lower() not in _PROSE:
        # ``configure.in`` and ``install.orig`` may well be scripts.
        known = _language_of_content(head)
    return known or TEXT


def language_called(name: str) -> str:
    """Return the language that people call ``name`` (``py``, ``C++``, ``shell``), TEXT if it is none of ours."""
    return _BY_CALL_NAME.get(name.lower(), TEXT)


def _language_of_header(head: bytes) -> str:
    """Tell C++ from C; ``extern "C"`` and what only a C++ compiler sees are in C headers as well."""
    return "cpp" if _CPP.search(_for_both(_ASIDE.sub(b" ", head))) else "c"


def _for_both(head: bytes) -> bytes:
    """Return a header without what it keeps from a C compiler."""
    parts, at = [], 0
    while (start := _CPP_ONLY.search(head, at)) and (end := _CPP_ONLY_END.search(head, start.end())):
        parts.append(head[at : start.start()])
        at = end.end()
    return b"".join(parts) + head[at:]


def _language_of_ts(head: bytes) -> str:
    """Tell TypeScript from the translations of Qt Linguist, which are XML, and from MPEG streams."""
    return TEXT if _MARKUP.match(head) or (head.startswith(b"G") and b"\0" in head) else "typescript"


def _language_of_inc(head: bytes) -> str:
    """PHP, assembly and a dozen others are included; only PHP says what it is."""
    return "php" if head.lstrip().startswith(b"<?php") else TEXT


#: Extensions that stand for several languages.
_BY_CONTENT: dict[str, Callable[[bytes], str]] = {
    ".h": _language_of_header,
    ".ts": _language_of_ts,
    ".inc": _language_of_inc,
}


def _language_of_content(head: bytes) -> str:
    """Return the language of a file whose name says nothing."""
    found = _language_of_shebang(head)
    if found == TEXT:
        found = _language_of_modeline(head)
    if found == TEXT and _HTML.match(head):
        found = "html"
    if found == TEXT and _JSON.match(head):
        found = "json"
    return found if found != TEXT else _language_of_inc(head)


def _language_of_shebang(head: bytes) -> str:
    """Return the language of the interpreter on the first line (``#!/usr/bin/env -S python3.11 -u``)."""
    match = _SHEBANG.match(head)
    if not match:
        return TEXT
    command, argument = (part.decode("ascii", "replace") for part in (match[1], match[2] or b""))
    interpreter = PurePosixPath(command).name
    if interpreter == "env":
        interpreter = PurePosixPath(argument).name
    return _BY_INTERPRETER.get(interpreter.rstrip(_INTERPRETER_VERSION), TEXT)


def _language_of_modeline(head: bytes) -> str:
    lines = head[:_MODELINE_BYTES]
    note = _EMACS.search(lines)
    found = _EMACS_MODE.match(note[1]) if note else _VIM.search(lines)
    return language_called(found[1].decode("ascii", "replace")) if found else TEXT
