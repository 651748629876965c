"""Of the extra gzip: compressed rows are written by its library, and can be read by any other."""

import gzip
import io
import sys

from airflow_provider_genai_batch.results.sinks import opened

out = io.BytesIO()
with opened(out, "jsonl.gz") as write:
    write(b"{}\n")
assert "isal" in sys.modules
assert gzip.decompress(out.getvalue()) == b"{}\n"
print("gzip: it works")
