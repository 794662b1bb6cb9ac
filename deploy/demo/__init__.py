"""`python -m deploy.demo`: a real month of a shop, played in minutes through the public interfaces, under the driven clock."""
