-- Addresses of managers of which their mail server said that there is none: not tried again for a time. hash: as of a person's bad addresses.
CREATE TABLE manager_suppression (
    hash text PRIMARY KEY,
    at bigint NOT NULL,
    reason text NOT NULL
);
