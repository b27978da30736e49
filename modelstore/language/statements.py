"""The extension statements, each described once.

To add a statement, add its description here and write its planner function.
"""

from modelstore.language.description import Clause, Column, Form, Language, OneOf, Statement, Takes, Word

# Clauses that several statements share.
_FROM = Clause(
    "relation",
    Takes.RELATION,
    "FROM",
    shown="relation",
    expected="a relation",
    names="table",
    help="The candidates: a table, a view, a common table or a query in parentheses, with a column `name` or "
    "`model`. By default `models`, or, where no weights are needed, every model on record.",
)
_WHERE = Clause(
    "where",
    Takes.PREDICATE,
    "WHERE",
    shown="predicate",
    expected="a predicate",
    help="Any DuckDB predicate over the candidates. Without `FROM` it sees the columns `latency_ms`, "
    "`rows_per_second` and `memory` too, of the statement's device; what is unknown is measured.",
)
_TARGET = Clause(
    "target",
    Takes.NAME,
    "FOR",
    required=True,
    shown="dataset",
    expected="the target dataset's name",
    names="dataset",
    help="The dataset that a model is wanted for.",
)
_DATASETS = Clause(
    "datasets",
    Takes.NAMES,
    "ON",
    required=True,
    shown="dataset",
    expected="a dataset's name, or ALL DATASETS",
    names="dataset",
    everything="ALL DATASETS",
    help="The datasets.",
)
_OR_REPLACE = Clause(
    "replace", Takes.NOTHING, "OR REPLACE", help="Replaces one of the same name; its records stay."
)
_IF_NOT_EXISTS = Clause(
    "exists", Takes.NOTHING, "IF NOT EXISTS", help="Does nothing if there is one of the same name."
)
_IF_EXISTS = Clause("exists", Takes.NOTHING, "IF EXISTS", help="Does nothing if there is none of this name.")
_NEW_NAME = Clause("this", Takes.NAME, required=True, shown="name", expected="a name", help="Its name.")
_URI = "the uri as a string, like 'path/to/it' or 'hf://owner/name'"


def _count(help: str, typical: int | None = None) -> Clause:
    return Clause("count", Takes.COUNT, shown="n", expected="a number", typical=typical, help=help)


CREATE_MODEL = Statement(
    syntax=(
        Word("CREATE"),
        _OR_REPLACE,
        Word("MODEL"),
        _IF_NOT_EXISTS,
        _NEW_NAME,
        Clause(
            "uri",
            Takes.VALUE,
            "FROM",
            required=True,
            shown="'uri'",
            expected=_URI,
            names="file",
            help="A directory in the Hugging Face layout, `hf://[owner/]name[@revision]`, or an url such as "
            "`s3://bucket/folder`.",
        ),
    ),
    form=Form.COMMAND,
    planner="modelstore.planner.catalog.statement:create_model",
    has_plan=False,
    options="modelstore.options:ModelOptions",
    help="Registers a model.",
    details="Reads the model's config: architecture, modality, number of parameters, labels and card. "
    "No weights are loaded.",
    example="CREATE MODEL bert FROM 'hf://google-bert/bert-base-uncased'",
)

CREATE_DATASET = Statement(
    syntax=(
        Word("CREATE"),
        _OR_REPLACE,
        Word("DATASET"),
        _IF_NOT_EXISTS,
        _NEW_NAME,
        OneOf(
            (
                Clause(
                    "uri",
                    Takes.VALUE,
                    "FROM",
                    required=True,
                    shown="'uri'",
                    expected=_URI,
                    names="file",
                    help="A Parquet, CSV or JSON file, a directory in the Hugging Face layout, or "
                    "`hf://owner/name[@revision]`.",
                ),
                Clause(
                    "query",
                    Takes.QUERY,
                    "AS",
                    required=True,
                    shown="query",
                    expected="a query",
                    help="Any DuckDB query. Its rows are kept in the database file.",
                ),
            )
        ),
    ),
    form=Form.COMMAND,
    planner="modelstore.planner.catalog.statement:create_dataset",
    has_plan=False,
    options="modelstore.options:DatasetOptions",
    help="Registers a dataset.",
    details="The columns are `text` or `image`, `text_pair` if there is one, `label`, and `split` (`train`, "
    "`validation` or `test`); for token classification `tokens` and `tags`, lists of one length. Other names are "
    "mapped by options. Splits that are missing are made, stratified by "
    "label and the same each time. Task and metric are inferred from the columns unless they are given.",
    example="CREATE DATASET reviews AS SELECT review AS text, stars AS label FROM 'reviews.csv'",
)


