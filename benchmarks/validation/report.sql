-- For each target: what each strategy chose in replay, what it cost, and its regret against the best model there is.
CREATE OR REPLACE TEMP TABLE report AS
WITH finals AS (
    SELECT model, dataset, test FROM training_curves WHERE seed = 0
    QUALIFY stage = max(stage) OVER (PARTITION BY model, dataset)
)
SELECT selections.dataset AS target,
       method || if(options->>'$.threshold' = '0.2', ', threshold 0.2', '') AS strategy, selections.epochs, selections.seconds,
       selections.model, finals.test AS score, best.test - finals.test AS regret
FROM selections
JOIN finals ON (finals.model, finals.dataset) = (selections.model, selections.dataset)
JOIN (SELECT dataset, max(test) AS test FROM finals GROUP BY dataset) AS best ON best.dataset = selections.dataset
WHERE json_extract_string(options, '$.executor') = 'replay';

SELECT target, strategy, epochs, round(seconds, 1) AS seconds, model, round(score, 3) AS score,
       round(regret, 3) AS regret
FROM report ORDER BY target, epochs;

-- The mean over the targets, with the standard error of the mean regret.
SELECT strategy, round(avg(epochs), 1) AS epochs, round(avg(seconds), 1) AS seconds,
       round(avg(regret), 4) AS regret, round(stddev(regret) / sqrt(count(*)), 4) AS standard_error,
       round(any_value(brute_force) / sum(epochs), 1) AS times_fewer_epochs
FROM report, (SELECT sum(epochs) AS brute_force FROM report WHERE strategy = 'brute_force')
GROUP BY strategy ORDER BY avg(epochs);

-- The two-phase selections that really trained, beside their replays: the same choice at the same cost.
SELECT trained.dataset AS target, trained.model AS trained, replayed.model AS replayed,
       trained.epochs AS trained_epochs, replayed.epochs AS replayed_epochs, round(trained.seconds, 1) AS seconds
FROM selections AS trained JOIN selections AS replayed USING (dataset, method)
WHERE json_extract_string(trained.options, '$.executor') = 'torch'
  AND json_extract_string(replayed.options, '$.executor') = 'replay'
  AND replayed.options->>'$.threshold' = trained.options->>'$.threshold'
ORDER BY target;
