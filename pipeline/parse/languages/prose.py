"""Documents for people."""

from __future__ import annotations

from pipeline.parse.languages.entry import MAX_PARSED_BYTES, TEXT, Embedding, Language

_MARKDOWN = Language(
    name="markdown",
    module="tree_sitter_markdown",
    extensions=frozenset({".md", ".markdown", ".mdown", ".mkd", ".mdx"}),
    bodies=frozenset({"section"}),
    comments=frozenset(),
    headings=frozenset({"atx_heading", "setext_heading"}),
    aliases=frozenset({"gfm"}),
    opaque=frozenset({"fenced_code_block", "html_block", "paragraph", "pipe_table"}),
    embedded=(Embedding("(fenced_code_block (info_string) @info (code_fence_content) @code)"),),
    plain_kind=TEXT,
    # Its trees are three times as large as those of the others.
    max_bytes=MAX_PARSED_BYTES // 4,
)

ENTRIES = (_MARKDOWN,)
