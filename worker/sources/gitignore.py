"""Decide what git would ignore, exactly as git decides it.

The last matching line of a file wins, the deepest file that has an opinion wins, and `.git/info/exclude` speaks last.
A path is compared only with itself, never with its parents: whoever asks walks from the top and does not enter an
ignored directory, which is why nothing below one can be re-included. Tracked files are judged like untracked ones,
and a user's own `core.excludesFile` is not read, so that every machine sees the same source.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Self, TypeVar

from pipeline.errors import TooLarge
from pipeline.policy import MAX_PATH_BYTES
from worker.sources.reading import FILE_FLAGS, read_up_to
from worker.sources.wildmatch import MalformedGlob, translate

IGNORE_FILE = ".gitignore"

#: A longer ignore file is not applied (bytes): compiling the worst one of this size takes three seconds.
MAX_IGNORE_BYTES = 256 * 1024


V = TypeVar("V")
L = TypeVar("L")


@dataclass(frozen=True, slots=True)
class Rules(Generic[V]):
    """Rules of one kind (for files, say, or for directories), the file's last line first, as one expression.

    Its text is ``name NUL path``: rules without a slash look at the name, the others at the path. Group ``i`` is rule
    ``i``, so the group that matched tells the rule that won.
    """

    expression: re.Pattern[bytes]
    verdicts: tuple[V, ...]

    @classmethod
    def of(cls, rules: list[tuple[bytes, V]]) -> Rules[V]:
        """Compile expressions with what each of them says."""
        expression = re.compile(b"|".join(b"(" + expression + b")" for expression, _ in rules), re.DOTALL)
        return cls(expression, tuple(verdict for _, verdict in rules))

    def verdict(self, text: bytes) -> V | None:
        """Return what the rule that wins says; None: no rule speaks."""
        match = self.expression.match(text)
        return None if match is None else self.verdicts[(match.lastindex or 1) - 1]


@dataclass(frozen=True, slots=True)
class Layers(Generic[L]):
    """All rules that hold in one directory: for each file of rules, deepest first, the way from it to here."""

    layers: tuple[tuple[L, bytes], ...] = ()

    def below(self, name: bytes) -> Self:
        """Return the rules as seen from a subdirectory, before its own file of rules."""
        return type(self)(tuple((rules, way + name + b"/") for rules, way in self.layers)) if self.layers else self

    def under(self, rules: L | None) -> Self:
        """Return these rules with those of the directory's own file before them."""
        return self if rules is None else type(self)(((rules, b""), *self.layers))


@dataclass(frozen=True, slots=True)
class IgnoreRules:
    """The rules of one ignore file."""

    files: Rules[bool] | None
    directories: Rules[bool] | None

    def verdict(self, name: bytes, path: bytes, *, is_directory: bool) -> bool | None:
        """Return whether the path (relative to the ignore file's directory) is ignored; None: no rule speaks."""
        rules = self.directories if is_directory else self.files
        return None if rules is None else rules.verdict(name + b"\0" + path)


class Ignores(Layers[IgnoreRules]):
    """What the ignore files around a directory say of its entries."""

    __slots__ = ()

    def ignores(self, name: bytes, *, is_directory: bool) -> bool:
        """Return whether an entry of the directory is ignored."""
        for rules, way in self.layers:
            verdict = rules.verdict(name, way + name, is_directory=is_directory)
            if verdict is not None:
                return verdict
        return False


def parse_rules(data: bytes) -> IgnoreRules | None:
    """Compile an ignore file's content, whatever its bytes; None where it has no rules."""
    files: list[tuple[bytes, bool]] = []
    directories: list[tuple[bytes, bool]] = []
    for line in reversed(data.removeprefix(b"\xef\xbb\xbf").split(b"\n")):
        if not line or line.startswith(b"#"):
            continue
        glob = _without_trailing_spaces(line.removesuffix(b"\r").partition(b"\0")[0])
        is_ignoring = not glob.startswith(b"!")
        glob = glob if is_ignoring else glob[1:]
        is_for_directories = glob.endswith(b"/")
        try:
            expression = expression_for(glob[:-1] if is_for_directories else glob)
        except MalformedGlob:
            continue
        directories.append((expression, is_ignoring))
        if not is_for_directories:
            files.append((expression, is_ignoring))
    return IgnoreRules(Rules.of(files) if files else None, Rules.of(directories)) if directories else None


