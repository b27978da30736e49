-- What is kept so that only what has changed is computed again.

-- What a computed proxy score was computed from: the state of its dataset and of its weights. NULL: loaded, and trusted.
ALTER TABLE proxy_scores ADD COLUMN source VARCHAR;

-- What the last hierarchical clustering found.
CREATE TABLE last_clustering (
    made_by VARCHAR,         -- the similarity, threshold and datasets, JSON: by others, nothing of it holds
    place INTEGER,           -- the model's, from 0
    model VARCHAR,
    state UBIGINT,           -- a digest of what its distances are computed from
    neighbours INTEGER[],    -- the places of those after it within the threshold
    cluster INTEGER,         -- from 0
    own DOUBLE,              -- its mean distance to the others of its cluster; NaN: none, or not measured
    other DOUBLE,            -- to the members of the nearest other cluster
    nearest INTEGER          -- which that is; -1: not measured
);
