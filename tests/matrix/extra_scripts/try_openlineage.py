"""Of the extra openlineage: the operator tells where requests come from and rows go."""

from airflow_provider_genai_batch.operators.genai_batch import GenAIBatchOperator

operator = GenAIBatchOperator(
    task_id="ask",
    model="gemini-2.5-flash",
    src="gs://bucket/in.jsonl",
    results_uri="gs://bucket/rows.jsonl",
    dest="gs://bucket/out/",
)
lineage = operator.get_openlineage_facets_on_start()
assert [dataset.name for dataset in lineage.inputs] == ["in.jsonl"], lineage
print("openlineage: it works")
