-- How sure a selection was of each forecast.

-- The standard deviation of `predicted`; NULL where there is no forecast, or its strategy knows no deviation.
ALTER TABLE selection_stages ADD COLUMN deviation DOUBLE;
