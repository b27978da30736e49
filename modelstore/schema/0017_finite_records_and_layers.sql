-- The layers that a proxy score was computed from: last, mean or best. NULL: it does not matter (LEEP), or is not known.

ALTER TABLE proxy_scores ADD COLUMN layers VARCHAR;

-- So far there was only the last.
UPDATE proxy_scores SET layers = 'last' WHERE source IS NOT NULL AND lower(proxy) <> 'leep';

-- The macro of 0001: a score that is no finite number (NaN, infinite) counts as none.
CREATE OR REPLACE MACRO recorded_models(of_recipe) AS TABLE
SELECT recorded.model AS name, models.* EXCLUDE (name)
FROM models RIGHT JOIN (
    SELECT model FROM benchmark_results WHERE coalesce(recipe, 'default') = of_recipe AND isfinite(score)
    UNION
    SELECT model FROM training_curves WHERE coalesce(recipe, 'default') = of_recipe AND isfinite(validation)
) AS recorded ON models.name = recorded.model;
