"""What enters the lake and under which names. Pure."""
