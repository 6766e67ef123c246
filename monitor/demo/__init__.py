"""What shows the service working with nothing else installed: an embedded broker and a simulated model."""
