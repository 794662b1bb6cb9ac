"""The pure part: a person's state and what reaches him give his new state, the intents and the verdicts."""
