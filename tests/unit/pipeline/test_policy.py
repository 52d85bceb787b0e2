from dataclasses import replace

import pytest

from pipeline.policy import SKIPPED_TRAITS, Policy, Skip, SkipReason, is_private_key
from pipeline.traits import Trait

POLICY = Policy(max_file_bytes=100)

KEY = b"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n"


def reason(skip: Skip | None) -> SkipReason | None:
    return None if skip is None else skip.reason


@pytest.mark.parametrize(
    "path",
    [
        ".env", "app/.env", ".ENV", ".env.local", ".env.production", "prod.env", ".envrc", "id_rsa", "keys/ID_ED25519",
        "server.pem", "server.KEY", "a.p12", "a.pfx", "a.jks", "a.keystore", "a.ppk", "a.p8", "a.kdbx", "credentials",
        ".aws/credentials", ".aws/config", "x/.kube/config", ".docker/config.json", ".netrc", "_netrc", ".npmrc",
        ".pypirc", ".pgpass", ".htpasswd", ".git-credentials", "terraform.tfstate", "terraform.tfstate.backup",
        "prod.tfvars", "kubeconfig", "dev.kubeconfig", "service-account.json", "my-service_account-prod.json",
        "client_secret_123.apps.json", "application_default_credentials.json", "config/secrets.yml", ".bash_history",
    ],
)  # fmt: skip
def test_a_secret_looking_name_is_refused_before_anything_is_read(path: str) -> None:
    assert reason(POLICY.judge_file(path, 1)) is SkipReason.SECRET


@pytest.mark.parametrize(
    "path",
    [
        ".env.example", ".env.sample", ".env.template", "example.env", "terraform.tfvars.example", "id_rsa.pub", "env",
        "environment.py", "key.py", "credentials.py", "keys.md", "config", "src/config.json", "monkey", ".gitignore",
        "secrets.py", "kubeconfig.md", "history", "tfstate", ".dockerignore", "pem",
    ],
)  # fmt: skip
def test_a_name_that_only_resembles_a_secret_is_admitted(path: str) -> None:
    assert POLICY.judge_file(path, 1) is None


@pytest.mark.parametrize("path", ["logo.png", "LOGO.PNG", "a/b.tar.gz", "m.pyc", "lib.so", "x.pdf", "data.sqlite3"])
def test_a_binary_extension_is_refused(path: str) -> None:
    skip = POLICY.judge_file(path, 1)
    assert skip is not None
    assert skip.reason is SkipReason.BINARY
    assert skip.detail == f".{path.lower().rpartition('.')[2]}"


@pytest.mark.parametrize("path", ["a.ts", "a.svg", "Makefile", "zip", "so", "a.py", "a", "dist/a.js", "a.gz.txt"])
def test_text_and_names_without_an_extension_are_admitted(path: str) -> None:
    assert POLICY.judge_file(path, 1) is None


@pytest.mark.parametrize("name", [".git", ".hg", ".svn", "node_modules", "__pycache__", ".venv", ".mobius", ".tox"])
def test_a_tools_directory_is_excluded_wherever_it_lies(name: str) -> None:
    assert POLICY.judge_directory(f"a/b/{name}") == Skip(f"a/b/{name}/", SkipReason.EXCLUDED_DIRECTORY, name)


def test_the_dot_git_file_of_a_worktree_is_excluded() -> None:
    assert reason(POLICY.judge_file("sub/.git", 40)) is SkipReason.EXCLUDED_DIRECTORY


@pytest.mark.parametrize("name", ["build", "dist", "vendor", "target", "src", ".github", ".vscode", "git"])
def test_directories_that_gitignore_decides_about_are_admitted(name: str) -> None:
    assert POLICY.judge_directory(name) is None


@pytest.mark.parametrize("name", [".ssh", ".gnupg"])
def test_a_directory_of_keys_is_refused_as_a_secret(name: str) -> None:
    assert reason(POLICY.judge_directory(name)) is SkipReason.SECRET


def test_a_file_of_exactly_the_limit_is_admitted_and_one_byte_more_is_not() -> None:
    assert POLICY.judge_file("a.py", 100) is None
    assert POLICY.judge_content("a.py", b"x" * 100) is None
    assert reason(POLICY.judge_file("a.py", 101)) is SkipReason.TOO_LARGE
    assert reason(POLICY.judge_content("a.py", b"x" * 101)) is SkipReason.TOO_LARGE


def test_an_empty_file_is_admitted() -> None:
    assert POLICY.judge_file("empty.py", 0) is None
    assert POLICY.judge_content("empty.py", b"") is None


