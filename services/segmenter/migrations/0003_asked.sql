-- A finished sweep tells the orchestrator which conditions are answered: those of before said nothing, so they are made once more.
DELETE FROM sweep;
