-- What is told of a launch that is forgotten: its people's rows are gone.
CREATE TABLE launch_report (launch uuid PRIMARY KEY, report text NOT NULL);

-- Who belongs to an audience is looked for partition by partition, a page at a time.
CREATE INDEX person_walk ON person (partition, id);
