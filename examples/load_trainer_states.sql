-- Loads the files that transformers' Trainer writes: runs/<model>/<dataset>/trainer_state.json. Their log_history has an
-- entry with epoch and eval_accuracy for each evaluation, one with loss for each logged step, and a last one with
-- train_runtime. For another metric, replace eval_accuracy by its name (eval_f1, eval_matthews_correlation, …).
--
-- Run it in the folder that holds `runs`:  modelstore zoo.db -f load_trainer_states.sql
CREATE TEMP TABLE entries AS
SELECT parse_path(filename)[-3] AS model, parse_path(filename)[-2] AS dataset, unnest(log_history) AS entry
FROM read_json('runs/*/*/trainer_state.json', columns = {log_history: 'JSON[]'}, filename = true);

CREATE TEMP TABLE points AS
SELECT model, dataset, (entry->>'epoch')::DOUBLE AS epoch,
    (entry->>'eval_accuracy')::DOUBLE AS validation, (entry->>'loss')::DOUBLE AS train_loss,
    (entry->>'train_runtime')::DOUBLE AS seconds
FROM entries;

INSERT INTO training_curves (model, dataset, stage, epoch, validation, train_loss, recipe)
SELECT model, dataset, row_number() OVER (PARTITION BY model, dataset ORDER BY epoch), epoch, max(validation),
    -- The last loss that was logged by then.
    (SELECT arg_max(logged.train_loss, logged.epoch) FROM points AS logged
     WHERE logged.model = points.model AND logged.dataset = points.dataset AND logged.epoch <= points.epoch),
    'trainer'
FROM points WHERE validation IS NOT NULL
GROUP BY model, dataset, epoch;

-- The last evaluation is the result of a run.
INSERT INTO benchmark_results (model, dataset, score, metric, recipe, epochs, seconds)
SELECT model, dataset, arg_max(validation, epoch), 'accuracy', 'trainer', max(epoch), max(seconds)
FROM points GROUP BY ALL HAVING count(validation) > 0;
