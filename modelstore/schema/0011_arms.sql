-- Several recipes compete in one selection.

ALTER TABLE selections ADD COLUMN recipe VARCHAR;        -- the winner's, once it is done
ALTER TABLE selections ADD COLUMN recipes VARCHAR;       -- those that compete, with their options, JSON; NULL: one
ALTER TABLE selection_stages ADD COLUMN recipe VARCHAR;

-- In earlier selections all models trained by the one that runs are recorded under; a replay read those of another.
UPDATE selection_stages SET recipe = if(
    TRY_CAST(options AS JSON) ->> '$.executor' = 'replay', TRY_CAST(options AS JSON) ->> '$.recipe', recorded_as
) FROM selections WHERE selections.id = selection;
UPDATE selections SET recipe = (SELECT any_value(s.recipe) FROM selection_stages s WHERE s.selection = selections.id)
WHERE status = 'done';
