-- What RESUME SELECTION needs of a selection, stored as it begins and goes on.

ALTER TABLE selections ADD COLUMN key VARCHAR;           -- of its own, whatever file or copy it is in
ALTER TABLE selections ADD COLUMN wanted BIGINT;         -- the n of SELECT BEST n
ALTER TABLE selections ADD COLUMN recorded_as VARCHAR;   -- the recipe that its runs are recorded under
ALTER TABLE selections ADD COLUMN registered TIMESTAMP;  -- the target's created_at
ALTER TABLE selections ADD COLUMN candidates VARCHAR[];  -- until recall has chosen the models to train
ALTER TABLE selections ADD COLUMN contenders STRUCT(model VARCHAR, recall_score DOUBLE, uri VARCHAR)[];
