"""Decide which files become documents, and say why the others do not.

A path is judged before its file is opened, so that a secret is not even read; the bytes are judged once they are
there. Names are compared without case, because `.ENV` holds the same secrets as `.env`. An empty file is admitted: it
is a document with zero chunks. `build` and `dist` are not excluded here: whether they are products or sources is what
`.gitignore` says. What is minified and what package managers record is kept out unless asked for: it costs as much to
embed as code and answers no question. Generated, vendored and test files are searched for, so they are admitted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from pipeline.parse.decode import unmarked_utf16
from pipeline.traits import NOTHING_DECLARED, Declared, Trait, path_traits, traits_of

#: Bytes a relative path may have: Linux' PATH_MAX less its terminating NUL.
MAX_PATH_BYTES = 4095

#: How far into a PEM file a private key is looked for (bytes); certificates and parameters may precede it.
_KEY_SEARCH_BYTES = 64 * 1024


class SkipReason(StrEnum):
    """Why a path is no document."""

    GITIGNORED = "gitignored"
    EXCLUDED_DIRECTORY = "excluded_directory"
    SECRET = "secret"  # noqa: S105  the name of a reason
    BINARY = "binary"
    TOO_LARGE = "too_large"
    SYMLINK = "symlink"
    SYMLINK_OUTSIDE = "symlink_outside"
    SYMLINK_LOOP = "symlink_loop"
    SYMLINK_BROKEN = "symlink_broken"
    NOT_A_FILE = "not_a_file"
    UNDECODABLE_PATH = "undecodable_path"
    PATH_TOO_LONG = "path_too_long"
    GENERATED = "generated"
    VENDORED = "vendored"
    MINIFIED = "minified"
    LOCK = "lock"
    TEST = "test"
    DOCUMENTATION = "documentation"

    @property
    def explanation(self) -> str:
        """One sentence for users: what it is and what to do about it."""
        return _EXPLANATIONS[self]


_EXPLANATIONS = {
    SkipReason.GITIGNORED: "A .gitignore rule matches it; change the rule if it should be ingested.",
    SkipReason.EXCLUDED_DIRECTORY: "It belongs to version control or to a tool; move what is yours somewhere else.",
    SkipReason.SECRET: "It looks like a secret and is never ingested; rename it if it holds none.",
    SkipReason.BINARY: "It is not text; convert it to text if its content should be found.",
    SkipReason.TOO_LARGE: "It is larger than the limit; raise MOBIUS_MAX_FILE_BYTES or split it.",
    SkipReason.SYMLINK: "Links are not followed; its target is ingested under its own path.",
    SkipReason.SYMLINK_OUTSIDE: "It links out of the source; ingest its target as a source of its own if it is wanted.",
    SkipReason.SYMLINK_LOOP: "It links to itself or to a directory around it; remove it if it is not meant.",
    SkipReason.SYMLINK_BROKEN: "It links to nothing; remove it or repair its target.",
    SkipReason.NOT_A_FILE: "It is a pipe, socket, device or directory and has no content to read; exclude it.",
    SkipReason.UNDECODABLE_PATH: "Its name is not valid UTF-8; rename it.",
    SkipReason.PATH_TOO_LONG: f"Its path has more than {MAX_PATH_BYTES:,} bytes; shorten it.",
    SkipReason.GENERATED: "A program wrote it; take generated out of MOBIUS_SKIP_TRAITS if it should be ingested.",
    SkipReason.VENDORED: "Others wrote it; take vendored out of MOBIUS_SKIP_TRAITS if it should be ingested.",
    SkipReason.MINIFIED: "It is written for machines; ingest its source, or take minified out of MOBIUS_SKIP_TRAITS.",
    SkipReason.LOCK: "It records what a package manager chose; take lock out of MOBIUS_SKIP_TRAITS if it is wanted.",
    SkipReason.TEST: "It is a test; take test out of MOBIUS_SKIP_TRAITS if it should be ingested.",
    SkipReason.DOCUMENTATION: "It is documentation; take that out of MOBIUS_SKIP_TRAITS if it should be ingested.",
}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: What is kept out unless settings say otherwise.
SKIPPED_TRAITS = frozenset({Trait.LOCK, Trait.MINIFIED})

#: Directories (or, like the `.git` of a worktree, files) that belong to a tool.
EXCLUDED_NAMES = _words(
    ".git .hg .svn .bzr .jj _darcs CVS node_modules bower_components __pycache__ .venv .mobius .cache .direnv .eggs "
    ".hypothesis .import_linter_cache .ipynb_checkpoints .mypy_cache .nox .pytest_cache .pytype .ruff_cache .tox "
    ".angular .dart_tool .gradle .next .nuxt .parcel-cache .pnpm-store .svelte-kit .terraform .turbo"
)

_SECRET_DIRECTORIES = frozenset({".ssh", ".gnupg"})

_SECRET_NAMES = _words(
    ".env .envrc .netrc _netrc .npmrc .pypirc .pgpass pgpass.conf .htpasswd .htdigest .my.cnf .mylogin.cnf "
    ".boto .s3cfg credentials .credentials .git-credentials credentials.json credentials.toml credentials.yml "
    "credentials.yaml credentials.db credentials.tfrc.json application_default_credentials.json accesstokens.json "
    ".terraformrc terraform.rc .dockercfg .dockerconfigjson kubeconfig .kubeconfig .vault-token .vault_pass "
    ".vault_password id_rsa id_dsa id_ecdsa id_ed25519 id_ecdsa_sk id_ed25519_sk "
    "secrets.json secrets.toml secrets.yml secrets.yaml secrets.properties"
)

_SECRET_SUFFIXES = _words(
    "env pem key p12 pfx pkcs12 p8 jks keystore ppk kdb kdbx keytab ovpn tfstate tfvars kubeconfig"
)

#: Names that the sets above cannot express: state backups, service accounts, OAuth clients, shell histories.
_SECRET_PATTERN = re.compile(
    r"\.env\..+|.+\.tfstate\..+|(?:.*[._-])?service[._-]?account(?:[._-].*)?\.json|client_secret.*\.json|\..+_history"
)

#: Files that are secret only inside their tool's directory.
_SECRET_PATHS = (".aws/config", ".kube/config", ".docker/config.json")

#: Endings that say: this shows the form and leaves the values out.
_EXAMPLE_SUFFIXES = (".example", ".sample", ".template")
_EXAMPLE_NAMES = frozenset({"example.env", "sample.env", "template.env"})

_BINARY_SUFFIXES = _words(
    # images, audio, video, fonts
    "png jpg jpeg jpe gif bmp tif tiff webp ico icns avif heic heif psd xcf cr2 nef dng exr hdr tga dds "
    "mp3 wav flac ogg oga opus m4a aac wma aiff mid midi mp4 m4v mkv webm avi mov wmv flv mpg mpeg 3gp "
    "ttf otf woff woff2 eot "
    # archives and images of disks
    "zip tar gz tgz bz2 tbz2 xz txz zst lz lz4 lzma 7z rar jar war ear aar apk aab ipa whl egg gem crate nupkg deb rpm "
    "dmg iso img vmdk qcow2 cab msi "
    # documents that are not text
    "pdf doc docx xls xlsx ppt pptx odt ods odp epub mobi "
    # programs, libraries, byte code
    "exe dll so dylib a o pyc pyo pyd class wasm elc beam "
    # data
    "db sqlite sqlite3 mdb parquet avro orc arrow feather h5 hdf5 npy npz pkl pickle joblib pt pth ckpt onnx "
    "safetensors gguf tflite mo gpg pgp der"
)

_BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")  # UTF-32 LE begins with UTF-16 LE's

_PRIVATE_KEY = re.compile(rb"^-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Skip:
    """A path that is no document. A directory's path ends with ``/`` and stands for everything below it.

    ``path`` is printable whatever the file's name: bytes that are not UTF-8 are shown as ``\\xNN``.
    """

    path: str
    reason: SkipReason
    detail: str = ""

    @property
    def message(self) -> str:
        """What to show to a user."""
        return f"{self.reason.explanation} ({self.detail})" if self.detail else self.reason.explanation


@dataclass(frozen=True, slots=True)
class Policy:
    """What is admitted. ``max_file_bytes`` is inclusive: a file of exactly that size is a document.

    A file with one of ``skip_traits`` is none.
    """

    max_file_bytes: int = 5 * 1024 * 1024
    excluded_names: frozenset[str] = EXCLUDED_NAMES
    skip_traits: frozenset[Trait] = SKIPPED_TRAITS

    def judge_directory(self, path: str) -> Skip | None:
        """Return why nothing below a directory is admitted, or None. ``path`` has no slash at its end."""
        name = path.rpartition("/")[2]
        if name in self.excluded_names:
            return Skip(f"{path}/", SkipReason.EXCLUDED_DIRECTORY, name)
        if name in _SECRET_DIRECTORIES:
            return Skip(f"{path}/", SkipReason.SECRET, name)
        return None

    def judge_file(self, path: str, size: int, declared: Declared = NOTHING_DECLARED) -> Skip | None:
        """Return why a regular file is not admitted, or None: from its path, its size in bytes and what is declared."""
        name = path.rpartition("/")[2]
        if name in self.excluded_names:
            return Skip(path, SkipReason.EXCLUDED_DIRECTORY, name)
        lowered = name.lower()
        if _is_secret_name(lowered) or (lowered.startswith("config") and path.lower().endswith(_SECRET_PATHS)):
            return Skip(path, SkipReason.SECRET, name)
        suffix = lowered.rpartition(".")[2]
        if suffix in _BINARY_SUFFIXES and suffix != lowered:
            return Skip(path, SkipReason.BINARY, f".{suffix}")
        return self._judge_traits(path, declared.over(path_traits(path))) or self._judge_size(path, size)

    def judge_content(self, path: str, data: bytes, declared: Declared = NOTHING_DECLARED) -> Skip | None:
        """Return why the bytes of a file are not admitted, or None."""
        too_large = self._judge_size(path, len(data))
        if too_large is not None:
            return too_large
        if is_private_key(data):
            return Skip(path, SkipReason.SECRET, "a private key")
        if b"\0" in data and not data.startswith(_BYTE_ORDER_MARKS) and unmarked_utf16(data) is None:
            return Skip(path, SkipReason.BINARY, "a NUL byte")
        return self._judge_traits(path, declared.over(traits_of(path, data)))

    def _judge_traits(self, path: str, traits: frozenset[Trait]) -> Skip | None:
        skipped = next((trait for trait in Trait if trait in traits & self.skip_traits), None)
        return None if skipped is None else Skip(path, SkipReason(skipped.value))

    def _judge_size(self, path: str, size: int) -> Skip | None:
        if size <= self.max_file_bytes:
            return None
        # The size is left out on purpose: a reader stops at the limit and does not know it.
        return Skip(path, SkipReason.TOO_LARGE, f"the limit is {self.max_file_bytes:,} bytes")


def is_private_key(data: bytes) -> bool:
    """Return whether a file is a private key: it begins as one, or as what key tools write before one.

    A source file that merely mentions a key block further down is not one.
    """
    # Without its NUL bytes UTF-16 text of ASCII letters reads as ASCII.
    head = data[:_KEY_SEARCH_BYTES].replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    if head.startswith(b"PuTTY-User-Key-File-"):
        return True
    return head.startswith((b"-----BEGIN ", b"Bag Attributes")) and _PRIVATE_KEY.search(head) is not None


def _is_secret_name(name: str) -> bool:
    if name.endswith(_EXAMPLE_SUFFIXES) or name in _EXAMPLE_NAMES:
        return False
    stem, dot, suffix = name.rpartition(".")
    return (
        name in _SECRET_NAMES
        or bool(stem and dot and suffix in _SECRET_SUFFIXES)
        or _SECRET_PATTERN.fullmatch(name) is not None
    )