def _create_many(kind: str, unnamed: str, on_hub: str, example: str) -> Statement:
    """`CREATE MODELS` and `CREATE DATASETS`."""
    return Statement(
        syntax=(
            Word("CREATE"),
            _OR_REPLACE,
            Word(f"{kind.upper()}S"),
            _IF_NOT_EXISTS,
            Clause(
                "relation",
                Takes.RELATION,
                "FROM",
                required=True,
                shown="relation",
                expected="a relation with a column uri",
                names="table",
                help="A table, a view, a common table or a query in parentheses, with a column `uri` and maybe a "
                f"column `name`. {unnamed}",
            ),
        ),
        form=Form.COMMAND,
        planner=f"modelstore.planner.catalog.many:create_{kind}s",
        has_plan=False,
        columns=(
            Column("name", "VARCHAR", f"the {kind}"),
            Column("status", "VARCHAR", "`created`, `replaced`, `exists` (it stays as it is) or `failed`"),
            Column("reason", "VARCHAR", "why it failed; else NULL"),
        ),
        help=f"Registers the {kind}s that a relation lists.",
        details=f"A row that fails says why, and the others are registered. {on_hub} It commits as it goes, so it "
        "cannot run inside BEGIN; a stopped run is finished by running it again with IF NOT EXISTS.",
        example=example,
    )


CREATE_MODELS = _create_many(
    "model",
    "A model without a name gets that of its repository, `owner/name`, or of its folder.",
    "Of models on the hub, 16 at a time, config, card and the hub's count of parameters are read; other files are "
    "fetched when they are first needed. Adapters, pickled weights and some sentence-transformers are fetched now.",
    "CREATE MODELS FROM (SELECT parse_dirpath(file) AS uri FROM glob('models/*/config.json'))",
)

CREATE_DATASETS = _create_many(
    "dataset",
    "A dataset without a name gets that of its repository, `owner/name`, or of its folder or file.",
    "Each is registered as by CREATE DATASET without options. From the hub, 16 at a time are fetched.",
    "CREATE DATASETS FROM (SELECT file AS uri FROM glob('data/*.csv'))",
)

SEARCH_MODELS = Statement(
    syntax=(
        Word("SEARCH"),
        Word("MODELS", accepts=("MODEL",)),
        Clause(
            "dataset",
            Takes.NAME,
            "FOR",
            shown="dataset",
            expected="a dataset's name",
            names="dataset",
            help="Only models of tasks whose models can be fine-tuned on this dataset.",
        ),
    ),
    form=Form.TABLE,
    planner="modelstore.planner.catalog.search:bind_search",
    options="modelstore.options:SearchOptions",
    columns=(
        Column("name", "VARCHAR", "the repository, `owner/name`"),
        Column("uri", "VARCHAR", "its address, `hf://owner/name`"),
        Column("downloads", "BIGINT", "how often it was downloaded in the last 30 days"),
        Column("likes", "BIGINT", "how many people like it"),
        Column("license", "VARCHAR", "its licence, as its card says"),
        Column("languages", "VARCHAR[]", "the codes of its languages, as its card says"),
        Column("task", "VARCHAR", "the hub's name of its task"),
        Column("base_model", "VARCHAR", "the repository that it was made from, as its card says"),
        Column("parameters", "BIGINT", "how many it has; NULL where the hub has not counted them"),
        Column("last_modified", "TIMESTAMP", "when it was last changed, in UTC"),
        Column("tags", "VARCHAR[]", "the hub's tags of it"),
    ),
    help="Asks the Hugging Face hub for models.",
    details="Nothing is stored or fetched: CREATE MODELS FROM (SEARCH MODELS …) registers what is found. The tasks "
    "of models for texts are `fill-mask`, `text-classification`, `feature-extraction` and `sentence-similarity`, and "
    "`token-classification` where tokens are tagged; for images they are `image-classification` and "
    "`image-feature-extraction`.",
    example="SEARCH MODELS FOR reviews WITH (language = 'de', limit = 20)",
)

