"""What a definition is called in idiomatic code: as those who use it call it."""

from __future__ import annotations

from itertools import pairwise
from time import thread_time
from uuid import UUID

import pytest

from pipeline.chunk import ChunkBudget, chunk
from pipeline.parse.languages import language_of
from pipeline.parse.parser import parse
from pipeline.parse.syntax import _readable
from pipeline.parse.walk import LEAF_BYTES
from pipeline.types import DocumentRef

DOCUMENT = DocumentRef(UUID(int=1), "a", "a", 1, b"r")


def named(source: str, language: str) -> list[tuple[str, str]]:
    """Return kind and name of every definition."""
    return [(node.kind, node.name) for node in parse(source.encode(), language).nodes if node.name]


# --- macros of C++ that are no names


@pytest.mark.parametrize(
    ("head", "name"),
    [
        ("class MY_EXPORT Widget : public QWidget", "Widget"),
        ("class MY_EXPORT Widget", "Widget"),
        ("class MY_EXPORT\n    Widget final\n    : public QWidget", "Widget"),
        ("struct API(1) Widget", "Widget"),
        ("struct API NO_COPY Widget", "Widget"),
        ("class _LIB_VISIBLE Outer::Widget : A", "Outer::Widget"),
        ("template <class T> class API Widget : public Base<T>", "Widget"),
        ("template <> struct API Widget<int>", "Widget<int>"),
        ("class API WIDGET : public BASE", "WIDGET"),
    ],
)
def test_a_class_is_not_called_by_a_macro_before_its_name_nor_by_its_base(head: str, name: str) -> None:
    source = f"{head} {{\n public:\n  void show() override {{ if (a) b(); }}\n}};\n"
    outline = parse(source.encode(), "cpp")
    assert named(source, "cpp") == [("class", name), ("method", "show")]
    assert outline.nodes[0].signature == " ".join(head.split())
    assert not outline.has_error


@pytest.mark.parametrize(
    "text",
    [
        "class HTTP : public X {",
        "class HTTP final : public X {",
        "class HTTP {",
        "class HTTPServer : X {",
        "class FOO Bar;",
        "struct FOO bar{1, 2};",
        "struct FOO bar { a };",
        "struct FOO make() {",
        "struct FOO Bar::make() {",
        "struct FOO *make() {",
        "for (struct FOO each : all) {",
        "template <class KEY, class VALUE> class MAP {",
        "subclass FOO bar {",
    ],
)
def test_what_only_looks_like_a_macro_is_read(text: str) -> None:
    assert _readable(text.encode(), language_of("cpp")) == text.encode()


