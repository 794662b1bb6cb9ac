-- Payloads of webhooks, sealed, for some days: to see what a source sends, to try a mapping with, to replay. facts: how many it made.
-- digest: sha256 of query and body; first_at: when the same came first, if that is less than two minutes before.
-- faults: JSON [[path, code, message, mend], ...]; texts of ours, never of a payload.
CREATE TABLE hook_payload (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connector text NOT NULL,
    brand text NOT NULL,
    received_at bigint NOT NULL,
    digest bytea NOT NULL,
    first_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    content_type text NOT NULL,
    sealed bytea NOT NULL,
    facts int NOT NULL,
    faults bytea NOT NULL
);
CREATE INDEX hook_payload_digest ON hook_payload (connector, digest, received_at);
CREATE INDEX hook_payload_connector ON hook_payload (connector, id);
CREATE INDEX hook_payload_expires ON hook_payload (expires_at);
