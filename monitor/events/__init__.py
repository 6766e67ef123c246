"""What arrives: bytes become columns, or a reason why they cannot."""