DROP_MODEL = Statement(
    syntax=(
        Word("DROP"),
        Word("MODEL"),
        _IF_EXISTS,
        Clause("this", Takes.NAME, required=True, shown="name", expected="a name", names="model"),
    ),
    form=Form.COMMAND,
    planner="modelstore.planner.catalog.statement:drop_model",
    has_plan=False,
    columns=(
        Column("model", "VARCHAR", "the model"),
        Column("records_kept", "BIGINT", "how many of its records stay"),
    ),
    help="Forgets a model; its records stay.",
    details="Results, curves and proxy scores of the model are kept, and still serve as history.",
    example="DROP MODEL IF EXISTS bert",
)

DROP_DATASET = Statement(
    syntax=(
        Word("DROP"),
        Word("DATASET"),
        _IF_EXISTS,
        Clause("this", Takes.NAME, required=True, shown="name", expected="a name", names="dataset"),
    ),
    form=Form.COMMAND,
    planner="modelstore.planner.catalog.statement:drop_dataset",
    has_plan=False,
    columns=(
        Column("dataset", "VARCHAR", "the dataset"),
        Column("records_kept", "BIGINT", "how many of its records stay"),
    ),
    help="Forgets a dataset and the rows that the file keeps of it; its records stay.",
    details="Results, curves and proxy scores on the dataset are kept, and still serve as history.",
    example="DROP DATASET IF EXISTS reviews",
)

PUBLISH_MODEL = Statement(
    syntax=(
        Word("PUBLISH"),
        Word("MODEL"),
        Clause("this", Takes.NAME, required=True, shown="name", expected="a name", names="model"),
        Clause(
            "uri",
            Takes.VALUE,
            "TO",
            required=True,
            shown="'hf://owner/name'",
            expected="the repository as a string, like 'hf://owner/name'",
            help="The repository on the hub. One that is not there is made.",
        ),
    ),
    form=Form.COMMAND,
    planner="modelstore.planner.publish.statement:publish_model",
    has_plan=False,
    options="modelstore.options:PublishOptions",
    columns=(
        Column("model", "VARCHAR", "the model"),
        Column("uri", "VARCHAR", "where it is on the hub"),
        Column("revision", "VARCHAR", "the commit"),
    ),
    help="Publishes a model on the Hugging Face hub.",
    details="Weights, config, tokenizer or image processor, card and licence go there in one commit, which deletes "
    "weights that the repository has of another model. The token is that of the hub's own tools: `hf auth login`, or "
    "`HF_TOKEN`.",
    example="PUBLISH MODEL \"bert-finetuned-reviews\" TO 'hf://me/bert-reviews' WITH (private = true)",
)

EXPORT_MODEL = Statement(
    syntax=(
        Word("EXPORT"),
        Word("MODEL"),
        Clause("this", Takes.NAME, required=True, shown="name", expected="a name", names="model"),
        Clause(
            "folder",
            Takes.VALUE,
            "TO",
            required=True,
            shown="'folder'",
            expected="the folder as a string",
            names="file",
            help="A folder that is not there yet.",
        ),
    ),
    form=Form.COMMAND,
    planner="modelstore.planner.publish.export:export_model",
    has_plan=False,
    options="modelstore.options:ExportOptions",
    options_as_copy=True,
    columns=(
        Column("model", "VARCHAR", "the model"),
        Column("path", "VARCHAR", "the file"),
    ),
    help="Writes a model for programs that have no PyTorch.",
    details="The folder gets `model.onnx`, config, and tokenizer or image processor. The graph takes batches of any "
    "size and texts of any length. It is run by ONNX Runtime beside the model: outputs that differ by more than 1e-4 "
    "are an error. It needs `modelstore[onnx]`.",
    example="EXPORT MODEL \"bert-finetuned-reviews\" TO 'reviews-onnx' (FORMAT onnx)",
)

