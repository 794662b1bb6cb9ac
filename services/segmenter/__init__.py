"""Who stands in which segment, live: every fact, every instant at which an answer flips by time alone."""
