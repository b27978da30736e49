-- Loads the runs of an MLflow tracking store that is an SQLite file: results, and curves of metrics with several steps.
--
-- Say here how yours are logged, and run it:  modelstore zoo.db -f load_mlflow.sql
ATTACH 'mlflow.db' AS tracker (READ_ONLY);       -- by DuckDB's extension for SQLite, or a copy by read_sqlite.py
SET VARIABLE model = 'model';                    -- the parameter that names the model, such as '_name_or_path'
SET VARIABLE dataset = 'dataset';                -- the one that names the dataset; without it, the experiment's name
SET VARIABLE settings = ['learning_rate'];       -- those in which runs of a pair differ, but for the seed: their recipe
SET VARIABLE seed = 'seed';
-- A run's score is the first of these that it has, as it was last logged. More must be better: a loss is no score.
SET VARIABLE metrics = ['validation', 'eval_accuracy', 'val_accuracy', 'accuracy'];
SET VARIABLE test_metric = 'test';               -- of an evaluation on test data, where there is one
-- The step of the first epoch, where no metric `epoch` says it: 0 after `for epoch in range(n)`, 1 where step 0 is an
-- evaluation before training.
SET VARIABLE first_step = NULL::INTEGER;

CREATE TEMP TABLE tracked AS
SELECT run_uuid AS run, coalesce(any_value(runs.name), run_uuid) AS name, lower(any_value(runs.status)) AS state,
    max(params.value) FILTER (key = getvariable('model')) AS model,
    coalesce(max(params.value) FILTER (key = getvariable('dataset')), any_value(experiments.name)) AS dataset,
    TRY_CAST(max(params.value) FILTER (key = getvariable('seed')) AS BIGINT) AS seed,
    coalesce(string_agg(concat(key, '=', params.value), ', ' ORDER BY key)
        FILTER (list_contains(getvariable('settings'), key)), 'mlflow') AS recipe
FROM tracker.runs JOIN tracker.experiments USING (experiment_id) LEFT JOIN tracker.params USING (run_uuid)
WHERE runs.lifecycle_stage = 'active' GROUP BY run_uuid;

-- MLflow stores NaN as 0 with a mark, and infinity as the greatest number.
CREATE TEMP TABLE logged AS
SELECT run_uuid AS run, key, step::BIGINT AS step, timestamp,
    if(is_nan::BOOLEAN OR abs(value) > 1.79e308, 'NaN'::DOUBLE, value::DOUBLE) AS value
FROM tracker.metrics SEMI JOIN tracked ON tracked.run = run_uuid;

CREATE TEMP TABLE chosen AS
SELECT run, list_filter(getvariable('metrics'), lambda name: list_contains(names, name))[1] AS metric,
    list_contains(names, getvariable('test_metric')) AS tested, list_contains(names, 'epoch') AS counted
FROM (SELECT run, list(DISTINCT key) AS names FROM logged GROUP BY run);

SET VARIABLE checked = (
    SELECT any_value(error(format('{} is less where a model is better: name a metric of which more is better', name)))
    FROM unnest(list_append(getvariable('metrics'), getvariable('test_metric'))) AS named(name)
    WHERE regexp_matches(name, '(loss|perplexity|error|mse|mae|wer|cer)$', 'i')
);
SET VARIABLE checked = (
    SELECT if(count(metric) = 0, error(format('no run has a metric {}; they have {}: name one in the variable metrics',
        array_to_string(getvariable('metrics'), ' or '), coalesce((SELECT string_agg(DISTINCT key, ', ' ORDER BY key)
        FROM logged), 'none'))), NULL)
    FROM chosen
);
SET VARIABLE checked = (
    SELECT if(count(model) = 0, error(format('no run has the parameter {}; they have {}: name one in the variable model',
        getvariable('model'), coalesce((SELECT string_agg(DISTINCT key, ', ' ORDER BY key) FROM tracker.params), 'none'))),
        NULL)
    FROM tracked
);

CREATE TEMP TABLE points AS
SELECT run, step, any_value(metric) AS metric, any_value(tested) AS tested, any_value(counted) AS counted,
    max_by(value, timestamp) FILTER (key = metric) AS validation,
    max_by(value, timestamp) FILTER (key = getvariable('test_metric')) AS test,
    max_by(value, timestamp) FILTER (key IN ('loss', 'train_loss')) AS train_loss,
    max_by(value, timestamp) FILTER (key = 'epoch') AS epoch
FROM logged JOIN chosen USING (run) JOIN tracked USING (run)
WHERE metric IS NOT NULL AND model IS NOT NULL AND state = 'finished' GROUP BY run, step;

SET VARIABLE checked = (
    SELECT any_value(error(format('the run {} has {} at step 0 and at others, and no metric epoch: say by the variable '
        'first_step whether step 0 is the first epoch', name, metric)))
    FROM (SELECT run, any_value(metric) AS metric FROM points WHERE validation IS NOT NULL AND NOT counted
          GROUP BY run HAVING min(step) = 0 AND count(*) > 1) JOIN tracked USING (run)
    WHERE getvariable('first_step') IS NULL
);

CREATE TEMP TABLE results AS
SELECT run, name, model, dataset, recipe, seed, any_value(if(tested, getvariable('test_metric'), metric)) AS metric,
    arg_max(if(tested, test, validation), step) FILTER (if(tested, test, validation) IS NOT NULL) AS score,
    max(epoch) AS epochs
FROM points JOIN tracked USING (run) GROUP BY ALL;

SET VARIABLE checked = (
    SELECT any_value(error(format('"{}" on {} has several runs of recipe {} and seed {}, {}: they differ in a setting that '
        'the variable settings lacks', model, dataset, recipe, seed, names)))
    FROM (SELECT model, dataset, recipe, seed, string_agg(name, ', ' ORDER BY name) AS names FROM results
          GROUP BY ALL HAVING count(DISTINCT score) > 1)
);

-- An evaluation before training (epoch 0) is no stage; the first one at an epoch is a point of the curve.
INSERT INTO training_curves (model, dataset, stage, epoch, validation, test, train_loss, recipe, seed)
SELECT model, dataset, row_number() OVER (PARTITION BY run ORDER BY epoch), epoch, validation, test, train_loss, recipe,
    seed
FROM (
    SELECT run, counted, if(counted, points.epoch, step + 1 - coalesce(getvariable('first_step'), 1)) AS epoch,
        min_by(validation, step) AS validation, min_by(test, step) AS test, min_by(train_loss, step) AS train_loss
    FROM points WHERE isfinite(validation) GROUP BY 1, 2, 3
    QUALIFY counted OR count(*) OVER (PARTITION BY run) > 1
) JOIN tracked USING (run)
WHERE epoch > 0 AND run IN (SELECT min(run) FROM results GROUP BY model, dataset, recipe, seed);

-- A run of a pair, its settings and seed counts once.
INSERT INTO benchmark_results (model, dataset, score, metric, recipe, seed, epochs)
SELECT DISTINCT model, dataset, score, metric, recipe, seed, epochs FROM results;

-- What is left out, and the recipes that statements can be given, WITH (recipe = 'learning_rate=2e-05').
SELECT CASE WHEN state <> 'finished' THEN state WHEN model IS NULL THEN 'no model' ELSE 'no score' END AS left_out,
    count(*) AS runs
FROM tracked ANTI JOIN results USING (run) GROUP BY ALL ORDER BY ALL;
SELECT recipe, count(DISTINCT model) AS models, count(DISTINCT dataset) AS datasets FROM results
GROUP BY ALL ORDER BY models DESC, recipe;
DETACH tracker;
