"""Python, Ruby, PHP and shell scripts."""

from __future__ import annotations

import re

from pipeline.parse.languages import naming, wrapping
from pipeline.parse.languages.entry import MAX_PARSED_BYTES, Language, Wrapper

_PYTHON = Language(
    name="python",
    module="tree_sitter_python",
    extensions=frozenset({".py", ".pyi", ".pyw"}),
    file_names=frozenset({"SConstruct", "SConscript", "wscript"}),
    interpreters=frozenset({"python", "pypy", "uv"}),
    aliases=frozenset({"python2", "python3", "pycon"}),
    definitions={"function_definition": "function", "class_definition": "class"},
    wrappers={"decorated_definition": Wrapper(inner=("definition",))},
    bodies=frozenset({"block"}),
    decorators=frozenset({"decorator"}),
    imports=frozenset({"import_statement", "import_from_statement", "future_import_statement"}),
    openings=frozenset({"expression_statement"}),
    opaque=frozenset({"string"}),
)

_RUBY = Language(
    name="ruby",
    module="tree_sitter_ruby",
    extensions=frozenset({".rb", ".rake", ".gemspec", ".ru", ".podspec", ".jbuilder", ".thor"}),
    file_names=frozenset(
        {"Rakefile", "Gemfile", "Guardfile", "Podfile", "Vagrantfile", "Capfile", "Brewfile", "Fastfile", "Berksfile"}
    ),
    interpreters=frozenset({"ruby", "jruby", "rake"}),
    definitions={
        "module": "namespace",
        "class": "class",
        "singleton_class": "class",
        "method": "function",
        "singleton_method": "function",
    },
    values=dict.fromkeys(("call", "do_block", "block"), "class"),
    # `private def secret` is a call with a method as its argument, `Point = Struct.new(:x) do` one that makes a class.
    wrappers={
        "call": Wrapper(inner=("arguments",)),
        "argument_list": Wrapper(),
        "assignment": Wrapper(inner=("right",), name="left", through=wrapping.made_class),
    },
    names={"singleton_class": naming.field("value")},
    bodies=frozenset({"body_statement", "do_block", "block_body", "then"}),
    preludes=re.compile(rb"(?:require|require_relative|load|autoload)\b[^\r\n]{0,200}"),
    opaque=frozenset({"string", "heredoc_body", "regex"}),
    # Its trees are twice as large as those of most.
    max_bytes=MAX_PARSED_BYTES // 2,
)

_PHP = Language(
    name="php",
    module="tree_sitter_php",
    entry="language_php",
    extensions=frozenset({".php", ".phtml", ".php5", ".php7", ".php8"}),
    interpreters=frozenset({"php"}),
    definitions={
        "namespace_definition": "namespace",
        "class_declaration": "class",
        "interface_declaration": "interface",
        "trait_declaration": "class",
        "enum_declaration": "enum",
        "function_definition": "function",
        "method_declaration": "method",
    },
    containers=frozenset({"class", "interface", "namespace", "enum"}),
    bodies=frozenset(
        {"declaration_list", "enum_declaration_list", "compound_statement", "colon_block", "switch_block"}
    ),
    decorators=frozenset({"attribute_list"}),
    imports=frozenset({"php_tag", "declare_statement", "namespace_use_declaration"}),
    rests=frozenset({"namespace_definition"}),
    opaque=frozenset({"string", "encapsed_string", "heredoc", "nowdoc", "text", "text_interpolation"}),
    # Its trees are twice as large as those of most.
    max_bytes=MAX_PARSED_BYTES // 2,
)

_BASH = Language(
    name="bash",
    module="tree_sitter_bash",
    extensions=frozenset({".sh", ".bash", ".ksh", ".zsh", ".bats", ".ebuild"}),
    file_names=frozenset({".bashrc", ".bash_profile", ".bash_aliases", ".profile", ".zshrc", "PKGBUILD", "APKBUILD"}),
    interpreters=frozenset({"sh", "bash", "dash", "ash", "ksh", "zsh", "bats"}),
    aliases=frozenset({"shell", "shellscript", "shell-script"}),
    definitions={"function_definition": "function"},
    bodies=frozenset({"compound_statement", "do_group", "subshell"}),
    opaque=frozenset({"string", "raw_string", "heredoc_body"}),
    # Each step of recovering from an error takes memory with the size of the file.
    max_bytes=MAX_PARSED_BYTES // 8,
)

ENTRIES = (_PYTHON, _RUBY, _PHP, _BASH)
