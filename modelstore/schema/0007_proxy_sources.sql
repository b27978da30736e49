-- What a proxy score was computed from, so that it is computed again once that has changed.

ALTER TABLE proxy_scores ADD COLUMN source VARCHAR;  -- the state of dataset and weights; NULL: loaded, and trusted
