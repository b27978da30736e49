-- Recall has one prior beside the paper's, which needs no replay to be chosen and is not stored.

DROP TABLE IF EXISTS prior_choices;
DROP TABLE IF EXISTS model_priors;

-- A selection that can still go on does so by it. The log of those that are done stays as it was.
UPDATE selections SET options = json_merge_patch(options, '{"prior": "normal"}')
WHERE status <> 'done' AND TRY_CAST(options AS JSON) ->> '$.prior' IN ('auto', 'standardised', 'learned');
