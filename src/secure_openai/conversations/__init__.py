"""What people do with conversations."""
