"""Parts of an answer, and the fields that rows keep of them.

Members are Google's own, in snake_case; other families' answers are read into the same. These models are the one home
of their names and types: answers are read by them (`wire.answers.members`), and columns of Parquet are made of them.
"""
