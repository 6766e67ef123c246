"""What is done about it: messages, their signatures and their retries, one file a receiver."""
