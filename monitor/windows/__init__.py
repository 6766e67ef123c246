"""When: event-time windows, watermarks, lateness and idleness."""
