"""Ways to run Otklik: `deploy.cli` is the command line, `deploy.local` a whole installation without Docker."""
