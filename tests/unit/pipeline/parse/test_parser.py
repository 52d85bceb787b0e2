"""One rich sample per language with its golden definitions, and what parsing survives."""

from __future__ import annotations

from textwrap import dedent

import pytest

from pipeline.errors import MalformedDocument, UnsupportedMediaType
from pipeline.parse.definitions import MAX_NAME, MAX_SIGNATURE
from pipeline.parse.parser import OUTLINE_VERSION, parse
from pipeline.parse.walk import LEAF_BYTES, MANY_SIBLINGS, MAX_DEPTH
from pipeline.types import Outline

PYTHON = '''
    """Module."""
    from __future__ import annotations

    import os

    LIMIT = 3  # trailing


    # leading
    @decorate(1)
    # between
    class Store(Base, metaclass=Meta):
        """Doc."""

        size: int = 0

        @property
        def name(self) -> str:  # why
            def local(): ...
            return local()

        async def fetch(
            self,
            key: str,
        ) -> bytes:
            return b""

        class Inner:
            def deep(self): pass

    def free(a, *, b=1): return a

    if os.name == "nt":
        def windows(): ...
'''
JAVASCRIPT = """
    import a from "b";
    // leading
    export class Store extends Base {
      #size = 1;
      static { init(); }
      get(key) { return this.#size; }
      on = (event) => { fire(event); };
      static async *walk() {}
    }
    export default function () {}
    export const load = async (path) => { return path; };
    const one = 1, two = 2;
    let make = function* () {};
    exports.save = function (x) {};
    Store.prototype.clear = () => 1;
    function* numbers() {}
    const table = { open: function () {}, close() {} };
"""
TYPESCRIPT = """
    import x = require("y");
    @Injectable()
    export class Service<T> {
      @Input() value: string;
      constructor(private readonly http: Http) {}
      @Output()
      run(): void {}
      handler = (e: Event): void => {};
    }
    export abstract class Shape { abstract area(): number; }
    export interface Named { name: string; rename(to: string): void }
    type Id = string | number;
    enum Color { Red, Green }
    namespace Geometry { export function area(): number { return 1; } }
    declare module "vendor" { function load(path: string): void; }
    function over(a: string): void;
    const cast = <any>value;
"""
TSX = """
    export const Button = ({ label }: Props) => { return <button>{label}</button>; };
    export default class App extends Component<Props> {
      render() { return <Button label="x" />; }
    }
"""
MARKDOWN = """
    Intro.

    # Guide *now*

    Text.

    ## Install ##

    - one

    ### Linux

    x

    Usage
    -----

    ```py
    # no heading
    ```

    Other
    =====

    #
"""
JSON = '{"name": "x", "scripts": {"test": "y"}, "list": [{"inner": 1}]}'
YAML = """
    # comment
    name: x
    "on":
      push:
        branches: [main]
    jobs:
      - build
    ---
    second: {a: 1}
"""

GOLDEN = {
    "python": (
        PYTHON,
        """
        class Store | class Store(Base, metaclass=Meta)
        .method name | def name(self) -> str
        .method fetch | async def fetch( self, key: str, ) -> bytes
        .class Inner | class Inner
        ..method deep | def deep(self)
        function free | def free(a, *, b=1)
        """,
    ),
    "javascript": (
        JAVASCRIPT,
        """
        class Store | export class Store extends Base
        .method get | get(key)
        .method on | on = (event) =>
        .method walk | static async *walk()
        function default | export default function ()
        function load | export const load = async (path) =>
        function make | let make = function* ()
        function exports.save | exports.save = function (x)
        function Store.prototype.clear | Store.prototype.clear = () =>
        function numbers | function* numbers()
        """,
    ),
    "typescript": (
        TYPESCRIPT,
        """
        class Service | export class Service<T>
        .method constructor | constructor(private readonly http: Http)
        .method run | run(): void
        .method handler | handler = (e: Event): void =>
        class Shape | export abstract class Shape
        .method area | abstract area(): number
        interface Named | export interface Named
        .method rename | rename(to: string): void
        type Id | type Id = string | number;
        enum Color | enum Color
        namespace Geometry | namespace Geometry
        .function area | export function area(): number
        namespace vendor | declare module "vendor"
        .function load | function load(path: string): void;
        function over | function over(a: string): void;
        """,
    ),
    "tsx": (
        TSX,
        """
        function Button | export const Button = ({ label }: Props) =>
        class App | export default class App extends Component<Props>
        .method render | render()
        """,
    ),
    "markdown": (
        MARKDOWN,
        """
        section Guide *now* | # Guide *now*
        .section Install | ## Install
        ..section Linux | ### Linux
        .section Usage | ## Usage
        section Other | # Other
        """,
    ),
    "json": (JSON, "key name | name\nkey scripts | scripts\nkey list | list"),
    "yaml": (YAML, "key name | name\nkey on | on\nkey jobs | jobs\nkey second | second"),
}


