"""The same scenarios run by this package and by others, for docs/reference; not part of the tests."""
