"""What is remembered: mergeable summaries of rows under a frozen layout."""
