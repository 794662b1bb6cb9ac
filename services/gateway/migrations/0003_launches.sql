-- Launches of campaigns: what was told of each last. revision: how often it was told; stood: its document (schemas/campaigns.py: Launch).
-- until: nothing of it may be decided any more from then on (ms of the installation's clock); retired: the services have forgotten it.
CREATE TABLE launch (
    id uuid PRIMARY KEY,
    campaign text NOT NULL,
    number int NOT NULL,
    version int NOT NULL,
    revision int NOT NULL,
    stood jsonb NOT NULL,
    until bigint NOT NULL,
    retired boolean NOT NULL DEFAULT false,
    UNIQUE (campaign, number)
);
CREATE INDEX launch_until ON launch (until) WHERE NOT retired;
