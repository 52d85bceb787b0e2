from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.corpus import copy_corpus, small_files


def write(root: Path, **files: bytes) -> Path:
    for name, data in files.items():
        path = root / name.replace("__", "/").replace("_py", ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def test_only_what_would_be_ingested_is_copied(tmp_path: Path) -> None:
    source = write(tmp_path / "source", a_py=b"one = 1\n", below__b_py=b"two = 2\n", image=b"\0\1\2", ignored_py=b"x\n")
    (source / ".gitignore").write_text("ignored.py\n")
    corpus = copy_corpus(source, tmp_path / "copy")
    assert corpus.paths == (".gitignore", "a.py", "below/b.py")
    assert corpus.size == sum((tmp_path / "copy" / path).stat().st_size for path in corpus.paths)


def test_edits_change_one_file_in_a_hundred_and_are_undone(tmp_path: Path) -> None:
    corpus = small_files(tmp_path, 250, directories=3)
    texts = {path: (tmp_path / path).read_bytes() for path in corpus.paths}
    before = corpus.edit()
    changed = {path for path in corpus.paths if (tmp_path / path).read_bytes() != texts[path]}
    assert changed == set(before) == set(corpus.edited)
    assert len(changed) == 2
    corpus.restore(before)
    assert {path: (tmp_path / path).read_bytes() for path in corpus.paths} == texts


def test_an_edit_doubles_one_line(tmp_path: Path) -> None:
    corpus = copy_corpus(write(tmp_path / "source", a_py=b"one\ntwo\nthree\n"), tmp_path / "copy")
    corpus.edit()
    assert (corpus.root / "a.py").read_bytes() == b"one\ntwo\ntwo\nthree\n"


def test_small_files_are_all_different(tmp_path: Path) -> None:
    corpus = small_files(tmp_path, 30, directories=4)
    contents = {(tmp_path / path).read_bytes() for path in corpus.paths}
    assert len(contents) == 30
    assert len({path.split("/")[0] for path in corpus.paths}) == 4
    assert all(100 < len(content) < 1000 for content in contents)


def test_a_directory_with_nothing_to_ingest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="nothing in"):
        copy_corpus(write(tmp_path / "source", image=b"\0"), tmp_path / "copy")
