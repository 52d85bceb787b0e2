"""Idioms of each language have the facts that a reader of it would name: names used, imports, heads and first lines."""

from __future__ import annotations

from uuid import UUID

import pytest

from pipeline.chunk import ChunkBudget, chunk
from pipeline.parse.facts import MAX_IMPORTS
from pipeline.parse.parser import parse
from pipeline.types import ChunkSet, DocumentRef


def cut(source: str, language: str) -> ChunkSet:
    text = source.encode()
    return chunk(DocumentRef(UUID(int=1), "a", language, 1, b"r"), text, parse(text, language), ChunkBudget())


def references(source: str, language: str) -> list[str]:
    return [name for piece in cut(source, language).chunks if piece.facts for name in piece.facts.references]


def head(source: str, language: str) -> tuple[int, str, tuple[str, ...], str]:
    """Return complexity, returned type, parameters and doc of a source's first function."""
    text = source.encode()
    outline = parse(text, language)
    assert outline.facts is not None
    at = min(i for i in outline.facts.definitions if outline.facts.definitions[i].complexity)
    found = outline.facts.definitions[at]

    def words(*spans: tuple[int, int] | None) -> list[str]:
        return [text[each[0] : each[1]].decode() for each in spans if each is not None]

    return found.complexity, "".join(words(found.returns)), tuple(words(*found.parameters)), "".join(words(found.doc))


@pytest.mark.parametrize(
    ("language", "source", "names"),
    [
        ("typescript", "this.props.onChange?.(1); fn?.();", ["onChange", "fn"]),
        ("javascript", "run(a) || b != c(d);", ["run", "c"]),
        ("ruby", "empty? ? save! : go(a() != b())", ["empty?", "save!", "go", "a", "b"]),
        ("rust", 'fn f() { println!("x"); a()? != b(); }', ["println!", "a", "b"]),
        ("bash", "apt-get install\n./run.sh\n: && ns::go", ["apt-get", "./run.sh", "ns::go"]),
        ("csharp", "provider.Get<IBar>(); Make<int>(3);", ["Get", "IBar", "Make"]),
        ("csharp", "services.AddScoped<IFoo, Foo>();", ["AddScoped", "IFoo", "Foo"]),
        ("csharp", "new List<int>(); new My.Thing(); new My.Set<Key>();", ["List", "Thing", "Set", "Key"]),
        ("csharp", "Changed?.Invoke(); a?.b.Go();", ["Invoke", "Go"]),
        ("csharp", "class A : Repository<User>, My.Base { }", ["Repository", "User", "Base"]),
        ("cpp", "void f() { std::make_unique<Foo>(1); a::b::go(); x.get<int>(); }", ["make_unique", "go", "get"]),
        ("cpp", "void f() { new ns::Foo(); new Bar<int>(); }", ["Foo", "Bar"]),
        ("tsx", "<div><Child.Item a={1}/><Foo><b/></Foo></div>;", ["Child", "Item", "Foo"]),
        ("go", "package a\nfunc f() { New[int](); m.Sort[K](a, b) }", ["New", "Sort"]),
        ("rust", "fn f() { log::info!(1); }\nimpl Into<T> for B {}\nimpl a::Go for B {}", ["info!", "Into", "Go"]),
        ("java", "class A { Object f() { return new List<>(new b.C(), D::e, F::new); } }", ["List", "C", "e", "F"]),
        ("php", "<?php $a?->stop(); Foo::make(); \\A\\Bar::go();", ["stop", "Foo", "make", "Bar", "go"]),
        ("php", "<?php class A { use B, \\C\\D; }", ["B", "D"]),
        ("ruby", "include Some::Where\nA::B.new", ["include", "Where", "B", "new"]),
        ("javascript", "<div><Child.Item a={1}/><Foo><b/></Foo></div>;", ["Child", "Item", "Foo"]),
    ],
)
def test_names_that_are_used_are_references(language: str, source: str, names: list[str]) -> None:
    assert references(source, language) == names


