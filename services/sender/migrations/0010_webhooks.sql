-- Webhook endpoints that answered 410: this version of the document is called no more, the next one is.
CREATE TABLE webhook_off (
    key text NOT NULL,
    version int NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (key, version)
);
