"""From a file's bytes to its outline: text, syntax tree, and the spans that chunking needs of it."""