BENCHMARK_MODELS = Statement(
    syntax=(Word("BENCHMARK"), Word("MODELS"), _FROM, _WHERE, _DATASETS),
    form=Form.COMMAND,
    planner="modelstore.planner.benchmark.statement:bind_benchmark",
    options="modelstore.options:BenchmarkOptions",
    columns=(
        Column("model", "VARCHAR", "the model"),
        Column("dataset", "VARCHAR", "the dataset"),
        Column("recipe", "VARCHAR", "the recipe that the run is recorded under"),
        Column("score", "DOUBLE", "its test score, at the point that `keep` says"),
        Column("epochs", "DOUBLE", "epochs trained, those of tried learning rates included"),
        Column("seconds", "DOUBLE", "seconds that training took"),
        Column("status", "VARCHAR", "`done`, `skipped` (it was on record) or `failed`"),
    ),
    help="Fine-tunes each model on each dataset, and records the results.",
    details="Each pair's result and training curve are stored as the pair ends. A pair on record is skipped, so a "
    "stopped run is finished by running it again. With `recipes`, or a list of values of a training option, each "
    "model is trained by several recipes.",
    example="BENCHMARK MODELS WHERE parameters < 200e6 ON ALL DATASETS WITH (epochs = 3)",
)

CLUSTER_MODELS = Statement(
    syntax=(
        Word("CLUSTER"),
        Word("MODELS"),
        _FROM,
        _WHERE,
        Clause(
            "method",
            Takes.NAME,
            "USING",
            shown="method",
            expected="a clustering method",
            choices="modelstore.options:CLUSTERINGS",
            help="The clustering method; by default `hierarchical`.",
        ),
    ),
    form=Form.COMMAND,
    planner="modelstore.planner.cluster.statement:bind_cluster",
    options="modelstore.options:ClusterOptions",
    columns=(
        Column("clusters", "BIGINT", "how many clusters there are"),
        Column("models", "BIGINT", "how many models were clustered"),
        Column("singletons", "BIGINT", "how many clusters hold one model"),
        Column("silhouette", "DOUBLE", "the mean silhouette coefficient"),
        Column("threshold", "DOUBLE", "the threshold that was taken; NULL for kmeans"),
    ),
    help="Groups models by their recorded results, and names a representative of each cluster.",
    details="It replaces the current clustering, which is in `model_clusters`. RECALL scores the representatives "
    "only, and infers the other members' scores from theirs.",
    example="CLUSTER MODELS USING hierarchical WITH (threshold = 0.09)",
)

RECALL_MODELS = Statement(
    syntax=(
        Word("RECALL"),
        _count("How many models are recalled; by default the option `recall`.", typical=10),
        Word("MODELS", accepts=("MODEL",)),
        _TARGET,
        _FROM,
        _WHERE,
        Clause(
            "proxies",
            Takes.NAMES,
            "USING",
            shown="proxy",
            expected="a proxy's name",
            choices="modelstore.options:PROXIES",
            help="The proxies that score candidates; by default the option `proxy`.",
        ),
    ),
    form=Form.TABLE,
    planner="modelstore.planner.recall.statement:bind_recall",
    options="modelstore.options:RecallOptions",
    columns=(
        Column("rank", "BIGINT", "from 1, the best"),
        Column("model", "VARCHAR", "the model"),
        Column("cluster", "BIGINT", "its cluster"),
        Column("representative", "VARCHAR", "its cluster's representative"),
        Column("prior", "DOUBLE", "what its records on other datasets promise"),
        Column(
            "proxy_score",
            "DOUBLE",
            "its normalised proxy score, or its representative's; NULL where it was not scored",
        ),
        Column(
            "recall_score",
            "DOUBLE",
            "what models are ranked by: prior × proxy score, or the share of candidates that rank no higher",
        ),
        Column(
            "chance",
            "DOUBLE",
            "how likely it is the best of all candidates; NULL with `prior = 'mean'`, and without any results",
        ),
    ),
    help="Ranks candidates for a dataset without training any.",
    details="A prior from recorded results ranks the models, and proxy scores of the best by it refine the order. "
    "A stored proxy score is used instead of computing it again.",
    example="RECALL 10 MODELS FOR reviews USING leep, logme",
)

