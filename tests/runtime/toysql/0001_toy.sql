-- Every application of a record, counted: 2 means that somebody handled it twice. n: the order of handling.
CREATE TABLE applied (id text PRIMARY KEY, topic text NOT NULL, times int NOT NULL, n bigint GENERATED ALWAYS AS IDENTITY);
CREATE TABLE total (one boolean PRIMARY KEY DEFAULT true, n bigint NOT NULL);
INSERT INTO total (n) VALUES (0);
