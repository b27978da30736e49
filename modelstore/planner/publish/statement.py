"""`PUBLISH MODEL`: a registered model goes to the Hugging Face hub."""

import pyarrow as pa

from modelstore.data import hub
from modelstore.errors import ModelError
from modelstore.language import nodes
from modelstore.language.statements import PUBLISH_MODEL
from modelstore.options import PublishOptions
from modelstore.planner.contents import check_model_unchanged
from modelstore.planner.context import StatementContext
from modelstore.planner.result_schema import schema_of

SCHEMA = schema_of(PUBLISH_MODEL)


def publish_model(context: StatementContext, statement: nodes.Extension) -> pa.Table:
    """Publishes a model; the row says where it is. Raises ``ModelError`` where that is not possible."""
    options = context.options_of(statement, PublishOptions)
    model = context.store.catalog.model(context.name_of(statement.this))
    address = context.name_of(statement.args["uri"])
    if model.uri is None:
        raise ModelError(f'the model "{model.name}" has no uri in models, so there is nothing to publish')
    check_model_unchanged(context.store, model)
    commit = hub.publish_model(model.name, model.uri, address, options.private)
    return pa.Table.from_pylist([{"model": model.name, "uri": address, "revision": commit}], schema=SCHEMA)