SELECT_BEST = Statement(
    syntax=(
        Word("SELECT"),
        Word("BEST"),
        _count("How many winners are wanted; by default 1."),
        Word("MODEL", also=("MODELS",)),
        _TARGET,
        _FROM,
        _WHERE,
        Clause(
            "strategy",
            Takes.NAME,
            "USING",
            shown="strategy",
            expected="a strategy's name",
            choices="modelstore.options:STRATEGIES",
            help="How training is spent; by default `value_of_information`, which trains a model while that may "
            "change the choice. `two_phase` is the paper's method: recall, then fine selection.",
        ),
    ),
    form=Form.TABLE,
    planner="modelstore.planner.select.binding:bind_select_best",
    options="modelstore.options:SelectOptions",
    columns=(
        Column("rank", "BIGINT", "from 1, the best"),
        Column("model", "VARCHAR", "the model"),
        Column("recipe", "VARCHAR", "the recipe that it trained by; NULL of an ensemble"),
        Column("validation", "DOUBLE", "its validation score, at the point that `keep` says"),
        Column("test", "DOUBLE", "its test score at that point"),
        Column("epochs", "DOUBLE", "epochs that it was trained, those of tried learning rates included"),
        Column("seconds", "DOUBLE", "seconds that its training took"),
        Column("checkpoint", "VARCHAR", "where the fine-tuned winner is saved; NULL after a replay"),
        Column("selection", "BIGINT", "the selection's id, in `selections`"),
    ),
    help="Fine-tunes candidates stage by stage, drops those that fall behind, and returns the best.",
    details="With `recipes`, or a list of values of a training option, pairs of model and recipe compete. Every "
    "decision is logged in `selection_stages` with its reason. A stopped selection goes on by RESUME SELECTION. With "
    "`executor = 'replay'` nothing is trained: recorded curves are read instead. With `latency_weight` or `pareto`, "
    "what a model costs to use counts too.",
    example="SELECT BEST MODEL FOR reviews WHERE parameters < 200e6 WITH (epochs = 5, budget_epochs = 40)",
)

EVALUATE_MODELS = Statement(
    syntax=(
        Word("EVALUATE"),
        Word("MODEL", also=("MODELS",)),
        Clause(
            "models",
            Takes.NAMES,
            required=True,
            shown="name",
            expected="a model's name",
            names="model",
            help="The models: winners that selections have registered, or other models with a head.",
        ),
        Clause(
            "dataset",
            Takes.NAME,
            "ON",
            required=True,
            shown="dataset",
            expected="the dataset's name",
            names="dataset",
            help="The dataset whose rows are predicted.",
        ),
    ),
    form=Form.TABLE,
    planner="modelstore.planner.evaluate.statement:bind_evaluate",
    options="modelstore.options:EvaluateOptions",
    columns=(
        Column("model", "VARCHAR", "the model"),
        Column(
            "metric",
            "VARCHAR",
            "what `value` is: a metric, `difference from` or `p_value against` another model; of a class its "
            "`precision`, `recall`, `f1` or `support`, or how many of its rows are `predicted` as each class",
        ),
        Column(
            "class", "VARCHAR", "the true class, the label or the type of entities; NULL for all together"
        ),
        Column("value", "DOUBLE", "the value; NULL where it is not defined"),
        Column("low", "DOUBLE", "the lower end of its confidence interval; NULL for counts and p-values"),
        Column("high", "DOUBLE", "the upper end"),
    ),
    help="Says how well models predict a split of a dataset, how sure that is, and whether one model is better.",
    details="The dataset's metric comes first, then the others of its task. Intervals are of bootstrap resamples of "
    "the rows. Each two models are compared by the dataset's metric on the same rows: the difference with its "
    "interval, and the p-value of a permutation test, which Holm's correction adjusts for the number of pairs. "
    "Nothing is stored.",
    example='EVALUATE MODELS "bert-finetuned-reviews", "roberta-finetuned-reviews" ON reviews',
)

COMPARE_STRATEGIES = Statement(
    syntax=(
        Word("COMPARE"),
        Word("STRATEGIES", accepts=("STRATEGY",)),
        Clause(
            "strategies",
            Takes.NAMES,
            shown="strategy",
            expected="a strategy's name, or ON",
            choices="modelstore.options:STRATEGIES",
            help="The strategies; by default all.",
        ),
        _DATASETS,
    ),
    form=Form.TABLE,
    planner="modelstore.planner.compare.statement:bind_compare",
    options="modelstore.options:CompareOptions",
    columns=(
        Column("strategy", "VARCHAR", "the strategy"),
        Column("dataset", "VARCHAR", "the dataset"),
        Column("model", "VARCHAR", "the model that it would have chosen"),
        Column("score", "DOUBLE", "that model's test score"),
        Column("regret", "DOUBLE", "how much the best model scores above it"),
        Column("epochs", "DOUBLE", "epochs that it would have cost"),
        Column("seconds", "DOUBLE", "seconds that it would have taken"),
    ),
    help="Replays strategies on recorded datasets, each as if it were new.",
    details="Nothing is trained or stored. A dataset's own records are left out of what a strategy knows before.",
    example="COMPARE STRATEGIES value_of_information, brute_force ON ALL DATASETS",
)

