-- Figures of reports by day, for BI tools: what audience and experiments answered, replaced day range by day range (docs/adr/0026).
-- day: of the brand's zone. as_of: for which instant (ms) they were counted. Revenue in whole minor units.
CREATE TABLE outcome_day (
    brand text NOT NULL,
    day date NOT NULL,
    document text NOT NULL,
    step text NOT NULL,
    channel text NOT NULL,
    class text NOT NULL,
    variant text NOT NULL,
    template text NOT NULL,
    sent bigint NOT NULL,
    failed bigint NOT NULL,
    delivered bigint NOT NULL,
    bounced bigint NOT NULL,
    opened bigint NOT NULL,
    clicked bigint NOT NULL,
    unsubscribed bigint NOT NULL,
    complained bigint NOT NULL,
    as_of bigint NOT NULL,
    PRIMARY KEY (brand, day, document, step, channel, class, variant, template)
);

-- target: the name of a target action of OTKLIK_BI_TARGETS. currency: '' of plain numbers, and where nothing was worth anything.
CREATE TABLE conversion_day (
    brand text NOT NULL,
    day date NOT NULL,
    document text NOT NULL,
    step text NOT NULL,
    channel text NOT NULL,
    class text NOT NULL,
    variant text NOT NULL,
    template text NOT NULL,
    target text NOT NULL,
    currency text NOT NULL,
    converted bigint NOT NULL,
    actions bigint NOT NULL,
    revenue numeric NOT NULL,
    as_of bigint NOT NULL,
    PRIMARY KEY (brand, day, document, step, channel, class, variant, template, target, currency)
);

-- kind: channel or mechanic. quarter: its first day.
CREATE TABLE channel_quarter (
    brand text NOT NULL,
    quarter date NOT NULL,
    target text NOT NULL,
    currency text NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    conversions bigint NOT NULL,
    revenue numeric NOT NULL,
    share double precision,
    as_of bigint NOT NULL,
    PRIMARY KEY (brand, quarter, target, currency, kind, name)
);

-- What an experiment had shown by the end of a day, by its primary measure. difference, low, high, p: against the control arm.
CREATE TABLE experiment_day (
    experiment text NOT NULL,
    brand text NOT NULL,
    day date NOT NULL,
    arm text NOT NULL,
    people bigint NOT NULL,
    metric text NOT NULL,
    value double precision,
    difference double precision,
    low double precision,
    high double precision,
    p double precision,
    verdict text NOT NULL,
    as_of bigint NOT NULL,
    PRIMARY KEY (experiment, day, arm)
);

-- When each of the refreshes that come by themselves was last begun (ms, real time): one process does it.
CREATE TABLE refresh (
    name text PRIMARY KEY,
    at bigint NOT NULL
);

CREATE VIEW bi.outcomes AS
SELECT day, brand, document, step, channel, class, variant, template, sent, failed, delivered, bounced, opened, clicked, unsubscribed, complained,
    to_timestamp(as_of / 1000.0) AS as_of
FROM outcome_day;

CREATE VIEW bi.conversions AS
SELECT day, brand, document, step, channel, class, variant, template, target, nullif(currency, '') AS currency, converted, actions, revenue,
    to_timestamp(as_of / 1000.0) AS as_of
FROM conversion_day;

CREATE VIEW bi.channels AS
SELECT quarter, brand, target, nullif(currency, '') AS currency, kind, name, conversions, revenue, share, to_timestamp(as_of / 1000.0) AS as_of
FROM channel_quarter;

CREATE VIEW bi.experiments AS
SELECT day, experiment, brand, arm, people, metric, value, difference, low, high, p, verdict, to_timestamp(as_of / 1000.0) AS as_of
FROM experiment_day;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'otklik_bi') THEN
        GRANT SELECT ON bi.outcomes, bi.conversions, bi.channels, bi.experiments TO otklik_bi;
    END IF;
END $$;
