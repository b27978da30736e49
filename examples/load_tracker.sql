-- Loads the export of an experiment tracker: a row for each run, those that did not finish among them, and runs of one
-- model at several settings.
--
--     Name,State,model,dataset,learning_rate,seed,eval/accuracy
--     run-1,finished,bert,sst2,2e-05,0,0.91
--     run-2,crashed,bert,sst2,5e-05,0,0.52
--
-- Say here how yours is written, and run it in the folder of the file:  modelstore zoo.db -f load_tracker.sql
CREATE TEMP TABLE tracked AS
SELECT row_number() OVER () AS row, model, dataset, parse_score("eval/accuracy") AS score, seed, coalesce(lower(State), 'no state') AS state,
    concat('lr=', learning_rate) AS recipe         -- the settings in which runs differ, but for the seed
FROM read_csv('runs.csv', header = true, all_varchar = true);

SET VARIABLE checked = (
    SELECT any_value(error(format('"{}" on {} has several runs of recipe {} and seed {}, in rows {}: they differ in a '
        'setting that recipe lacks', model, dataset, recipe, seed, rows)))
    FROM (SELECT model, dataset, recipe, seed, string_agg(row, ', ' ORDER BY row) AS rows FROM tracked
          WHERE state = 'finished' AND score IS NOT NULL GROUP BY ALL HAVING count(DISTINCT score) > 1)
);

-- A run of a pair, its settings and seed counts once.
INSERT INTO benchmark_results (model, dataset, score, metric, recipe, seed)
SELECT DISTINCT model, dataset, score, 'accuracy', recipe, seed FROM tracked
WHERE state = 'finished' AND score IS NOT NULL;

-- What is left out, and the recipes that statements can be given, WITH (recipe = 'lr=2e-05').
SELECT if(state = 'finished', 'no score', state) AS left_out, count(*) AS runs FROM tracked
WHERE state <> 'finished' OR score IS NULL GROUP BY ALL ORDER BY ALL;
SELECT recipe, count(DISTINCT model) AS models, count(DISTINCT dataset) AS datasets FROM tracked
WHERE state = 'finished' AND score IS NOT NULL GROUP BY ALL ORDER BY models DESC, recipe;