@pytest.mark.parametrize(
    ("language", "source", "bases"),
    [
        ("python", "class A(Base, b.Other, metaclass=M): pass", ["Base", "Other"]),
        ("python", "class A(Generic[T], b.Base[int]): pass", ["Generic", "Base"]),
        ("javascript", "class A extends React.Component {}\nclass B extends Base {}", ["Component", "Base"]),
        ("typescript", "class A extends Base<T> implements I, J<K> {}", ["Base", "I", "J"]),
        ("typescript", "interface A extends Base, Other<T> {}", ["Base", "Other"]),
        ("java", "class A extends Base<T> implements I<T>, b.J, K {}", ["Base", "I", "J", "K"]),
        ("php", "<?php class A extends Base implements \\B\\I {}", ["Base", "I"]),
        ("ruby", "class A < Base\nend\nclass B < C::Other\nend", ["Base", "Other"]),
        ("cpp", "class A : public Base, ns::Other<T>, More<U> {};", ["Base", "Other", "More"]),
    ],
)
def test_what_a_class_is_derived_from_is_a_reference(language: str, source: str, bases: list[str]) -> None:
    assert references(source, language) == bases


@pytest.mark.parametrize(
    ("language", "source", "modules"),
    [
        ("python", "from . import views, models as m\nfrom .a import b\n", [".views", ".models", ".a"]),
        ("python", "from .. import (  # a, b\n    x,  # y\n    z,\n)\n", ["..x", "..z"]),
        ("python", "from . import *\nfrom a.b import c\n", [".", "a.b"]),
        ("javascript", 'lazy(() => import("./Page")); import(name);', ["./Page"]),
        ("typescript", "import fs = require('fs');", ["fs"]),
        ("php", "<?php use Foo\\{Baz, Qux as Q};", ["Foo\\Baz", "Foo\\Qux"]),
        ("php", "<?php use function A\\B\\{a, /* x, y */ b};\nuse C\\D as E, F;", ["A\\B\\a", "A\\B\\b", "C\\D", "F"]),
        ("php", "<?php use Foo\\{function a, const B,};", ["Foo\\a", "Foo\\B"]),
        ("php", "<?php require_once __DIR__ . '/x.php'; include('y.php'); require $x;", ["/x.php", "y.php"]),
        ("php", '<?php include_once (dirname(__DIR__) . "/a b.php");', ["/a b.php"]),
        ("ruby", "autoload :Foo, 'foo'\nautoload(:Bar, \"bar\")\nset :a, 'b'\n", ["foo", "bar"]),
        ("bash", 'source "lib/common.sh"\n. \'b.sh\'\nsource "$DIR/c.sh"\n', ["lib/common.sh", "b.sh", "$DIR/c.sh"]),
        ("rust", "use crate::foo::Bar as Baz;\nuse a::{b, c};\nuse d::*;\n", ["crate::foo::Bar", "a::{b, c}", "d::*"]),
    ],
)
def test_modules_that_are_imported_are_known(language: str, source: str, modules: list[str]) -> None:
    assert list(cut(source, language).imports) == modules


def test_modules_of_one_statement_are_bounded_too() -> None:
    names = ", ".join(f"module_{i}" for i in range(1_000))
    assert len(cut(f"from . import {names}\n", "python").imports) == MAX_IMPORTS


@pytest.mark.parametrize(
    ("language", "source", "returned"),
    [
        ("cpp", "Foo* Foo::instance() { return x; }", "Foo*"),
        ("c", "static char **\nsplit(void) { return x; }", "char **"),
        ("c", "static const char * const name(void) { return x; }", "const char * const"),
        ("c", "struct node const *next(void) { return x; }", "struct node const *"),
        ("cpp", "inline const std::string& name() { return x; }", "const std::string&"),
        ("cpp", "Thing&& take() { return x; }", "Thing&&"),
        ("cpp", "auto area() -> double { return 1; }", "double"),
        ("cpp", "auto area() -> const Foo& { return x; }", "const Foo&"),
        ("cpp", "int constant() { return 1; }", "int"),
    ],
)
def test_a_returned_type_is_whole(language: str, source: str, returned: str) -> None:
    assert head(source, language)[1] == returned


