-- Which configuration of its folder or repository a dataset is; NULL for the only one, or the default.

ALTER TABLE datasets ADD COLUMN config VARCHAR;
