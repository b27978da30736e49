-- Loads the studies of an Optuna storage that is an SQLite file. Of the trials of a model on a dataset, the best counts.
--
-- Say here how yours are written, and run it:  modelstore zoo.db -f load_optuna.sql
ATTACH 'optuna.db' AS tracker (READ_ONLY);       -- by DuckDB's extension for SQLite, or a copy by read_sqlite.py
SET VARIABLE model = 'model';                    -- the parameter or user attribute of a trial that names the model
SET VARIABLE dataset = 'dataset';                -- the one that names the dataset; without it, the study's name
SET VARIABLE metric = 'accuracy';                -- what studies maximize
SET VARIABLE recipe = 'tuned';                   -- a name for results of searches: best of many, they flatter
-- The step that is reported after the first epoch: 0 after `for epoch in range(n)`, 1 where step 0 is before training.
SET VARIABLE first_step = NULL::INTEGER;

SET VARIABLE checked = (
    SELECT any_value(error(format('the study {} minimizes its value: a score must be more where a model is better',
        study_name)))
    FROM tracker.studies JOIN tracker.study_directions USING (study_id) WHERE direction <> 'MAXIMIZE' AND objective = 0
);

-- A choice among names is stored by its place.
CREATE TEMP TABLE described AS
SELECT trial_id, param_name AS key,
    coalesce(distribution_json::JSON->'attributes'->'choices'->>param_value::INTEGER, param_value::VARCHAR) AS value
FROM tracker.trial_params
UNION ALL
SELECT trial_id, key, value_json::JSON->>'$' FROM tracker.trial_user_attributes;

CREATE TEMP TABLE tracked AS
SELECT trial_id, any_value(number) AS number, any_value(study_name) AS study, lower(any_value(state)) AS state,
    any_value(trial_values.value) FILTER (value_type = 'FINITE' AND objective = 0) AS score,
    max(described.value) FILTER (key = getvariable('model')) AS model,
    coalesce(max(described.value) FILTER (key = getvariable('dataset')), any_value(study_name)) AS dataset
FROM tracker.trials JOIN tracker.studies USING (study_id) LEFT JOIN tracker.trial_values USING (trial_id)
    LEFT JOIN described USING (trial_id)
GROUP BY trial_id;

SET VARIABLE checked = (
    SELECT if(count(model) = 0, error(format('no trial has a parameter or user attribute {}; they have {}: name one in the '
        'variable model', getvariable('model'), coalesce((SELECT string_agg(DISTINCT key, ', ' ORDER BY key)
        FROM described), 'none'))), NULL)
    FROM tracked
);
SET VARIABLE checked = (
    SELECT any_value(error(format('the trial {} of {} reports a value at step 0: say by the variable first_step whether '
        'step 0 is the first epoch', number, study)))
    FROM tracker.trial_intermediate_values JOIN tracked USING (trial_id)
    WHERE step = 0 AND getvariable('first_step') IS NULL
);

CREATE TEMP TABLE best AS
FROM tracked WHERE state = 'complete' AND score IS NOT NULL AND model IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY model, dataset ORDER BY score DESC, trial_id) = 1;

CREATE TEMP TABLE points AS
SELECT trial_id, step + 1 - coalesce(getvariable('first_step'), 1) AS epoch, intermediate_value AS validation
FROM tracker.trial_intermediate_values SEMI JOIN best USING (trial_id)
WHERE intermediate_value_type = 'FINITE' AND epoch > 0;

INSERT INTO training_curves (model, dataset, stage, epoch, validation, recipe)
SELECT model, dataset, row_number() OVER (PARTITION BY trial_id ORDER BY epoch), epoch, validation, getvariable('recipe')
FROM points JOIN best USING (trial_id);

INSERT INTO benchmark_results (model, dataset, score, metric, recipe, epochs)
SELECT model, dataset, score, getvariable('metric'), getvariable('recipe'),
    (SELECT max(epoch) FROM points WHERE points.trial_id = best.trial_id)
FROM best;

-- What is left out.
SELECT CASE WHEN state <> 'complete' THEN state WHEN model IS NULL THEN 'no model' WHEN score IS NULL THEN 'no score'
    ELSE 'not the best' END AS left_out, count(*) AS trials
FROM tracked ANTI JOIN best USING (trial_id) GROUP BY ALL ORDER BY ALL;
DETACH tracker;
