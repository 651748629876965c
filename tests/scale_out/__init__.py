"""The examples on CeleryExecutor, while workers and triggerers die; ``make scale-out``."""
