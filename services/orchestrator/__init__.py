"""What to send, to whom, when, and what never: journeys and the rules over everything that is sent."""