@pytest.mark.parametrize(
    "piece", ["class AA b", "class AA ", "class A(", "struct AA b<", "class AA b" + " " * 90, "class"]
)
def test_macros_are_not_looked_for_far_away(piece: str) -> None:
    start = thread_time()
    _readable(piece.encode() * (1_000_000 // len(piece)), language_of("cpp"))
    assert thread_time() - start < 2.0


# --- other names of C and C++


@pytest.mark.parametrize(
    ("member", "name"),
    [
        ("explicit operator bool() const { return p; }", "operator bool"),
        ("operator char*() const { return p; }", "operator char*"),
        ("template <class T> operator std::function<T(int)>() { return p; }", "operator std::function<T(int)>"),
        ("friend bool operator==(const A& a, const A& b) { return a.p == b.p; }", "operator=="),
        ("friend std::ostream& operator<<(std::ostream& out, const A& a);", "operator<<"),
        ("A(int) {}", "A"),
        ("~A() {}", "~A"),
    ],
)
def test_members_of_cpp_are_named(member: str, name: str) -> None:
    assert named(f"class A {{\n  {member}\n}};\n", "cpp") == [("class", "A"), ("method", name)]


@pytest.mark.parametrize(
    ("head", "name"),
    [
        ("TEST(ParserTest, ParsesEmpty)", "ParserTest.ParsesEmpty"),
        ("TEST_F(ParserTest, ParsesEmpty)", "ParserTest.ParsesEmpty"),
        ("BENCHMARK_F(Store, Get)(benchmark::State& state)", "Store.Get"),
        ("BOOST_AUTO_TEST_CASE(parses_empty)", "parses_empty"),
        ("A::operator bool() const", "A::operator bool"),
        ("int MAIN(A, B)", "MAIN"),
        ("URL::URL(A, B)", "URL::URL"),
        ("URL(A)", "URL"),
        ("URL(int a, int b)", "URL"),
        ("MY_URL()", "MY_URL"),
    ],
)
def test_a_function_that_a_macro_makes_is_named_by_its_arguments(head: str, name: str) -> None:
    assert named(f"{head} {{ run(); }}\n", "cpp") == [("function", name)]


@pytest.mark.parametrize("language", ["c", "cpp"])
def test_a_type_is_called_by_its_typedef_and_its_tag_is_in_the_signature(language: str) -> None:
    source = "typedef struct node { struct node *next; } node_t;\ntypedef enum { RED } color;\n"
    assert named(source, language) == [("class", "node_t"), ("enum", "color")]
    assert parse(source.encode(), language).nodes[0].signature == "typedef struct node"


# --- functions that calls wrap


@pytest.mark.parametrize(
    ("source", "definition"),
    [
        ("const A = forwardRef((props, ref) => 1);", ("function", "A")),
        ("export const A = React.memo(function Inner(props) { return 1; });", ("function", "A")),
        ("export const A = memo(forwardRef((props, ref) => 1), same);", ("function", "A")),
        ("export const a = create()(persist((set) => ({ b: 1 }), { name: 'c' }));", ("function", "a")),
        ("const A = lazy(() => import('./a'));", ("function", "A")),
        ("export default observer(function App() { return 1; });", ("function", "App")),
        ("export default observer(() => 1);", ("function", "default")),
        ("const a = createThunk('load', async (id) => { return id; });", ("function", "a")),
        ("const A = connect(b)(class extends Component {});", ("class", "A")),
        ("const a = (function () { return 1; })();", ("function", "a")),
        ("exports.a = wrap(async (b) => b);", ("function", "exports.a")),
        ("const A = class Named {};", ("class", "A")),
        ("exports.save = function doSave() {};", ("function", "exports.save")),
        ("module.exports = class Store {};", ("class", "Store")),
        ("exports = module.exports = function make() {};", ("function", "make")),
        ("module.exports = function () {};", ("function", "module.exports")),
    ],
)
@pytest.mark.parametrize("language", ["javascript", "typescript", "tsx"])
def test_a_function_in_a_call_is_called_as_its_result(source: str, definition: tuple[str, str], language: str) -> None:
    assert named(source, language) == [definition]


@pytest.mark.parametrize(
    "source",
    [
        "const x = foo(bar, () => 1);",
        "const x = list.map((a) => { return a; });",
        "const x = load().then(function done() {});",
        "const { x } = render(() => 1);",
        "const [x] = useState(() => 1);",
        "timer = setTimeout(() => { run(); });",
        "test('x', function run() {});",
        "foo(() => 1);",
        "const x = foo();",
        "const x = foo`a`;",
        "export default connect(a)(b);",
    ],
)
@pytest.mark.parametrize("language", ["javascript", "tsx"])
def test_a_function_that_a_call_only_uses_has_no_name(source: str, language: str) -> None:
    assert named(source, language) == []


@pytest.mark.parametrize(
    "source",
    ["const a = ((b) => b) as Fn;", "const a = ((b) => b)!;", "export const a = (async (b) => b) satisfies Fn;"],
)
def test_a_function_is_one_whatever_is_said_of_its_type(source: str) -> None:
    assert named(source, "typescript") == [("function", "a")]


def test_a_wrapped_function_has_its_own_facts_and_comment() -> None:
    source = "/** A button. */\nexport const Button = forwardRef<B, P>(({ name }, ref) => { if (name) go(); });\n"
    facts = parse(source.encode(), "tsx").facts
    assert facts is not None
    (about,) = facts.definitions.values()
    assert (about.complexity, len(about.parameters), about.doc is not None) == (2, 2, True)


@pytest.mark.parametrize(("lines", "is_whole"), [(30, True), (200, False)])
def test_a_wrapped_function_is_whole_where_it_fits_and_cut_at_its_statements_where_not(
    lines: int, is_whole: bool
) -> None:
    line = "  if (props.name) { go(props.name); }\n"
    assert lines * len(line) > LEAF_BYTES
    text = f"export const A = memo(forwardRef((props, ref) => {{\n{line * lines}}}), same);\n".encode()
    chunks = chunk(DOCUMENT, text, parse(text, "tsx"), ChunkBudget(1600, 1400)).chunks
    assert b"".join(text[each.start : each.end] for each in chunks) == text
    assert all(before.end == after.start for before, after in pairwise(chunks))
    assert {each.name for each in chunks} == {"A"}
    assert (len(chunks) == 1) == is_whole
    assert all(text[: each.start].endswith(b"\n") for each in chunks[1:])


# --- Rust, C#, Go, Ruby


@pytest.mark.parametrize(
    ("implemented", "name"),
    [
        ("[T]", "[T]"),
        ("[T; N]", "[T; N]"),
        ("&'a [T]", "[T]"),
        ("&mut Vec<T>", "Vec"),
        ("&'a mut T", "T"),
        ("<A as B>::C", "<A as B>::C"),
        ("(A, B)", "(A, B)"),
        ("crate::Store<K, V>", "crate::Store"),
    ],
)
def test_what_a_trait_is_implemented_for_names_the_implementation(implemented: str, name: str) -> None:
    source = f"impl<'a, T> Ext for {implemented} {{\n    fn chunks_of(&self) {{}}\n}}\n"
    assert named(source, "rust") == [("class", name), ("method", "chunks_of")]


@pytest.mark.parametrize(
    ("member", "definition"),
    [
        ("public static A operator +(A a, A b) => a;", ("method", "operator +")),
        ("public static explicit operator List<A>(A a) { return null; }", ("method", "operator List<A>")),
        ("public int this[int i] { get { return 1; } }", ("property", "this[]")),
        ("public event Handler Changed { add { } remove { } }", ("property", "Changed")),
        ("~A() { }", ("method", "~A")),
        ("A() { }", ("method", "A")),
    ],
)
def test_members_of_csharp_are_named(member: str, definition: tuple[str, str]) -> None:
    assert named(f"class A {{\n  {member}\n}}\n", "csharp") == [("class", "A"), definition]


def test_a_function_at_the_top_of_a_csharp_program_is_named_and_its_branches_are_its_own() -> None:
    body = "  if (a > 0) { Run(a); }\n" * 40
    source = f"Run(1);\nstatic int Helper(int a) {{\n{body}  return a;\n}}\n"
    outline = parse(source.encode(), "csharp")
    assert named(source, "csharp") == [("function", "Helper")]
    assert "inner" not in {node.kind for node in outline.nodes}, "it is all of the statement"
    assert outline.facts is not None
    assert [each.complexity for each in outline.facts.definitions.values()] == [41]


def test_the_branches_of_an_operator_are_its_own() -> None:
    source = "class A { public static A operator +(A a, A b) { return a == null ? b : a; } }\n"
    facts = parse(source.encode(), "csharp").facts
    assert facts is not None
    assert [(each.complexity, len(each.parameters)) for each in facts.definitions.values()] == [(2, 2)]


def test_a_function_that_is_a_variable_of_go_has_its_name_and_its_facts() -> None:
    source = (
        "var Handle = func(a, b int) error { if a > b { return f() }; return nil }\nvar x, y = f(), g()\nvar z = 1\n"
    )
    facts = parse(f"package p\n\n{source}".encode(), "go").facts
    assert named(f"package p\n\n{source}", "go") == [("function", "Handle")]
    assert facts is not None
    (about,) = facts.definitions.values()
    assert (about.complexity, len(about.parameters), about.returns is not None) == (2, 2, True)


@pytest.mark.parametrize(
    ("source", "definitions"),
    [
        ("Point = Struct.new(:x) do\n  def length = 1\nend\n", [("class", "Point"), ("method", "length")]),
        ("Sub = Class.new(Base) { def go; end }\n", [("class", "Sub"), ("method", "go")]),
        ("Missing = Class.new(StandardError)\n", [("class", "Missing")]),
        ("Pair = Data.define(:a, :b)\n", [("class", "Pair")]),
        ("found = Store.new(1) { |a| a }\n", []),
        ("x = y.map { |a| a }\nz = 1\n", []),
    ],
)
def test_what_ruby_makes_a_class_is_called_by_its_constant(source: str, definitions: list[tuple[str, str]]) -> None:
    assert named(source, "ruby") == definitions
