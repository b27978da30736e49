-- What the prior in prior_choices says of each model, kept with it. There, the target '' stands for every dataset
-- without results of the recipe: such a one has no records to be left out.

CREATE TABLE model_priors (
    recipe VARCHAR,
    target VARCHAR,
    model VARCHAR,
    score DOUBLE
);
