-- The run's matrix, curves and proxy scores, from which replay can study methods at no cost.
COPY (SELECT model, dataset, metric, score, epochs, seconds, seed FROM benchmark_results ORDER BY ALL)
TO 'matrix.parquet' (COMPRESSION zstd);
COPY (
    SELECT model, dataset, stage::UTINYINT AS stage, epoch::FLOAT AS epoch, validation::FLOAT AS validation,
           test::FLOAT AS test, train_loss::FLOAT AS train_loss, seconds::FLOAT AS seconds,
           seed::UTINYINT AS seed
    FROM training_curves ORDER BY model, dataset, seed, stage
) TO 'curves.parquet' (COMPRESSION zstd);
COPY (SELECT model, dataset, proxy, score, rows, seconds FROM proxy_scores ORDER BY ALL)
TO 'proxies.parquet' (COMPRESSION zstd);
COPY (SELECT name, modality, architecture, parameters FROM models WHERE base IS NULL ORDER BY ALL) TO 'models.parquet';
COPY (SELECT name, task, metric, modality, train_rows, validation_rows, test_rows FROM datasets ORDER BY ALL)
TO 'datasets.parquet';
