-- Who became one with whom, and when (ms): what was told of the loser is the winner's, and from then on nothing is told of him.
CREATE TABLE merged (
    loser uuid PRIMARY KEY,
    winner uuid NOT NULL,
    at bigint NOT NULL
);

-- Who stands in which segment, as far as `memberships` was read: the last word on each. since (ms), version, why, cause: of his entry. A
-- row of somebody who is merged or hidden counts for nothing: it was written beside the batch that heard of that.
CREATE TABLE member (
    segment text NOT NULL,
    profile uuid NOT NULL,
    since bigint NOT NULL,
    version int NOT NULL,
    why text NOT NULL,
    cause text,
    PRIMARY KEY (segment, profile)
) WITH (fillfactor = 90);
CREATE INDEX member_profile ON member (profile);

-- Which of these tables hold what the lake had before they were there.
CREATE TABLE filled (name text PRIMARY KEY);
