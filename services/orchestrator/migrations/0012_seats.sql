-- settles_at: nobody is seated until then (ms), for a selection is being heard. ends_at: when the event ends, known here when it is in
-- force no more: its people are kept by that. Who stands there already is looked at once more for it, and kept from now on if nothing is
-- known of his event.
ALTER TABLE hall ADD COLUMN settles_at bigint, ADD COLUMN ends_at bigint;
UPDATE hall SET due_at = 0, ends_at = (extract(epoch FROM now()) * 1000)::bigint;
CREATE INDEX hall_over ON hall (ends_at);

-- hushed: he waits, and is not told so before it is known who gets a seat.
ALTER TABLE registration ADD COLUMN hushed boolean NOT NULL DEFAULT false;
CREATE INDEX registration_hushed ON registration (event, place) WHERE hushed;
