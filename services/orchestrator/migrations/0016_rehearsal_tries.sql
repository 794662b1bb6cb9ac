-- How often somebody began to play it: what ends its process each time is not begun for ever.
ALTER TABLE rehearsal ADD COLUMN tries int NOT NULL DEFAULT 0;
