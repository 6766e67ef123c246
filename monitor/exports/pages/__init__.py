"""What people look at: pages rendered here, readable without script, that load nothing from elsewhere."""
