-- Rehearsals that were asked for. asked: JSON of rehearsal.playing.Asked; brand: of the document, NULL: of all. state: waiting, running, done,
-- stopped or failed; stop: somebody wants it to end; done, total: people; beat_at: when whoever plays it last said so. All times in ms.
CREATE TABLE rehearsal (
    id uuid PRIMARY KEY,
    brand text,
    asked jsonb NOT NULL,
    state text NOT NULL DEFAULT 'waiting',
    stop boolean NOT NULL DEFAULT false,
    done int NOT NULL DEFAULT 0,
    total int,
    asked_at bigint NOT NULL,
    started_at bigint,
    beat_at bigint,
    ended_at bigint,
    why text,
    report jsonb
);
CREATE INDEX rehearsal_open ON rehearsal (asked_at) WHERE state IN ('waiting', 'running');
