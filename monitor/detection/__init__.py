"""Does it matter: from readings to verdicts, incidents and trigger decisions."""
