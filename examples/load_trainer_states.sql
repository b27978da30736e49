-- Loads the files that transformers' Trainer writes: runs/<model>/<dataset>/trainer_state.json, or those of its
-- checkpoints, runs/<model>/<dataset>/checkpoint-500/trainer_state.json, of which the last one has the whole history.
--
-- Say here what to read, and run it in the folder that holds `runs`:  modelstore zoo.db -f load_trainer_states.sql
SET VARIABLE layout = '^runs/([^/]+)/([^/]+)/(?:checkpoint-\d+/)?trainer_state\.json$';  -- the model, the dataset
-- A run's score is the first of these that it has. With several evaluation sets, or other metrics, name yours:
-- eval_matched_accuracy, eval_f1, … More must be better: a loss is no score.
SET VARIABLE metrics = ['eval_accuracy', 'eval_matthews_correlation'];
SET VARIABLE test_metric = NULL::TEXT;  -- of an evaluation on test data at the same epochs, such as 'eval_test_accuracy'
SET VARIABLE recipe = 'trainer';

CREATE TEMP TABLE files AS
SELECT filename, found.model, found.dataset, log_history AS history
FROM (
    SELECT *, regexp_extract(replace(filename, '\', '/'), getvariable('layout'), ['model', 'dataset']) AS found
    FROM read_json('runs/**/trainer_state.json', columns = {log_history: 'JSON[]', global_step: 'BIGINT'},
        filename = true, maximum_object_size = 1_000_000_000)
)
QUALIFY row_number() OVER (PARTITION BY found ORDER BY global_step DESC, len(filename)) = 1 OR found.model = '';

CREATE TEMP TABLE entries AS
SELECT filename, model, dataset, unnest(history) AS entry, generate_subscripts(history, 1) AS place FROM files;

CREATE TEMP TABLE runs AS
SELECT filename, model, dataset, list(DISTINCT name) FILTER (starts_with(name, 'eval_')) AS names,
    list_filter(getvariable('metrics'), lambda name: list_contains(names, name))[1] AS metric
FROM (SELECT filename, model, dataset, unnest(json_keys(entry)) AS name FROM entries) GROUP BY ALL;

SET VARIABLE checked = (
    SELECT any_value(error(format('{} is not where the variable layout says, which is by model and dataset', filename)))
    FROM files WHERE model = ''
);
SET VARIABLE checked = (
    SELECT any_value(error(format('{} has no log_history: the run ended before it logged, leave it out', filename)))
    FROM files WHERE coalesce(len(history), 0) = 0
);
SET VARIABLE checked = (
    SELECT any_value(error(format('{} is less where a model is better: name a metric of which more is better', name)))
    FROM unnest(list_append(getvariable('metrics'), getvariable('test_metric'))) AS named(name)
    WHERE regexp_matches(name, '(loss|perplexity|error|mse|mae|wer|cer)$', 'i')
);
SET VARIABLE checked = (
    SELECT any_value(error(format('{} has no {}; its evaluations have {}: name one in the variable metrics{}',
        filename, array_to_string(getvariable('metrics'), ' or '), coalesce(array_to_string(list_sort(list_filter(names,
            lambda name: NOT regexp_matches(name, '(runtime|_per_second|jit_compilation_time)$'))), ', '), 'nothing'),
        if(names IS NULL, ', or leave the run out', ' (more must be better: a loss is no score)'))))
    FROM runs WHERE metric IS NULL
);
SET VARIABLE checked = (
    SELECT any_value(error(format('the runs on {} have different metrics, {}: name one in the variable metrics',
        dataset, metrics)))
    FROM (SELECT dataset, string_agg(DISTINCT metric, ', ' ORDER BY metric) AS metrics FROM runs
          GROUP BY dataset HAVING count(DISTINCT metric) > 1)
);

CREATE TEMP TABLE points AS
SELECT model, dataset, metric, place, (entry->>'epoch')::DOUBLE AS epoch,
    TRY_CAST(entry->>metric AS DOUBLE) AS validation, (entry->>getvariable('test_metric'))::DOUBLE AS test,
    TRY_CAST(entry->>'loss' AS DOUBLE) AS train_loss, (entry->>'train_runtime')::DOUBLE AS seconds
FROM entries JOIN runs USING (filename, model, dataset);

-- An evaluation before training (epoch 0) is no stage. The first evaluation at an epoch is a point of the curve: another
-- one, once training has ended, is of the weights that were kept.
INSERT INTO training_curves (model, dataset, stage, epoch, validation, test, train_loss, recipe)
SELECT model, dataset, row_number() OVER (PARTITION BY model, dataset ORDER BY epoch), epoch,
    min_by(validation, place), min_by(test, place),
    -- The last loss that was logged by then.
    (SELECT max_by(logged.train_loss, logged.place) FROM points AS logged
     WHERE logged.model = points.model AND logged.dataset = points.dataset AND logged.epoch <= points.epoch),
    getvariable('recipe')
FROM points WHERE isfinite(coalesce(validation, test)) AND epoch > 0
GROUP BY model, dataset, epoch;

-- The last evaluation is the result of a run: on test data, where test_metric names it.
INSERT INTO benchmark_results (model, dataset, score, metric, recipe, epochs, seconds)
SELECT model, dataset, max_by(if(getvariable('test_metric') IS NULL, validation, test), place),
    replace(coalesce(getvariable('test_metric'), metric), 'eval_', ''), getvariable('recipe'), max(epoch), max(seconds)
FROM points GROUP BY model, dataset, metric;
