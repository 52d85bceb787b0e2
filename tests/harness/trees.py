"""Make source trees to ingest."""

from __future__ import annotations

from pathlib import Path


def function(name: str, lines: int = 12) -> str:
    """Return a Python function of so many statements, unlike any other by its name."""
    body = "\n".join(
        f"    {name}_{number} = {number} * len('{name}')  # step {number} of {name}" for number in range(lines)
    )
    return f"def {name}(argument):\n    '''Do what {name} does.'''\n{body}\n    return argument\n"


def module(name: str, functions: int) -> str:
    """Return a Python module of several functions."""
    return f'"""The module {name}."""\n\nimport os\n\n\n' + "\n\n".join(
        function(f"{name}_function_{number}") for number in range(functions)
    )


def write_tree(root: Path, files: int, functions: int = 6) -> None:
    """Write modules, a document, some data and an empty file."""
    (root / "package").mkdir(parents=True)
    for number in range(files):
        (root / "package" / f"module_{number}.py").write_text(module(f"module_{number}", functions))
    (root / "package" / "__init__.py").write_text("")
    (root / "README.md").write_text("# A tree\n\nIt has modules.\n\n## Use\n\nImport them.\n")
    (root / "data.json").write_text('{"name": "tree", "numbers": [1, 2, 3]}\n')
    (root / "notes.txt").write_text("Plain words\r\nwith another line end.\n")
