-- Which prior does best by replay on the records of a recipe, the target's left out: remembered until they change.

CREATE TABLE prior_choices (
    recipe VARCHAR,
    target VARCHAR,
    fingerprint VARCHAR,     -- of the records that it was chosen by
    prior VARCHAR,           -- mean, standardised or learned
    regrets MAP(VARCHAR, DOUBLE),  -- by prior: of the first k models, the mean over k = 1 … 10 and the datasets
    PRIMARY KEY (recipe, target)
);
