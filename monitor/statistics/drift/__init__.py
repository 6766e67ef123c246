"""How far a window is from the reference: one file a statistic."""
