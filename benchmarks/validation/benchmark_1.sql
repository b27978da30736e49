-- Half of the pairs, for one of two processes: a stopped run goes on where it was.
BENCHMARK MODELS
ON use, suite, section_en, implemented_in, same_source, role, interface, devel
WITH (
    recipe = 'validation', epochs = 4, learning_rate = 1.5e-3, batch_size = 16, max_length = 48,
    stages_per_epoch = 4
);