def test_a_nul_byte_makes_a_file_binary_wherever_it_stands() -> None:
    assert reason(POLICY.judge_content("a", b"text\0")) is SkipReason.BINARY


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig", "latin-1"])
def test_text_in_another_encoding_is_not_binary(encoding: str) -> None:
    assert POLICY.judge_content("a", "naïve\n".encode(encoding)) is None


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_not_binary(encoding: str) -> None:
    assert POLICY.judge_content("a", "naïve text\n".encode(encoding)) is None


@pytest.mark.parametrize(
    ("path", "reason_then"),
    [
        ("web/package-lock.json", SkipReason.LOCK),
        ("web/a.min.js", SkipReason.MINIFIED),
        ("vendor/a.go", SkipReason.VENDORED),
        ("a_pb2.py", SkipReason.GENERATED),
        ("tests/test_a.py", SkipReason.TEST),
    ],
)
def test_what_settings_skip_by_its_name_is_refused_before_it_is_read(path: str, reason_then: SkipReason) -> None:
    everything, nothing = (replace(POLICY, skip_traits=frozenset(traits)) for traits in (Trait, ()))
    assert reason(everything.judge_file(path, 1_000)) is reason_then
    assert nothing.judge_file(path, 100) is None
    assert nothing.judge_content(path, b"x") is None
    assert (POLICY.judge_file(path, 1) is None) == (Trait(reason_then.value) not in SKIPPED_TRAITS)


def test_minified_and_lock_files_are_skipped_by_default_and_nothing_else() -> None:
    assert Policy().skip_traits == SKIPPED_TRAITS == {Trait.MINIFIED, Trait.LOCK}


def test_what_settings_skip_by_its_content_is_refused_once_it_is_read() -> None:
    policy = Policy(skip_traits=frozenset({Trait.GENERATED, Trait.MINIFIED}))
    assert policy.judge_file("a.js", 5_000) is None
    assert reason(policy.judge_content("a.js", b"f(a,b,c);" * 500)) is SkipReason.MINIFIED
    assert reason(policy.judge_content("a.js", b"// @generated\n")) is SkipReason.GENERATED
    assert policy.judge_content("a.js", b"// by hand\n") is None


def test_a_secret_among_skipped_files_is_told_as_a_secret() -> None:
    assert reason(Policy(skip_traits=frozenset(Trait)).judge_file("tests/.env", 1)) is SkipReason.SECRET


def test_a_file_of_ten_megabytes_is_admitted_when_the_limit_is_raised() -> None:
    data = b"x = 1\n" * (10 * 1024 * 1024 // 6)
    assert reason(Policy().judge_content("a.py", data)) is SkipReason.TOO_LARGE
    assert Policy(max_file_bytes=len(data)).judge_content("a.py", data) is None


@pytest.mark.parametrize("trait", list(Trait))
def test_every_trait_has_its_reason(trait: Trait) -> None:
    assert "MOBIUS_SKIP_TRAITS" in SkipReason(trait.value).explanation


def test_big_endian_utf_32_with_its_mark_is_not_binary() -> None:
    assert POLICY.judge_content("a", b"\x00\x00\xfe\xff" + "hi".encode("utf-32-be")) is None


@pytest.mark.parametrize(
    "data",
    [
        KEY,
        b"-----BEGIN PRIVATE KEY-----\n",
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n",
        b"-----BEGIN OPENSSH PRIVATE KEY-----\n",
        b"-----BEGIN PGP PRIVATE KEY BLOCK-----\n",
        b"\n  " + KEY,
        b"\xef\xbb\xbf" + KEY,
        KEY.decode().encode("utf-16"),
        b"-----BEGIN EC PARAMETERS-----\nBg==\n-----END EC PARAMETERS-----\n-----BEGIN EC PRIVATE KEY-----\n",
        b"-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n" + KEY,
        b"Bag Attributes\n    friendlyName: x\n" + KEY,
        b"PuTTY-User-Key-File-3: ssh-ed25519\n",
    ],
)
def test_a_private_key_is_a_secret_whatever_it_is_called(data: bytes) -> None:
    assert is_private_key(data)
    assert reason(Policy().judge_content("notes.txt", data)) is SkipReason.SECRET


@pytest.mark.parametrize(
    "data",
    [
        b"-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n",
        b"-----BEGIN PUBLIC KEY-----\n",
        b'MARK = "-----BEGIN RSA PRIVATE KEY-----"\n',
        b"# Keys\n\nA key begins like this:\n\n-----BEGIN RSA PRIVATE KEY-----\n",
        b"",
    ],
)
def test_what_only_mentions_a_private_key_is_no_secret(data: bytes) -> None:
    assert not is_private_key(data)


@pytest.mark.parametrize("given", list(SkipReason))
def test_every_reason_tells_a_user_in_one_sentence_what_to_do(given: SkipReason) -> None:
    assert given.explanation.endswith(".")
    assert given.explanation.count(". ") == 0
    assert Skip("a", given, "why").message == f"{given.explanation} (why)"
    assert Skip("a", given).message == given.explanation
