"""What is sent: templates, letters, texts."""
