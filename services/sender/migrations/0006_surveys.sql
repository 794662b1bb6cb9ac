-- Which questions of a run of a survey have an answer, and '' where it is complete: an answer counts once, however often it is sent.
-- What was answered does not stand here: that is a fact.
CREATE TABLE survey_answer (
    run uuid NOT NULL,
    question text NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (run, question)
);
