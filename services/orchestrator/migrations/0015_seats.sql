-- How many have a seat of the room, written with them; null: to be counted, for rows changed while the event was not in force.
ALTER TABLE hall ADD COLUMN taken int;
