"""Parts of an answer, and the fields that rows keep of them.

Fields are Google's own, in snake_case; answers of other families are read into the same fields. Names and types are
defined only here: they are used to read answers (`wire.answers.members`) and to make the columns of Parquet files.
"""