def outlined(source: str, language: str) -> Outline:
    return parse(dedent(source).lstrip("\n").encode(), language)


def definitions(outline: Outline) -> list[str]:
    return [f"{'.' * n.depth}{n.kind} {n.name} | {n.signature}" for n in outline.nodes if n.name]


def well_formed(outline: Outline) -> bool:
    """Tell whether nodes are ordered and only ever nest."""
    open_nodes: list[tuple[int, int]] = []
    at = 0
    for node in outline.nodes:
        del open_nodes[node.depth :]
        parent = open_nodes[-1] if open_nodes else (0, outline.length)
        if len(open_nodes) != node.depth or not parent[0] <= node.start < node.end <= parent[1] or node.start < at:
            return False
        open_nodes.append((node.start, node.end))
        at = node.start
    return True


@pytest.mark.parametrize("language", sorted(GOLDEN))
def test_the_sample_has_its_golden_definitions(language: str) -> None:
    source, golden = GOLDEN[language]
    outline = outlined(source, language)
    assert definitions(outline) == dedent(golden).strip().split("\n")
    assert not outline.has_error
    assert outline.version == OUTLINE_VERSION
    assert well_formed(outline)


def test_decorators_are_inside_their_definition() -> None:
    outline = outlined(PYTHON, "python")
    store = next(node for node in outline.nodes if node.name == "Store")
    source = dedent(PYTHON).lstrip("\n")
    assert source[store.start :].startswith("@decorate(1)")


def test_kinds_are_told_apart() -> None:
    kinds = {node.kind for node in outlined(PYTHON, "python").nodes}
    assert kinds == {"import", "comment", "block", "class", "method", "function"}
    assert {"text", "heading", "section", "code", "comment"} == {
        node.kind for node in outlined(MARKDOWN, "markdown").nodes
    }


def test_typescript_and_tsx_have_grammars_of_their_own() -> None:
    assert not parse(b"const x = <any>y;\n", "typescript").has_error
    assert parse(b"const x = <any>y;\n", "tsx").has_error
    assert not parse(b"const x = <b>y</b>;\n", "tsx").has_error


def test_text_has_no_nodes_and_no_error() -> None:
    outline = parse(b"Dear all,\n\nhello.\n", "text")
    assert (outline.nodes, outline.has_error, outline.language) == ((), False, "text")


def test_code_behind_a_body_that_is_wrapped_is_a_node_of_its_own() -> None:
    outline = parse(b"template <typename F>\nstruct result_of\n{ int a; } DEPRECATED(F);\nint b;\n", "cpp")
    assert [(node.kind, node.name, node.depth) for node in outline.nodes] == [
        ("class", "result_of", 0),
        ("block", "", 1),
        ("block", "", 1),
        ("block", "", 0),
    ]
    assert well_formed(outline)


def test_only_a_long_header_has_nodes_of_its_own() -> None:
    body = b"    x = 1\n" * 100
    short, long = b"def f(a, b):  # why\n", b"def f(" + b"a, " * LEAF_BYTES + b"b):\n"
    assert parse(short + body, "python").nodes[1].start > len(short)
    assert parse(long + body, "python").nodes[1].start < len(long)


@pytest.mark.parametrize("language", ["c", "cpp"])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'#ifdef __cplusplus\nextern "C" {\n#endif\n', b"#ifdef __cplusplus\n}\n#endif\n"),
        (b'# if defined(__cplusplus) || defined(c_plusplus)\r\nextern "C"\r\n{\r\n#  endif\r\n', b""),
        (b"", b"#if __cplusplus\n\n}  /* extern */\n#endif /* __cplusplus */\n"),
    ],
)
def test_a_header_for_c_and_cpp_is_outlined(before: bytes, after: bytes, language: str) -> None:
    body = b"int add(int a, int b);\nstruct point { int x; };\n"
    outline = parse(before + body + after, language)
    assert [(node.name, node.start - len(before)) for node in outline.nodes if node.name] == [("add", 0), ("point", 23)]
    assert not outline.has_error


