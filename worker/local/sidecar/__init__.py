"""A small Qdrant: the part of its REST API that we call, over Qdrant's own engine in this process.

It stands in where there is no ``qdrant`` binary, so that ``QdrantClient(url=...)`` is the only client code there is.
It is for one machine: search is exact (the optimizer, which would build an HNSW graph, is never run, because it
holds the interpreter for tens of seconds), there is one shard and no replica.

What is acknowledged survives the death of the process, because the engine logs every write ahead; the log is
flushed into the segments every few seconds and at exit. Whatever is asked for that is not supported is refused by
name with a 4xx, never ignored.
"""
