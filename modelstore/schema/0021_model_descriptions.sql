-- What people choose models by: what a model's card says of it, and how the hub sees it.

ALTER TABLE models ADD COLUMN license VARCHAR;          -- its identifier on the hub; NULL: the card names none, or several
ALTER TABLE models ADD COLUMN languages VARCHAR[];      -- their codes
ALTER TABLE models ADD COLUMN tags VARCHAR[];
ALTER TABLE models ADD COLUMN base_model VARCHAR;       -- what it was fine-tuned from, as its card says; else `base`
ALTER TABLE models ADD COLUMN downloads BIGINT;         -- in the last 30 days, as the hub counted them at CREATE MODEL
ALTER TABLE models ADD COLUMN last_modified TIMESTAMP;  -- on the hub, UTC
