"""Parse what nobody wrote, in a process of its own: a crash, a hang or gigabytes must not take the tests along.

``python -m harness.hostile LANGUAGE SAMPLE [SIZE] [MUTATIONS]`` names each input before it is parsed, so that the last
line of a process that died says what of. The tests run a small size; larger ones are for whoever raises a pin.
"""

from __future__ import annotations

import random
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import PermanentError
from pipeline.parse.parser import parse

#: Address space. Far above what any input takes now, far below what would hurt the machine.
MEMORY_BYTES = 3 * 1024**3

#: What a grammar may count, nest or remember, one thing a line; ``N`` is a line end, ``S`` a space.
PIECES = r"""
( [ { < A< a( a[ a{ %w( `${ f"{ "#{ $( ${a:- $"{ "{$ {a:S [{a=
R"x( r# /* <!-- --[[ ''' \"\"\" $a$S ```N ~~~N catS<<EN <<~EN#{ <?phpS<<<EN
<div> </div> <script> <style> <p> <a>{ >S >S-S 1.S *SaNSS>SbN |a # -S ?S &aS ! a:S|N ---N
ifStrue;SthenS caseSxSinS caseSwhenS beginN defSaN classSAS{S namespaceSaS{S @mediaSx{S
#ifSXN #ifSXN#elseN #defineSAS\N a?b: if(a){}elseS a+ !- a.b() :not( a{b:
\ N S ; | & 0 é ' " ` $ % @ = ~ ^ , . : -
""".replace('\\"', '"').split()
CHARACTERS = b"\n\n    (){}[]<>\"'`$#@-=:;,.|&*/\\!?%^~+_abcEOFif01\xc3\xa9"


def probes(sample: bytes, size: int, mutations: int) -> Iterator[tuple[str, bytes]]:
    """Yield hostile inputs, each with what to call it."""
    prefix = b"<?php " if sample.startswith(b"<?php") else b""
    for piece in ("\t", "\r", "\ufeff", *(piece.replace("N", "\n").replace("S", " ") for piece in PIECES)):
        yield f"{piece!r} again and again", prefix + piece.encode() * size
    for pair in ("()", "[]", "{}", "<>"):
        yield f"closed {pair}", prefix + pair[0].encode() * size + pair[1].encode() * size
    for line in (b"a:", b"if x:", b"- a", b"> a", b"if (x) {"):
        yield f"{line!r} ever deeper", prefix + b"".join(b" " * i + line + b"\n" for i in range(min(size, 400)))
    yield "long names", b"".join(start + b"A" * size + b"\nx\n" for start in (b"<<", b"<<<", b"$", b"R", b"<", b"#"))
    yield from damaged(sample, mutations)


def damaged(sample: bytes, mutations: int) -> Iterator[tuple[str, bytes]]:
    """Yield the sample cut short, changed at random, and noise."""
    for end in range(0, len(sample), 50):
        yield f"cut at {end}", sample[:end]
    for seed in range(mutations):
        dice = random.Random(seed)
        data = bytearray(sample)
        for _ in range(dice.randrange(1, 8)):
            at, length = dice.randrange(len(data) + 1), dice.choice((1, 1, 3, 10, 40))
            origin = dice.randrange(len(data) + 1)
            noise = bytes(dice.choice(CHARACTERS) for _ in range(length))
            data[at : at + dice.choice((0, length))] = dice.choice((b"", noise, data[origin : origin + length]))
        yield f"mutation {seed}", bytes(data)
    for seed in range(max(mutations // 20, 4)):
        dice = random.Random(seed)
        yield f"noise {seed}", bytes(dice.choice(CHARACTERS) for _ in range(4_000))
        yield f"bytes {seed}", bytes(dice.randrange(1, 256) for _ in range(2_000))


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(language: str, sample: str, size: int = 1_000, mutations: int = 100) -> None:
    """Parse every probe in one language."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name, data in probes(Path(sample).read_bytes(), size, mutations):
        say(name)
        try:
            outline = parse(data, language)
        except PermanentError:
            continue
        if any(not 0 <= node.start < node.end <= outline.length for node in outline.nodes):
            raise AssertionError(name)
    say("survived")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *(int(word) for word in sys.argv[3:]))
