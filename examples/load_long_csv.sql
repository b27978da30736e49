-- Loads results with one row for each run. A pair with several runs counts with the mean of its runs.
--
--     model,dataset,accuracy,seed,epochs,minutes        model,dataset,epoch,validation,test
--     bert,sst2,0.91,0,3,12.5                           bert,sst2,1,0.85,0.84
--
-- Run it in the folder of the files:  modelstore zoo.db -f load_long_csv.sql
INSERT INTO benchmark_results (model, dataset, score, metric, seed, epochs, seconds)
SELECT model, dataset, accuracy, 'accuracy', seed, epochs, 60 * minutes
FROM read_csv('results.csv');

-- Stages are numbered from 1, in the order of the epochs; an evaluation before training, at epoch 0, is none.
INSERT INTO training_curves (model, dataset, stage, epoch, validation, test)
SELECT model, dataset, row_number() OVER (PARTITION BY model, dataset ORDER BY epoch), epoch, validation, test
FROM read_csv('curves.csv') WHERE epoch > 0;
