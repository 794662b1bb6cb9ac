-- The processes that run: where each can be asked (runtime/internal.py), and when it last said so (real clock, ms).
CREATE TABLE process (
    service text NOT NULL,
    address text NOT NULL,
    seen_at bigint NOT NULL,
    PRIMARY KEY (service, address)
);
