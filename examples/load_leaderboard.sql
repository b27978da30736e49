-- Loads a leaderboard's export: header rows above it, scores as people write them (63.59 ± 0.91, 93.2%, 1,234, -).
--
--     Model,SST-2,,CoLA,Average            row 1: the dataset, for the columns up to the next one
--     ,acc,f1,mcc,                         row 2: the metric
--     bert-base,93.2%,92.8%,63.59 ± 0.91,-
--
-- Say here how yours is written, and run it in the folder of the file:  modelstore zoo.db -f load_leaderboard.sql
SET VARIABLE file = 'leaderboard.csv';
SET VARIABLE header_rows = 2;
SET VARIABLE dataset_row = 1;                  -- the header row with the names of datasets
SET VARIABLE metric_row = 2;                   -- the one with metrics; NULL if there is none
SET VARIABLE datasets = ['SST-2', 'CoLA'];     -- those to load
SET VARIABLE metrics = ['acc', 'mcc'];         -- the first of them that a dataset has is loaded
SET VARIABLE score_part = NULL;                -- of cells such as 91.0 / 88.1: 1 for the first number, 2 for the second
SET VARIABLE recipe = 'leaderboard';

CREATE TEMP TABLE cells AS
SELECT row, regexp_extract(place, '\d+')::INT AS place, trim(regexp_replace(cell, '<[^>]*>', '', 'g')) AS cell
FROM (UNPIVOT (
    SELECT row_number() OVER () AS row, * FROM read_csv(
        getvariable('file'), header = false, all_varchar = true, null_padding = true, sample_size = -1)
) ON COLUMNS(* EXCLUDE row) INTO NAME place VALUE cell);

-- The columns to load: of each dataset one.
CREATE TEMP TABLE score_columns AS
SELECT place, dataset, metric
FROM (
    SELECT place, nullif(any_value(cell) FILTER (row = getvariable('metric_row')), '') AS metric,
        last_value(nullif(any_value(cell) FILTER (row = getvariable('dataset_row')), '') IGNORE NULLS)
            OVER (ORDER BY place) AS dataset
    FROM cells GROUP BY place
)
WHERE list_contains(getvariable('datasets'), dataset)
    AND (getvariable('metric_row') IS NULL OR list_contains(getvariable('metrics'), metric))
QUALIFY row_number() OVER (PARTITION BY dataset ORDER BY list_position(getvariable('metrics'), metric), place) = 1;

CREATE TEMP TABLE scores AS
SELECT row, models.cell AS model, dataset, metric, cells.cell AS written
FROM cells JOIN score_columns USING (place) JOIN (SELECT row, cell FROM cells WHERE place = 0) AS models USING (row)
WHERE row > getvariable('header_rows');

-- What would go wrong in silence is an error.
SET VARIABLE checked = (
    SELECT any_value(error(format('no column of {} has the dataset "{}" with one of the metrics; the headers are: {}',
        getvariable('file'), name,
        (SELECT string_agg(cell, ', ' ORDER BY row, place) FROM cells WHERE row <= getvariable('header_rows')))))
    FROM unnest(getvariable('datasets')) AS wanted(name) WHERE name NOT IN (SELECT dataset FROM score_columns)
);
SET VARIABLE checked = (
    SELECT any_value(error(format('"{}" has several scores on {}, in rows {}: settings of one model need other names',
        model, dataset, rows)))
    FROM (SELECT model, dataset, string_agg(row, ', ' ORDER BY row) AS rows
          FROM scores GROUP BY model, dataset HAVING count(*) > 1)
);
SET VARIABLE checked = (
    SELECT any_value(error(format('on {}, some scores have a % sign, and {} in row {} has none: write all alike',
        dataset, cell, row)))
    FROM (SELECT dataset, min_by(written, row) FILTER (NOT contains(written, '%')) AS cell,
              min(row) FILTER (NOT contains(written, '%')) AS row
          FROM scores WHERE parse_score(written, part := getvariable('score_part')) IS NOT NULL
          GROUP BY dataset HAVING bool_or(contains(written, '%')))
    WHERE row IS NOT NULL
);

INSERT INTO benchmark_results (model, dataset, score, metric, recipe)
SELECT model, dataset, parse_score(written, part := getvariable('score_part')), metric, getvariable('recipe')
FROM scores WHERE parse_score(written, part := getvariable('score_part')) IS NOT NULL;
