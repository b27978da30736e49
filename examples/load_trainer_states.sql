-- What transformers' Trainer leaves behind: runs/<model>/<dataset>/trainer_state.json, whose log_history has, for
-- each evaluation, an entry with epoch and eval_accuracy, for each logged step one with loss, and at last one with
-- train_runtime. For another metric, write its name (eval_f1, eval_matthews_correlation, …) in place of eval_accuracy.
--
-- Run where the folder `runs` is:  modelstore zoo.db -f load_trainer_states.sql
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
    -- The loss that was logged last by then.
    (SELECT arg_max(logged.train_loss, logged.epoch) FROM points AS logged
     WHERE logged.model = points.model AND logged.dataset = points.dataset AND logged.epoch <= points.epoch),
    'trainer'
FROM points WHERE validation IS NOT NULL
GROUP BY model, dataset, epoch;

-- A run's result is its last evaluation.
INSERT INTO benchmark_results (model, dataset, score, metric, recipe, epochs, seconds)
SELECT model, dataset, arg_max(validation, epoch), 'accuracy', 'trainer', max(epoch), max(seconds)
FROM points GROUP BY ALL HAVING count(validation) > 0;