@pytest.mark.parametrize(
    ("language", "source", "names"),
    [
        ("cpp", 'void f(const std::string& s = "x", QWidget* p = nullptr, int n = 1) {}', ("s", "p", "n")),
        ("cpp", "void f(Args&&... args, int (&all)[3], int (K::*go)(int), bool) {}", ("args", "all", "go")),
        ("c", "char **f(int (*cb)(void *), char *const argv[], int a[2][3], ...) { }", ("cb", "argv", "a")),
        ("c", "int f(int (*)(int), void *, const char *restrict s) { }", ("s",)),
        ("csharp", "class A { void F(int a, params string[] rest) { } }", ("a", "rest")),
    ],
)
def test_every_parameter_that_has_a_name_is_known(language: str, source: str, names: tuple[str, ...]) -> None:
    assert head(source, language)[2] == names


def test_a_method_of_an_interface_of_go_has_its_head() -> None:
    source = "package a\n\ntype R interface {\n\tRead(p []byte, n int) (int, error)\n}\n"
    assert head(source, "go") == (1, "(int, error)", ("p", "n"), "")


def test_a_destructor_of_csharp_counts_its_own_branches() -> None:
    assert head("class A { ~A() { if (a) { go(); } } }", "csharp")[0] == 2


def test_a_compact_constructor_of_java_counts_its_own_branches() -> None:
    assert head("record P(int a) {\n  P { if (a > 0 && a < 9) { go(); } }\n}\n", "java")[0] == 3


@pytest.mark.parametrize(
    ("language", "source"),
    [
        *((name, "int f(int x) { SWITCH }") for name in ("c", "cpp")),
        *((name, "class A { int f(int x) { SWITCH } }") for name in ("java", "csharp")),
        *((name, "function f(x) { SWITCH }") for name in ("javascript", "typescript")),
        ("php", "<?php function f($x) { SWITCH }"),
        ("go", "package a\nfunc f(x int) int { SWITCH }"),
    ],
)
def test_each_case_is_a_branch_and_the_default_is_none(language: str, source: str) -> None:
    switch = "switch (x) { case 1: return 1; case 2: return 3; default: return 2; }"
    assert head(source.replace("SWITCH", switch), language)[0] == 3


def test_a_lambda_of_cpp_that_is_bound_to_a_name_is_a_function() -> None:
    named = "auto handler = [](Request& req, int n) -> bool { if (n) { return go(); } return n && req; };"
    assert head(named, "cpp")[:3] == (3, "bool", ("req", "n"))
    among = "void f(int a) { run([&](int b) { if (b) { } }); }"
    assert head(among, "cpp")[:3] == (2, "void", ("a",))


@pytest.mark.parametrize(
    ("language", "source", "doc"),
    [
        ("go", "package a\n\n//go:noinline\n//nolint:funlen\nfunc f() {}\n", ""),
        ("go", "package a\n\n//nolint:funlen\n// f is short.\nfunc f() {}\n", "f is short."),
        ("java", "class A {\n  /** Goes. */\n  // CHECKSTYLE:OFF\n  int f() { return 1; }\n}\n", "Goes."),
        ("csharp", "class A {\n  /// <inheritdoc />\n  int F() { return 1; }\n}\n", ""),
        ("csharp", "class A {\n  /// <inheritdoc cref='B.F'/>\n  int F() { return 1; }\n}\n", ""),
        ("javascript", "/* istanbul ignore next */\nfunction f() {}\n", ""),
        ("typescript", "// Runs.\n// eslint-disable-next-line max-len\nfunction f() {}\n", "Runs."),
        ("rust", "/// \n#[inline]\nfn f() {}\n", ""),
    ],
)
def test_what_is_said_to_a_tool_documents_nothing(language: str, source: str, doc: str) -> None:
    assert head(source, language)[3] == doc