def read_rules(dir_fd: int, name: str = IGNORE_FILE) -> IgnoreRules | None:
    """Read an ignore file in an open directory. None: there is none, or it is a link or no file, which git ignores.

    Raises:
        OSError: It is there and cannot be read.
        TooLarge: It has more than `MAX_IGNORE_BYTES`.
    """
    data = read_bounded(dir_fd, name)
    return None if data is None else parse_rules(data)


def read_bounded(dir_fd: int, name: str) -> bytes | None:
    """Return the content of a file with rules in an open directory; None where there is none, or no regular file.

    Raises:
        OSError: It is there and cannot be read.
        TooLarge: It has more than `MAX_IGNORE_BYTES`.
    """
    try:
        if not stat.S_ISREG(os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_mode):
            return None
        fd = os.open(name, FILE_FLAGS, dir_fd=dir_fd)
    except FileNotFoundError:
        return None
    try:
        data = read_up_to(fd, MAX_IGNORE_BYTES + 1)
    finally:
        os.close(fd)
    if len(data) > MAX_IGNORE_BYTES:
        raise TooLarge(f"a file of rules may have {MAX_IGNORE_BYTES:,} bytes; split it over its directories.")
    return data


def rules_above(root: Path) -> Ignores:
    """Return the rules that an enclosing git repository lays on ``root`` (absolute, no links), but not root's own.

    An ignore file above the root that cannot be read counts as absent, as it does to git.
    """
    here = repository_around(root)
    if here is None:
        return Ignores()
    ignores = Ignores().under(_rules_in(_git_directory(here / ".git") / "info", "exclude"))
    for name in root.relative_to(here).parts:
        ignores = ignores.under(_rules_in(here, IGNORE_FILE)).below(os.fsencode(name))
        here /= name
    return ignores


def repository_around(root: Path) -> Path | None:
    """Return the top of the git repository that a directory is, or is in."""
    return next((directory for directory in (root, *root.parents) if os.path.lexists(directory / ".git")), None)


def _rules_in(directory: Path, name: str) -> IgnoreRules | None:
    data = read_quietly(directory, name)
    return None if data is None else parse_rules(data)


def read_quietly(directory: Path, name: str) -> bytes | None:
    """Return the content of a file with rules; one that cannot be read counts as absent."""
    try:
        fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return read_bounded(fd, name)
    except (OSError, TooLarge):
        return None
    finally:
        os.close(fd)


def _git_directory(dot_git: Path) -> Path:
    """Return where a repository keeps ``info``; in a worktree or submodule ``.git`` is a file that says where."""
    pointer = _first_line(dot_git)
    if not pointer.startswith("gitdir: "):
        return dot_git
    directory = dot_git.parent / pointer.removeprefix("gitdir: ")
    return directory / _first_line(directory / "commondir")


def _first_line(path: Path) -> str:
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            line = file.readline(MAX_PATH_BYTES)
    except OSError:
        return ""
    return "" if b"\0" in line else os.fsdecode(line.rstrip(b"\r\n"))


def _without_trailing_spaces(line: bytes) -> bytes:
    """Drop the spaces at the end, but not one that a backslash keeps."""
    stripped = line.rstrip(b" ")
    backslashes = len(stripped) - len(stripped.rstrip(b"\\"))
    return line[: len(stripped) + 1] if backslashes % 2 else stripped


def expression_for(glob: bytes) -> bytes:
    """Return the expression for a pattern without a slash at its end; it is matched with ``name NUL path``.

    Raises:
        MalformedGlob: It can match nothing.
    """
    if b"/" not in glob:
        return translate(glob, rb"\0")
    return rb"[^\0]*\0" + translate(glob.removeprefix(b"/"), rb"\Z")
