-- What the two processes recorded, in one store.
ATTACH 'half_1.db' AS half_1 (READ_ONLY);
ATTACH 'half_2.db' AS half_2 (READ_ONLY);

INSERT OR IGNORE INTO recipes FROM half_1.recipes;

INSERT INTO benchmark_results BY NAME
SELECT * FROM (FROM half_1.benchmark_results UNION ALL FROM half_2.benchmark_results) AS found
WHERE NOT EXISTS (
    FROM benchmark_results AS known
    WHERE (known.model, known.dataset, known.recipe, known.seed) = (found.model, found.dataset, found.recipe, found.seed)
);

INSERT INTO training_curves BY NAME
SELECT * FROM (FROM half_1.training_curves UNION ALL FROM half_2.training_curves) AS found
WHERE NOT EXISTS (
    FROM training_curves AS known
    WHERE (known.model, known.dataset, known.recipe, known.seed) = (found.model, found.dataset, found.recipe, found.seed)
);

DETACH half_1;
DETACH half_2;
