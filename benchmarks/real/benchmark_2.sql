-- Half of the pairs, for one of two processes: a stopped run goes on where it was. No model trains on the task that it
-- was fine-tuned on before.
BENCHMARK MODELS ON clinc150, airline, germeval, sts
WITH (recipe = 'real', epochs = 3, batch_size = 16, max_length = 64);
BENCHMARK MODELS WHERE name NOT LIKE '%-sst2' ON sst2 WITH (recipe = 'real');
BENCHMARK MODELS WHERE name NOT LIKE '%-banking77' ON banking77 WITH (recipe = 'real');
BENCHMARK MODELS WHERE name NOT LIKE '%-mrpc' ON mrpc WITH (recipe = 'real');

-- Two of the four tasks that are trained on with three seeds.
BENCHMARK MODELS ON clinc150 WITH (recipe = 'real', seed = 1);
BENCHMARK MODELS ON clinc150 WITH (recipe = 'real', seed = 2);
BENCHMARK MODELS WHERE name NOT LIKE '%-sst2' ON sst2 WITH (recipe = 'real', seed = 1);
BENCHMARK MODELS WHERE name NOT LIKE '%-sst2' ON sst2 WITH (recipe = 'real', seed = 2);
