"""What the gateway decides, pure: who may do what, whether a document is right and whether it may be published."""
