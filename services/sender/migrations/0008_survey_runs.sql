-- What each answer has come to, until the run is complete: its points, and the question it leads to. until: nothing is answered in this
-- run from then on (ms); message: whose link it is, to be found when its person is erased. Who stands in the middle begins anew: of what
-- he has answered the points are not known.
DELETE FROM survey_answer WHERE question <> '';
ALTER TABLE survey_answer ADD COLUMN points bigint NOT NULL DEFAULT 0;
ALTER TABLE survey_answer ADD COLUMN next text NOT NULL DEFAULT 'end';
ALTER TABLE survey_answer ADD COLUMN until bigint;
ALTER TABLE survey_answer ADD COLUMN message uuid;
UPDATE survey_answer SET until = at + 731 * 86400000::bigint;
ALTER TABLE survey_answer ALTER COLUMN until SET NOT NULL;
CREATE INDEX survey_answer_until ON survey_answer (until);
CREATE INDEX survey_answer_message ON survey_answer (message) WHERE message IS NOT NULL;