def test_an_unknown_language_is_outlined_as_text() -> None:
    assert parse(b"x", "fortran").language == "text"


@pytest.mark.parametrize("language", sorted(GOLDEN))
def test_an_empty_file_has_an_empty_outline(language: str) -> None:
    outline = parse(b"", language)
    assert (outline.length, outline.nodes, outline.has_error) == (0, (), False)


def test_a_syntax_error_keeps_what_is_around_it() -> None:
    good = "".join(f"def f{i}(a):\n    return a\n\n\n" for i in range(20))
    outline = parse((good + "def broken(:\n    ===\n\n\n" + good).encode(), "python")
    assert outline.has_error
    assert sum(node.name == "f3" for node in outline.nodes) == 2


def test_what_is_not_code_has_no_nodes() -> None:
    outline = parse(b"}}} ((( this is -- not $$ code at all ]] ???\n" * 50, "python")
    assert outline.has_error
    assert outline.nodes == ()


def test_a_huge_table_has_far_fewer_nodes_than_rows() -> None:
    rows = 20 * MANY_SIBLINGS
    outline = parse(b"x = [\n" + b"    1,\n" * rows + b"]\n", "python")
    assert len(outline.nodes) < rows / 5
    assert well_formed(outline)


@pytest.mark.parametrize("language", ["python", "javascript", "typescript", "tsx", "json", "yaml", "markdown", "text"])
def test_deep_nesting_needs_no_recursion(language: str) -> None:
    outline = parse(b"[" * 3_000 + b"]" * 3_000, language)
    assert max((node.depth for node in outline.nodes), default=0) <= MAX_DEPTH
    assert well_formed(outline)


def test_nine_hundred_blocks_inside_each_other_parse() -> None:
    source = "".join(f"{' ' * i}if x:\n" for i in range(900)) + " " * 900 + "pass\n"
    assert well_formed(parse(source.encode(), "python"))


@pytest.mark.parametrize(
    "source",
    ["- " * 1_000 + "x", "? " * 1_000 + "x", "".join(f"{' ' * i}a:\n" for i in range(400))],
)
def test_yaml_that_would_crash_the_grammar_is_not_given_to_it(source: str) -> None:
    outline = parse(source.encode(), "yaml")
    assert outline.has_error
    assert outline.nodes == ()


def test_yaml_with_as_many_blocks_side_by_side_is_parsed() -> None:
    source = "".join(f"k{i}:\n  - a: 1\n    b: x - y\n" for i in range(400))
    assert len(definitions(parse(source.encode(), "yaml"))) == 400


def test_a_hostile_file_is_given_up_on() -> None:
    # Without a bound on its effort the parser takes minutes for this.
    outline = parse(b"|" * 50_000 + b"\n" + b"|-" * 25_000, "python")
    assert outline.has_error
    assert outline.nodes == ()


def test_names_and_signatures_are_bounded_one_line_and_free_of_nul() -> None:
    source = f"def {'f' * 500}(\n  {'a, ' * 500}\n):\n  pass\n"
    node = parse(source.encode(), "python").nodes[0]
    assert len(node.name) == MAX_NAME
    assert len(node.signature) == MAX_SIGNATURE
    heading = parse("\ufeffA\0B\n===\n\ntext\n".encode("utf-16-le"), "markdown").nodes[0]
    assert "\0" not in heading.name + heading.signature
    assert "\n" not in node.signature


def test_offsets_are_those_of_the_utf8_text() -> None:
    source = "\ufeffx = 'ä'\ndef f():\n    pass\n"
    outline = parse(source.encode("utf-16-le"), "python")
    text = source.encode()
    node = next(node for node in outline.nodes if node.name == "f")
    assert (outline.encoding, outline.length) == ("utf-16-le", len(text))
    assert text[node.start : node.end] == b"def f():\n    pass"


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(UnsupportedMediaType):
        parse(b"\x7fELF\0\0", "python")
    with pytest.raises(MalformedDocument):
        parse(b"\xff\xfea", "text")
