"""Who may be selected: `FROM relation WHERE predicate`, less what can never be a candidate."""

from dataclasses import dataclass

import duckdb

from modelstore.errors import NotFoundError
from modelstore.language import expressions as ours
from modelstore.planner.plan import Plan
from modelstore.planner.session import Session
from modelstore.store.catalog import Dataset, Model


@dataclass(frozen=True)
class Candidates:
    """The models' names in order, what is registered of them, and the text that chose them."""

    names: list[str]
    registered: dict[str, Model]
    description: str
    sources: tuple[Plan, ...] = ()  # the plans of ours that FROM and WHERE hold


def find_candidates(
    session: Session,
    statement: ours.Extension,
    target: str | None = None,
    dataset: Dataset | None = None,
    on_record: str | None = None,
) -> Candidates:
    """Reads the candidates of a statement.

    ``on_record`` is a recipe where no weights are needed: if no relation is named, every model with records
    of it is a candidate, registered or not; otherwise `models` is the relation. A model of another modality
    than the target's, or fine-tuned on it by an earlier selection, never is.
    Raises ``NotFoundError`` where nobody is left.
    """
    relation, where = statement.args.get("relation"), statement.args.get("where")
    source = "main.models"
    if relation:
        source = session.text(relation.args["start"], relation.args["end"])
    elif on_record:
        literal = on_record.replace("'", "''")
        source = f"main.recorded_models('{literal}')"
    sources = _plans_in(session, relation, where)
    names = _read_names(session, source, relation, where)
    if not names and where and any(plan.actual is None for plan in sources):
        # EXPLAIN: rows that nothing has run to give meet no predicate, and then it expects all of them to.
        names = _read_names(session, source, relation, None)
    registered = session.store.catalog.find_models(names)
    kept = [name for name in names if name not in registered or _may_serve(registered[name], target, dataset)]
    if not kept:
        raise NotFoundError(_nobody(names, relation is None and where is None, dataset))
    description = relation.this if relation else "models on record" if on_record else "models"
    if where:
        description += f" · {where.this}"
    registered = {name: registered[name] for name in kept if name in registered}
    return Candidates(kept, registered, " ".join(description.split()), sources)


def _plans_in(session: Session, *spans: ours.Raw | None) -> tuple[Plan, ...]:
    ranges = [(span.args["start"], span.args["end"]) for span in spans if span is not None]
    return tuple(
        plan
        for (start, end), plan in sorted(session.plans.items(), key=lambda item: item[0])
        if any(first <= start and end <= last for first, last in ranges)
    )


def _may_serve(model: Model, target: str | None, dataset: Dataset | None) -> bool:
    if target is not None and target in model.fine_tuned_on:
        return False
    return dataset is None or model.modality is None or model.modality == dataset.modality


def _nobody(names: list[str], everyone: bool, dataset: Dataset | None) -> str:
    if not names and everyone:
        return "there are no models: register some with CREATE MODEL name FROM 'directory'"
    if not names:
        return "no model meets FROM and WHERE: widen them"
    modality = f"{dataset.modality} " if dataset else ""
    return (
        f"none of the {len(names)} models can be a candidate: it takes {modality}models that no selection "
        "has fine-tuned on the target before"
    )


def _read_names(
    session: Session, source: str, relation: ours.Raw | None, where: ours.Raw | None
) -> list[str]:
    tables = session.with_tables()
    values = session.parameters_in(*([relation] if relation else []))
    try:
        description = session.query(f"{tables}SELECT * FROM {source}\nLIMIT 0", values).description
    except duckdb.Error as error:
        raise session.relocated(error, relation) from None
    columns = [column[0] for column in description or []]
    lower = [column.lower() for column in columns]
    key = next((columns[lower.index(wanted)] for wanted in ("name", "model") if wanted in lower), None)
    if key is None:
        message = f"Binder Error: candidates come from a column name or model; this relation has {', '.join(columns)}"
        raise duckdb.BinderException(session.at(message, relation))
    condition = f"WHERE ({session.text(where.args['start'], where.args['end'])}\n)" if where else ""
    values = session.parameters_in(*(span for span in (relation, where) if span is not None))
    quoted = '"' + key.replace('"', '""') + '"'
    try:
        rows = session.query(
            f"{tables}SELECT DISTINCT {quoted}::VARCHAR AS name FROM {source}\n{condition}", values
        ).fetchall()
    except duckdb.Error as error:
        raise session.relocated(error, where or relation) from None
    return sorted(name for (name,) in rows if name is not None)
