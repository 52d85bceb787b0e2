"""One sample of source for each language that has facts, and what is known of a definition in it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Known:
    """A definition's facts in words."""

    complexity: int
    doc: str | None
    parameters: list[str]
    returns: str | None
    decorators: list[str]


@dataclass(frozen=True)
class Sample:
    """A source and what is known of ``name`` in it; ``references`` are among those found."""

    source: str
    name: str
    known: Known
    imports: list[str]
    references: set[str]


SAMPLES = {
    "python": Sample(
        '''\
import os.path as p, sys
from . import near


class K:
    @cache
    @wraps(f)
    async def find(self, a, *rest, b: int = 1, **more) -> list[str]:
        r"""Find

        it."""
        for x in a:
            if x and b:
                return os.walk(x)
''',
        "find",
        Known(
            complexity=4,
            doc="Find",
            parameters=["self", "a", "rest", "b", "more"],
            returns="list[str]",
            decorators=["@cache", "@wraps(f)"],
        ),
        ["os.path", "sys", ".near"],
        {"wraps", "walk"},
    ),
    "javascript": Sample(
        """\
import fs from 'node:fs';
const x = require("./x");
/**
 * Find it.
 * @param a
 */
export const find = async (a, { b }, c = (y) => y, ...rest) => {
  if (a && b) { return new Thing(fs.read(a)) }
  return a ? list.map((each) => each || null) : undefined;
};
""",
        "find",
        Known(complexity=5, doc="Find it.", parameters=["a", "{ b }", "c", "rest"], returns=None, decorators=[]),
        ["node:fs", "./x"],
        {"read", "map", "Thing"},
    ),
    "typescript": Sample(
        """\
import { A } from './a';
class K {
  // Finds it.
  @Log('x')
  find(a: string, b?: number): Promise<void> {
    while (a) { b ?? run(a) }
  }
}
interface Other {
  more(): void;
}
""",
        "find",
        Known(complexity=3, doc="Finds it.", parameters=["a", "b"], returns="Promise<void>", decorators=["@Log('x')"]),
        ["./a"],
        {"run", "Log"},
    ),
    "tsx": Sample(
        """\
import React from 'react';
function View({ a }: Props): JSX.Element {
  return a && <b>{draw(a)}</b>;
}
interface Other {
  more(): void;
}
""",
        "View",
        Known(complexity=2, doc=None, parameters=["{ a }"], returns="JSX.Element", decorators=[]),
        ["react"],
        {"draw"},
    ),
    "go": Sample(
        """\
package a

import (
\t"fmt"
\tx "a/b"
)

// Find finds.
// More.
func Find(a, b int, c ...string) (int, error) {
\tif a > 1 || b > 1 {
\t\tfmt.Println(c)
\t}
\tfor range c {
\t}
\treturn a, nil
}
""",
        "Find",
        Known(complexity=4, doc="Find finds.", parameters=["a", "b", "c"], returns="(int, error)", decorators=[]),
        ["fmt", "a/b"],
        {"Println"},
    ),
    "rust": Sample(
        """\
use std::{fmt, io};

/// Finds it.
#[inline]
#[cfg(test)]
pub fn find(a: &str, mut b: u8) -> Option<u8> {
    match a {
        "x" => Vec::new(),
        _ => a.len(),
    };
    if b > 1 && b < 9 { Some(b) } else { None }
}
""",
        "find",
        Known(
            complexity=5,
            doc="Finds it.",
            parameters=["a", "b"],
            returns="Option<u8>",
            decorators=["#[inline]", "#[cfg(test)]"],
        ),
        ["std::{fmt, io}"],
        {"len", "Some", "new"},
    ),
    "java": Sample(
        """\
import java.util.List;
import static java.util.Map.entry;

class K {
  /**
   * Finds it.
   */
  @Override
  @Named("x")
  public List<String> find(final String a, int... b) {
    if (a == null || b == null) { return of(a); }
    try { run(); } catch (Exception e) { }
    return new Thing();
  }
}
""",
        "find",
        Known(
            complexity=4,
            doc="Finds it.",
            parameters=["a", "b"],
            returns="List<String>",
            decorators=["@Override", '@Named("x")'],
        ),
        ["java.util.List", "java.util.Map.entry"],
        {"Thing", "run", "of"},
    ),
    "c": Sample(
        """\
#include <stdio.h>
#include "own.h"

/* Finds it. */
static int find(const char *a, int b[], char **c) {
  for (;;) { if (a && b) { return run(c); } }
}
""",
        "find",
        Known(complexity=4, doc="Finds it.", parameters=["a", "b", "c"], returns="int", decorators=[]),
        ["<stdio.h>", "own.h"],
        {"run"},
    ),
    "cpp": Sample(
        """\
#include <vector>

/// Finds it.
int find(const std::string& a, int b = 1) {
  for (auto x : a) { if (x) { return store::run(x) + that->go(); } }
  return b ? 1 : 2;
}
""",
        "find",
        Known(complexity=4, doc="Finds it.", parameters=["a", "b"], returns="int", decorators=[]),
        ["<vector>"],
        {"run", "go"},
    ),
    "csharp": Sample(
        """\
using System;
using System.Text;
using Short = A.B;

class K {
  /// <summary>
  /// Finds it.
  /// </summary>
  [Pure]
  public int Find(string a, int b = 1) {
    foreach (var x in a) { if (b > 1 && Run(x)) { } }
    return new Thing().Go();
  }
}
""",
        "Find",
        Known(complexity=4, doc="Finds it.", parameters=["a", "b"], returns="int", decorators=["[Pure]"]),
        ["System", "System.Text", "A.B"],
        {"Go", "Run", "Thing"},
    ),
    "ruby": Sample(
        """\
require "set"
require_relative "near"

# Finds it.
def find(a, b = 1, *rest, c:, **more)
  return unless a
  a.each { |x| run(x) if x && b }
end
""",
        "find",
        Known(complexity=4, doc="Finds it.", parameters=["a", "b", "rest", "c", "more"], returns=None, decorators=[]),
        ["set", "near"],
        {"run", "each"},
    ),
    "php": Sample(
        """\
<?php
use A\\B as C;
require_once 'x.php';

/**
 * Finds it.
 */
#[Pure]
function find(int $a, ?string ...$b): ?int
{
    foreach ($b as $x) { if ($x || $a) { run($x); } }
    return $a->go();
}
""",
        "find",
        Known(complexity=4, doc="Finds it.", parameters=["$a", "$b"], returns="?int", decorators=["#[Pure]"]),
        ["A\\B", "x.php"],
        {"run", "go"},
    ),
    "bash": Sample(
        """\
#!/bin/bash
source ./near.sh

# Finds it.
find_it() {
  if [ -n "$1" ]; then run "$1"; fi
  test -d x && go x
}
""",
        "find_it",
        Known(complexity=3, doc="Finds it.", parameters=[], returns=None, decorators=[]),
        ["./near.sh"],
        {"run", "go"},
    ),
}
