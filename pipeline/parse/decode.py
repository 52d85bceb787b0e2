"""What a file's bytes say as text, and which encoding that took.

Text is UTF-8 bytes. A file that already is valid UTF-8 is its own text, byte for byte: byte order mark, line ends and
all. Everything else is converted, and the encoding's name is enough to convert the same bytes to the same text
again. Trying encodings never guesses: a mark, then UTF-8, then what the file declares, then Latin-1, which fits
every byte.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from pipeline.errors import MalformedDocument, UnsupportedMediaType

UTF8 = "utf-8"
LATIN1 = "latin-1"

#: UTF-32 stands before UTF-16: the little-endian mark of the one begins with that of the other.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

#: PEP 263: a comment in the first two lines, where the first is blank or a comment as well.
_COOKIE = re.compile(rb"(?:[ \t\f]*(?:#[^\r\n]*)?(?:\r\n|\r|\n))?[ \t\f]*#[^\r\n]*?coding[:=][ \t]*([-\w.]+)")

#: Character sets a cookie may name. The other codecs of Python are no character sets (``rot13``), cannot hold the
#: cookie itself (UTF-16), or take quadratic time (``punycode``).
_CHARSET = re.compile(
    r"cp\d+|iso8859-\d+|koi8-[rtu]|kz1048|ptcp154|mac-\w+|tis-620|gb2312|gbk|gb18030|big5\w*|euc_\w+|shift_jis\w*|johab"
)


@dataclass(frozen=True, slots=True)
class Text:
    """A file as text: its UTF-8 form and the encoding the file was in."""

    data: bytes
    encoding: str


def decode(data: bytes) -> Text:
    """Return the text of a file's bytes.

    Raises:
        UnsupportedMediaType: The file holds NUL bytes and no UTF-16 or UTF-32 mark: it is binary.
        MalformedDocument: The file starts with such a mark and is not in that encoding.
    """
    marked = [encoding for mark, encoding in _MARKS if data.startswith(mark)]
    if marked:
        return _first_that_fits(data, marked)
    if b"\0" in data:
        raise UnsupportedMediaType
    if _fits_utf8(data):
        return Text(data, UTF8)
    declared = _declared(data)
    if declared is not None:
        return declared
    return Text(text_of(data, LATIN1), LATIN1)


def text_of(data: bytes, encoding: str) -> bytes:
    """Return the UTF-8 text of ``data``, whose encoding is known from an earlier ``decode``.

    Raises:
        MalformedDocument: The bytes are not in that encoding.
    """
    try:
        text = data.decode(encoding)
        return data if encoding == UTF8 else text.encode()
    except (UnicodeError, LookupError) as exc:
        raise MalformedDocument(f"The file is not valid {encoding}; save it as UTF-8.") from exc


def _first_that_fits(data: bytes, encodings: list[str]) -> Text:
    for encoding in encodings[:-1]:
        try:
            return Text(text_of(data, encoding), encoding)
        except MalformedDocument:
            continue
    return Text(text_of(data, encodings[-1]), encodings[-1])


def _fits_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _declared(data: bytes) -> Text | None:
    """Return the text in the encoding that the file's own coding cookie names, if it does decode."""
    cookie = _COOKIE.match(data)
    if not cookie:
        return None
    try:
        encoding = codecs.lookup(cookie[1].decode("ascii", "replace")).name
    except LookupError:
        return None
    if not _CHARSET.fullmatch(encoding):
        return None
    try:
        text = text_of(data, encoding)
    except MalformedDocument:
        return None
    # EBCDIC and its like decode anything; in the right encoding the cookie still reads as itself.
    return Text(text, encoding) if cookie[0] in text else None
