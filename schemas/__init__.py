"""The language: what every service and every backend says to each other. No behaviour that needs a clock, a socket or a table."""
