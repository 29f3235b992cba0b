"""Where events wait: one contract (`base`), one module a kind."""
