-- Half of the pairs, for one of two processes: a stopped run goes on where it was. No model trains on the task that it
-- was fine-tuned on before.
BENCHMARK MODELS ON trec, sms, csabstruct, davidson_hate
WITH (recipe = 'real', epochs = 3, batch_size = 16, max_length = 64);
BENCHMARK MODELS WHERE name NOT LIKE '%-cola' ON cola WITH (recipe = 'real');
BENCHMARK MODELS WHERE name NOT LIKE '%-ag_news' ON ag_news WITH (recipe = 'real');
BENCHMARK MODELS WHERE name NOT LIKE '%-emotion' ON emotion WITH (recipe = 'real');

-- Two of the four tasks that are trained on with three seeds.
BENCHMARK MODELS ON trec WITH (recipe = 'real', seed = 1);
BENCHMARK MODELS ON trec WITH (recipe = 'real', seed = 2);
BENCHMARK MODELS WHERE name NOT LIKE '%-cola' ON cola WITH (recipe = 'real', seed = 1);
BENCHMARK MODELS WHERE name NOT LIKE '%-cola' ON cola WITH (recipe = 'real', seed = 2);
