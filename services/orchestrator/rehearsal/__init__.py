"""Drafts played over the days that the lake has: the jobs and their table (jobs), one of them (playing), the doors (routes)."""
