-- home: of the identifier by which a word is its person's, which tells whose it is after an unmerge; NULL in words of before.
ALTER TABLE consent ADD COLUMN home uuid;

-- Words of people who were parted from whom they had been taken for: whose each is now. The ledger itself stays as it was.
CREATE TABLE consent_parted (
    partition int NOT NULL,
    number bigint NOT NULL,
    profile uuid NOT NULL,
    PRIMARY KEY (partition, number)
);
CREATE INDEX consent_parted_profile ON consent_parted (profile);
