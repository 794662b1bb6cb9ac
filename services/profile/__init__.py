"""Who is it: facts find their person, identities merge, attributes settle (ARCHITECTURE.md, profile)."""
