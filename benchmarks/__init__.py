"""Every figure that the project states, each by one command; speeds are ratios measured side by side in one run."""
