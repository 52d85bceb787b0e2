"""Which encodings a file says it is in: the declarations of languages and editors, read from its head alone.

Python and Ruby (PEP 263), XML, CSS, HTML, Emacs and Vim each have their own form. What one of them says is a claim:
whoever asks must still see whether the bytes are in that encoding.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

LATIN1 = "latin-1"

#: Declarations further into a file are not looked for (bytes). HTML's own standard says 1,024.
_HEAD_BYTES = 4096
_HTML_BYTES = 1024

#: PEP 263: a comment in the first two lines, where the first is blank or a comment as well.
_COOKIE = re.compile(rb"(?:[ \t\f]*(?:#[^\r\n]*)?(?:\r\n|\r|\n))?[ \t\f]*#[^\r\n]*?coding[:=][ \t]*([-\w.]+)")
_XML = re.compile(rb"\s*<\?xml\s[^>]*?\bencoding\s*=\s*[\"']([-\w.:]+)[\"']")
_CSS = re.compile(rb'@charset "([-\w.:]+)";')
_MARKUP = re.compile(rb"\s*<")
_META = re.compile(rb"<meta\s[^>]{0,1024}?\bcharset\s*=\s*[\"']?\s*([-\w.:]+)", re.IGNORECASE)
#: In the first two lines, in any language's comment; ``-unix`` and the like only tell how lines end.
_EMACS = re.compile(rb"\bcoding:[ \t]*([-\w.]+?)(?:-(?:unix|dos|mac))?[ \t]*(?:;|-\*-|\Z)")
_EMACS_MARK = b"-*-"
_EMACS_LINES = 2
_VIM = re.compile(rb"(?>(?:.*?[ \t])??(?:vim?|ex):).*?\b(?:fileencoding|fenc)=([-\w]+)")
_VIM_LINES = 5

#: Character sets that may be declared. The other codecs of Python are no character sets (``rot13``), cannot hold the
#: declaration itself (UTF-16), or take quadratic time (``punycode``).
_CHARSET = re.compile(
    r"cp\d+|iso8859-\d+|koi8-[rtu]|kz1048|ptcp154|mac-\w+|tis-620|gb2312|gbk|gb18030|big5\w*|euc_\w+|shift_jis\w*|johab"
)

#: What is commonly written under a name is often the larger set that its vendor made of it.
_SUPERSETS = {
    "big5": "cp950",
    "euc_kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "tis-620": "cp874",
}


def declared_encodings(data: bytes) -> Iterator[tuple[bytes, str]]:
    """Yield each label that the file gives its encoding, with the codec to try; its superset follows it."""
    for label, is_web in _labels(data[:_HEAD_BYTES]):
        encoding = _codec_of(label)
        # On the web Latin-1 means Windows-1252 wherever the two differ: as if nothing were declared.
        if encoding is None or (is_web and encoding == _codec_of(LATIN1.encode())):
            continue
        yield label, encoding
        if encoding in _SUPERSETS:
            yield label, _SUPERSETS[encoding]


def _labels(head: bytes) -> Iterator[tuple[bytes, bool]]:
    """Yield the labels, and whether a form of the web gives them."""
    forms = [
        (_COOKIE.match(head), False),
        (_XML.match(head), True),
        (_CSS.match(head), True),
        (_META.search(head[:_HTML_BYTES]) if _MARKUP.match(head) else None, True),
    ]
    lines = head.splitlines()[:_VIM_LINES]
    forms += [(_emacs(line), False) for line in lines[:_EMACS_LINES]]
    forms += [(_VIM.match(line), False) for line in lines]
    for match, is_web in forms:
        if match is not None:
            yield match[1], is_web


def _emacs(line: bytes) -> re.Match[bytes] | None:
    """Return what is declared between the first mark of a line and the last one."""
    first, last = line.find(_EMACS_MARK), line.rfind(_EMACS_MARK)
    return _EMACS.search(line, first + len(_EMACS_MARK), last) if first >= 0 else None


def _codec_of(label: bytes) -> str | None:
    try:
        name = codecs.lookup(label.decode("ascii", "replace")).name
    except LookupError:
        return None
    return name if _CHARSET.fullmatch(name) else None
