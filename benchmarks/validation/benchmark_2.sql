-- Half of the pairs, for one of two processes: a stopped run goes on where it was.
BENCHMARK MODELS
ON title_match, letter, icon_category, installed_size, language, scope, section_da, section_fr, section_it, uitoolkit, font_style, printed_digit, script
WITH (
    recipe = 'validation', epochs = 4, learning_rate = 1.5e-3, batch_size = 16, max_length = 48,
    stages_per_epoch = 4
);
