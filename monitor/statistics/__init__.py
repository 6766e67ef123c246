"""How far, how good: one file a statistic, one registry."""
