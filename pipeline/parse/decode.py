"""What a file's bytes say as text, and which encoding that took.

Text is UTF-8 bytes. A file that already is valid UTF-8 is its own text, byte for byte: byte order mark, line ends and
all. Everything else is converted, and the encoding's name is enough to convert the same bytes to the same text
again. Nothing is weighed by the likelihood of words or letters, so the answer depends on no model and no library's
version: a mark decides, then whether the bytes are UTF-16 or UTF-8, then what the file declares, then Windows-1252 or
Latin-1, which fits every byte. A file in another encoding that says so nowhere has to be saved as UTF-8.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from enum import StrEnum

from pipeline.errors import MalformedDocument, UnsupportedMediaType
from pipeline.parse.declared import LATIN1, declared_encodings

UTF8 = "utf-8"
WINDOWS = "cp1252"
#: UTF-8 with stray bytes of another encoding in it; those are read as Windows-1252 or Latin-1, one by one.
MOSTLY_UTF8 = "utf-8+cp1252"

#: UTF-32 stands before UTF-16: the little-endian mark of the one begins with that of the other.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

#: Bytes that are looked at to suspect UTF-16, and the share of their units that must have an empty high byte:
#: spaces, line ends and punctuation alone come to that in every script written with spaces.
_SAMPLE_BYTES = 64 * 1024
_LEAST_EMPTY = 0.1
#: Fewer units than this prove nothing.
_LEAST_UNITS = 4

#: What text never holds: controls other than white space and escape, private and non-characters.
_NO_TEXT = re.compile("[\0-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f-\x9f\ue000-\uf8ff\ufdd0-\ufdef\ufff0-\ufff8\ufffe\uffff]")
#: Bytes that are printable in Windows-1252 and control characters, which nobody writes, in Latin-1.
_WINDOWS_ONLY = re.compile(rb"[\x80-\x9f]")
#: What ``surrogateescape`` makes of a byte that is not UTF-8.
_STRAY = re.compile("[\udc80-\udcff]")
_HIGH_BYTES = bytes(range(0x80, 0x100))


class Newlines(StrEnum):
    """How the lines of a text end."""

    NONE = "none"
    LF = "lf"
    CRLF = "crlf"
    CR = "cr"
    MIXED = "mixed"


@dataclass(frozen=True, slots=True)
class Text:
    """A file as text: its UTF-8 form and the encoding the file was in."""

    data: bytes
    encoding: str

    @property
    def newlines(self) -> Newlines:
        """How its lines end; they are never changed."""
        crlf = self.data.count(b"\r\n")
        counts = {
            Newlines.LF: self.data.count(b"\n") - crlf,
            Newlines.CRLF: crlf,
            Newlines.CR: self.data.count(b"\r") - crlf,
        }
        present = [style for style, count in counts.items() if count]
        if len(present) > 1:
            return Newlines.MIXED
        return present[0] if present else Newlines.NONE


def decode(data: bytes) -> Text:
    """Return the text of a file's bytes.

    Raises:
        UnsupportedMediaType: The file holds NUL bytes and is neither UTF-16 nor UTF-32: it is binary.
        MalformedDocument: The file starts with the mark of one of those and is not in that encoding.
    """
    marked = [encoding for mark, encoding in _MARKS if data.startswith(mark)]
    if marked:
        return _first_that_fits(data, marked)
    if b"\0" in data:
        unmarked = unmarked_utf16(data)
        if unmarked is None:
            raise UnsupportedMediaType
        return Text(text_of(data, unmarked), unmarked)
    if _fits(data, UTF8):
        return Text(data, UTF8)
    return _declared(data) or _undeclared(data)


def text_of(data: bytes, encoding: str) -> bytes:
    """Return the UTF-8 text of ``data``, whose encoding is known from an earlier ``decode``.

    Raises:
        MalformedDocument: The bytes are not in that encoding.
    """
    if encoding == MOSTLY_UTF8:
        return _STRAY.sub(_read_stray, data.decode(UTF8, "surrogateescape")).encode()
    try:
        text = data.decode(encoding)
        return data if encoding == UTF8 else text.encode()
    except (UnicodeError, LookupError) as exc:
        raise MalformedDocument(f"The file is not valid {encoding}; save it as UTF-8.") from exc


def unmarked_utf16(data: bytes) -> str | None:
    """Return which UTF-16 a file without a mark is in, or None.

    One of the two bytes of its units is often empty, always the same one; and read that way, all of it is text.
    """
    sample = data[:_SAMPLE_BYTES]
    units = len(sample) // 2
    if len(data) % 2 or units < _LEAST_UNITS:
        return None
    first, second = sample[0::2].count(0), sample[1::2].count(0)
    if first == second or max(first, second) < units * _LEAST_EMPTY:
        return None
    encoding = "utf-16-le" if second > first else "utf-16-be"
    if not _fits(data, encoding) or _NO_TEXT.search(data.decode(encoding)):
        return None
    return encoding


def _first_that_fits(data: bytes, encodings: list[str]) -> Text:
    for encoding in encodings[:-1]:
        try:
            return Text(text_of(data, encoding), encoding)
        except MalformedDocument:
            continue
    return Text(text_of(data, encodings[-1]), encodings[-1])


def _fits(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _declared(data: bytes) -> Text | None:
    """Return the text in the first encoding that the file declares and that its bytes are in."""
    for label, encoding in declared_encodings(data):
        try:
            text = text_of(data, encoding)
        except MalformedDocument:
            continue
        # EBCDIC and its like decode anything; in the right encoding the declaration still reads as itself.
        if label in text:
            return Text(text, encoding)
    return None


def _undeclared(data: bytes) -> Text:
    if data.startswith(codecs.BOM_UTF8) or _is_mostly_utf8(data):
        encoding = MOSTLY_UTF8
    elif _WINDOWS_ONLY.search(data) and _fits(data, WINDOWS):
        encoding = WINDOWS
    else:
        encoding = LATIN1
    return Text(text_of(data, encoding), encoding)


def _is_mostly_utf8(data: bytes) -> bool:
    """Tell whether more characters are proper UTF-8 than there are stray bytes; plain ASCII counts for neither."""
    loose = data.decode(UTF8, "surrogateescape")
    stray = len(data) - len(loose.encode(UTF8, "ignore"))
    plain = len(data.translate(None, _HIGH_BYTES))
    return len(loose) - stray - plain > stray


def _read_stray(match: re.Match[str]) -> str:
    byte = bytes([ord(match[0]) - 0xDC00])
    return byte.decode(WINDOWS if _fits(byte, WINDOWS) else LATIN1)
