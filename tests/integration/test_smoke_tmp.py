from harness.bench import Bench
def body(n): return "".join(f"def f{i}():\n    return {i}\n\n\n" for i in n)
def test_x(bench: Bench):
    bench.ingest({"a.py": body(range(4))})
    bench.finish()
    print(bench.committed(), bench.rows("select state from slices"))
    bench.assert_index_is_true()
    print([ (r["start_byte"], r["end_byte"], r["name"]) for r in bench.rows("select * from chunks order by ordinal")])
    bench.ingest({"a.py": body(range(1,4))})
    bench.finish()
    bench.assert_index_is_true()
    print([ (r["start_byte"], r["end_byte"], r["name"], r["generation"]) for r in bench.rows("select * from chunks order by ordinal")])
    print(bench.rows("select points_written, points_updated, points_deleted, embedding_inputs from slices"))