SUGGEST_BENCHMARKS = Statement(
    syntax=(
        Word("SUGGEST"),
        _count("How many datasets are suggested; by default all."),
        Word("BENCHMARKS", accepts=("BENCHMARK",)),
        Clause(
            "model",
            Takes.NAME,
            "FOR MODEL",
            shown="name",
            expected="the model's name",
            names="model",
            help="Counts the results that this model has already, and suggests what to run beside them.",
        ),
    ),
    form=Form.TABLE,
    planner="modelstore.planner.compare.suggest:bind_suggest",
    options="modelstore.options:SuggestOptions",
    columns=(
        Column("rank", "BIGINT", "from 1, the most informative"),
        Column("dataset", "VARCHAR", "the dataset"),
        Column(
            "gain",
            "DOUBLE",
            "share of the variance over all datasets that its results explain, beside those ranked before it",
        ),
    ),
    help="Names the datasets whose results say most about the rest.",
    details="Datasets are chosen one after another by the correlations of recorded results.",
    example="SUGGEST 3 BENCHMARKS",
)

SIMILAR_DATASETS = Statement(
    syntax=(
        Word("SIMILAR"),
        Word("DATASETS", accepts=("DATASET",)),
        Clause(
            "target",
            Takes.NAME,
            "TO",
            required=True,
            shown="dataset",
            expected="the dataset's name",
            names="dataset",
            help="The dataset that the others are compared with.",
        ),
        Clause(
            "method",
            Takes.NAME,
            "USING",
            shown="method",
            expected="embedding, results or task2vec",
            choices="modelstore.options:DATASET_SIMILARITIES",
            help="What is compared; by default `results` where the dataset has enough of them, else `embedding`.",
        ),
    ),
    form=Form.TABLE,
    planner="modelstore.planner.similar.statement:bind_similar",
    options="modelstore.options:SimilarOptions",
    columns=(
        Column("rank", "BIGINT", "from 1, the most alike"),
        Column("dataset", "VARCHAR", "the dataset"),
        Column("similarity", "DOUBLE", "at most 1; it compares within one method and encoder alone"),
        Column("method", "VARCHAR", "what was compared"),
        Column("models", "BIGINT", "of `results`: how many models have results on both"),
        Column("inputs", "DOUBLE", "of `embedding`: the cosine of the rows' mean embeddings"),
        Column(
            "labels",
            "DOUBLE",
            "of `embedding`: that of the labels' names; NULL where one has no names in words",
        ),
    ),
    help="Ranks the other datasets by how much they are like this one.",
    details="`results` correlates the order in which two datasets put models, and costs nothing. `embedding` "
    "compares what rows and labels mean, by a registered encoder. `task2vec` compares which of the encoder's units "
    "matter for the labels (Achille et al., 2019). Datasets of another modality are left out. What an encoder has "
    "computed is stored.",
    example="SIMILAR DATASETS TO reviews USING results",
)

RESUME_SELECTION = Statement(
    syntax=(
        Word("RESUME"),
        Word("SELECTION"),
        Clause(
            "this",
            Takes.VALUE,
            required=True,
            shown="id",
            expected="the selection's id, a number",
            names="selection",
            help="The selection's id, in `selections`.",
        ),
    ),
    form=Form.COMMAND,
    planner="modelstore.planner.select.resume:resume_selection",
    has_plan=False,
    columns=SELECT_BEST.columns,
    help="Finishes a selection that was stopped, failed or killed.",
    details="It goes on after the last completed stage, with the same options, models and dataset, and returns the "
    "rows that SELECT BEST would have returned.",
    example="RESUME SELECTION 1",
    instead="once it is done, its decisions are in selection_stages and its winner in selections",
)

