from __future__ import annotations

import json

from benchmarks.provider import Answers
from pipeline.identity import embed_hash
from pipeline.types import EmbeddingCall, EmbeddingModel
from worker.adapters.openai_reply import read_reply

MODEL = EmbeddingModel("openai", "stub", 16)
TEXTS = ("one", "two \N{SNOWMAN}", "three")


def test_the_client_takes_its_answers() -> None:
    call = EmbeddingCall(tuple(map(embed_hash, TEXTS)), TEXTS)
    reply = read_reply(call, MODEL, Answers(MODEL.dims).body(TEXTS))
    assert len(set(reply.vectors)) == 3
    assert reply.tokens > 0


def test_a_text_always_has_the_same_vector() -> None:
    alone = json.loads(Answers(MODEL.dims).body(TEXTS[1:2]))["data"][0]["embedding"]
    assert json.loads(Answers(MODEL.dims).body(TEXTS))["data"][1]["embedding"] == alone
