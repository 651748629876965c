"""Of the extra parquet: tables in Parquet are there to be read; leaves one behind."""

import pyarrow as pa
import pyarrow.parquet as pq

pq.write_table(pa.table({"id": [1, 2], "text": ["I like it.", "It broke."]}), "table.parquet")
print("parquet: it works")