LIST_LEFTOVERS = Statement(
    syntax=(Word("LIST"), Word("LEFTOVERS")),
    form=Form.COMMAND,
    planner="modelstore.planner.leftovers.statement:list_leftovers",
    has_plan=False,
    options="modelstore.options:LeftoverOptions",
    columns=(
        Column("path", "VARCHAR", "the file or folder"),
        Column("kind", "VARCHAR", "what it is, and why nobody needs it"),
        Column("bytes", "BIGINT", "its size"),
        Column("changed_at", "TIMESTAMP", "when something in it was last changed"),
    ),
    help="Lists what killed statements and dropped models have left in the folder of checkpoints.",
    details="These are models and runs that were being written, winners that were not recorded or whose model was "
    "dropped, runs of selections that are done, and runs of benchmarks that nobody has taken up again. What a "
    "selection goes on from, a winner that a selection has returned, and files of other stores are not listed.",
    example="LIST LEFTOVERS",
)

REMOVE_LEFTOVERS = Statement(
    syntax=(Word("REMOVE"), Word("LEFTOVERS")),
    form=Form.COMMAND,
    planner="modelstore.planner.leftovers.statement:remove_leftovers",
    has_plan=False,
    options="modelstore.options:LeftoverOptions",
    columns=LIST_LEFTOVERS.columns,
    help="Removes what LIST LEFTOVERS lists.",
    details="Its rows are what was removed.",
    example="REMOVE LEFTOVERS WITH (days = 30)",
)

IMPORT_RECORDS = Statement(
    syntax=(
        Word("IMPORT"),
        Word("RECORDS"),
        Clause(
            "records",
            Takes.NAMES,
            required=True,
            shown="name",
            expected="the name of public records, or ALL",
            choices="modelstore.public:NAMES",
            everything="ALL",
            help="The records, as SHOW RECORDS lists them.",
        ),
    ),
    form=Form.COMMAND,
    planner="modelstore.planner.records.statement:import_records",
    has_plan=False,
    columns=(
        Column("name", "VARCHAR", "the records, and the recipe that their results have"),
        Column("results", "BIGINT", "how many results they are"),
        Column("added", "BIGINT", "how many of them were not in the store yet"),
    ),
    help="Adds public results, which come with the package, to the results on record.",
    details="They have a recipe of their own, so that they mix with no other results: statements read them where "
    "`recipe` or `recipes` names it, and nothing is trained by it. Their models and datasets need not be registered. "
    "What is in the store already is not added again.",
    example="IMPORT RECORDS euroeval",
    instead="once it is done, the results are in benchmark_results",
)

SHOW_RECORDS = Statement(
    syntax=(Word("SHOW"), Word("RECORDS")),
    form=Form.COMMAND,
    planner="modelstore.planner.records.statement:show_records",
    has_plan=False,
    columns=(
        Column("name", "VARCHAR", "the records, and the recipe that their results have in a store"),
        Column("title", "VARCHAR", "what was trained on what"),
        Column("models", "BIGINT", "how many models"),
        Column("datasets", "BIGINT", "how many datasets"),
        Column("results", "BIGINT", "how many results"),
        Column("imported", "BIGINT", "how many of them are in this store"),
        Column("date", "VARCHAR", "when they were published: a year, or a month of it"),
        Column("license", "VARCHAR", "the license of the source"),
        Column("score", "VARCHAR", "what a score means"),
        Column("source", "VARCHAR", "where they were published"),
    ),
    help="Lists the public results that come with the package.",
    details="Where there is a table or view called `records`, the statement is DuckDB's, and describes that.",
    example="SHOW RECORDS",
    yields_to="records",
)

LANGUAGE = Language(
    (
        SELECT_BEST,
        RECALL_MODELS,
        EVALUATE_MODELS,
        COMPARE_STRATEGIES,
        SUGGEST_BENCHMARKS,
        SIMILAR_DATASETS,
        BENCHMARK_MODELS,
        CLUSTER_MODELS,
        CREATE_MODEL,
        CREATE_DATASET,
        CREATE_MODELS,
        CREATE_DATASETS,
        SEARCH_MODELS,
        DROP_MODEL,
        DROP_DATASET,
        PUBLISH_MODEL,
        EXPORT_MODEL,
        RESUME_SELECTION,
        LIST_LEFTOVERS,
        REMOVE_LEFTOVERS,
        IMPORT_RECORDS,
        SHOW_RECORDS,
    )
)
