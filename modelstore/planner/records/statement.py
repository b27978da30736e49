"""`IMPORT RECORDS` and `SHOW RECORDS`: the public records that come with the package."""

import pyarrow as pa

from modelstore.errors import StoreError
from modelstore.language import nodes
from modelstore.language.statements import IMPORT_RECORDS, SHOW_RECORDS
from modelstore.planner.context import StatementContext
from modelstore.planner.plan import counted
from modelstore.planner.result_schema import schema_of
from modelstore.progress import notify
from modelstore.public import NAMES, RECORDS, PublicRecords
from modelstore.sql_text import literal


def import_records(context: StatementContext, statement: nodes.Extension) -> pa.Table:
    """Adds public records to the store, all that are named or none; a row for each says what was added."""
    context.refuse_read_only("IMPORT RECORDS")
    valid = f"the public records are {', '.join(NAMES)}"
    named = [context.choice_of(node, "records", NAMES, valid) for node in statement.args["records"]]
    chosen = [RECORDS[name] for name in dict.fromkeys(named or NAMES)]
    with context.store.transaction():
        added = [_add(context, records) for records in chosen]
    for records, count in zip(chosen, added, strict=True):
        if count:
            notify(
                f"{records.name} has {counted(count, 'new result')}: read them WITH (recipe = '{records.name}'), "
                f"or beside your own WITH (recipes = ['default', '{records.name}'])"
            )
        else:
            notify(f"the results of {records.name} are in the store already: nothing has changed")
    rows = [
        {"name": records.name, "results": records.results, "added": count}
        for records, count in zip(chosen, added, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=schema_of(IMPORT_RECORDS))


def _add(context: StatementContext, records: PublicRecords) -> int:
    """Adds what is missing of some records. Raises ``StoreError`` where their recipe is that of others."""
    results, recipe = context.store.public_results, records.name
    if context.store.recipes.options(recipe) is not None:
        raise StoreError(
            f'the recipe "{recipe}" is that of public records, and models have been trained by one of that name: '
            "import them into another database"
        )
    published = records.read()
    others = results.count_others(published, recipe)
    if others:
        raise StoreError(
            f'the recipe "{recipe}" is that of public records, and {counted(others, "result")} of it '
            f"{'is' if others == 1 else 'are'} none of them: give what is yours another name first, UPDATE "
            f"benchmark_results SET recipe = 'mine' WHERE recipe = {literal(recipe)}, or DELETE it"
        )
    return results.add_missing(published, recipe)


def show_records(context: StatementContext, statement: nodes.Extension) -> pa.Table:
    """The public records, a row a set."""
    imported = context.store.public_results.counts(NAMES)
    schema = schema_of(SHOW_RECORDS)
    rows = [
        {name: getattr(records, name) for name in schema.names if name != "imported"}
        | {"imported": imported.get(records.name, 0)}
        for records in RECORDS.values()
    ]
    return pa.Table.from_pylist(rows, schema=schema)
