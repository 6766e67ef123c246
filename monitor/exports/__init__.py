"""Who sees it: Prometheus metrics, the HTTP API and its pages. All of it reads one immutable Snapshot."""
