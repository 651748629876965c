"""Of the extra prices: what a job costs is known."""

from airflow_provider_genai_batch.task.cost.prices import price_of

price = price_of("gemini-2.5-flash")
assert price is not None
assert 0 < price.short.input < price.short.output
print("prices: it works")
