-- Where an attempt waits that is not in memory: a shelf is what of one lane and class is looked for together ("webhook:crm:service"). Calls of
-- webhooks have one from the beginning, other messages from when they are to be tried again.
ALTER TABLE attempt ADD COLUMN shelf text;
UPDATE attempt SET shelf = CASE WHEN channel = 'webhook' THEN 'webhook:' || (convert_from(intent, 'UTF8')::json ->> 'template') ELSE channel END
                           || ':' || message_class
WHERE state IN ('taken', 'started') AND (channel = 'webhook' OR tries > 0);
CREATE INDEX attempt_shelf ON attempt (owner, shelf, greatest(next_at, received_at), id) WHERE state = 'taken' AND shelf IS NOT NULL;
