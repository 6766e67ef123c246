"""`python -m dashboards.source`: write the files."""

from __future__ import annotations

from dashboards.source import files

for path, content in files().items():
    path.write_text(content, encoding="utf-8")
