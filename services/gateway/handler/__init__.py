"""What an acting call does in its one transaction: load, decide, save, publish."""
