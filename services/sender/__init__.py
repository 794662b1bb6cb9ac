"""What goes out: the ledger of intents, permission at the last moment, the providers, and what comes back by links."""
