"""Token classification: word pieces, targets, fine-tuning, and models that transformers loads alone."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from tiny_models import WIDTH, byte_pairs
from token_rows import TAGS, token_table
from transformers import (
    AutoModelForTokenClassification,
    AutoTokenizer,
    BertForTokenClassification,
    GPT2Config,
    GPT2LMHeadModel,
    XLNetConfig,
    XLNetForTokenClassification,
)
from whole_runs import finished

from modelstore.data.task_data import TaskData
from modelstore.errors import ModelError
from modelstore.libraries import quiet
from modelstore.options import TrainingOptions
from modelstore.progress import shown_by
from modelstore.training import hardware
from modelstore.training.features import TOKENS_A_ROW, extract
from modelstore.training.finetune import FineTuning
from modelstore.training.inputs.loading import load_preprocessor, load_word_tokenizer
from modelstore.training.inputs.on_device import copy_to_device
from modelstore.training.inputs.tokens import IGNORED, WordInputs, WordPreprocessor
from modelstore.training.loading import load_for_training
from modelstore.training.targets import ClassTargets
from modelstore.training.token_targets import TokenTargets

FAST = TrainingOptions(epochs=3, batch_size=16, learning_rate=5e-3, max_length=32, device="cpu")

Paths = Callable[[str], Path]
Tagged = Callable[..., TaskData]


def trained(path: Path, data: TaskData, options: TrainingOptions = FAST) -> FineTuning:
    return finished(FineTuning("m", path, data, options))


def of(sentences: list[list[str]], data: TaskData) -> TaskData:
    """The dataset with these sentences for training, each word with the tag O."""
    ids = pa.array([[3] * len(words) for words in sentences], pa.list_(pa.int64()))
    return replace(data, train=pa.table({"text": sentences, "label": ids}))


def inputs_of(path: Path, data: TaskData, max_length: int = 32) -> WordInputs:
    network, _ = load_for_training("m", path, "text", data.labels, data.target.problem_type)
    preprocessor = load_preprocessor("m", path, "text", network, max_length, words=True)
    assert isinstance(preprocessor, WordPreprocessor)
    return preprocessor.split(data, "train")


def save(path: Path, network: Any, tokenizer: Any) -> Path:
    with quiet():
        network.save_pretrained(path)
        tokenizer.save_pretrained(path)
    return path


def logits_by_transformers(
    path: Path, data: TaskData, split: str, names: set[str], max_length: int
) -> np.ndarray:
    """The logits at the first piece of each word, one sentence at a time; NaN where a word has none."""
    network = AutoModelForTokenClassification.from_pretrained(path).eval()
    tokenizer = AutoTokenizer.from_pretrained(path)
    rows = []
    for words in data.split(split)["text"].to_pylist():
        encoded = tokenizer(
            words, is_split_into_words=True, return_tensors="pt", truncation=True, max_length=max_length
        )
        with torch.inference_mode():
            logits = network(**{name: encoded[name] for name in names if name in encoded}).logits[0].numpy()
        places = encoded.word_ids(0)
        for word in range(len(words)):
            rows.append(logits[places.index(word)] if word in places else np.full(logits.shape[1], np.nan))
    return np.array(rows)


# --- word pieces


@pytest.mark.parametrize("model", ["bert", "roberta", "gpt2", "t5"])
def test_each_word_is_at_its_first_piece(model: str, model_path: Paths, tagged: Tagged) -> None:
    sentences = [["the", "unknownword", "film"], ["good"], ["the"] * 40, ["a", "camera"]]
    inputs = inputs_of(model_path(model), of(sentences, tagged()), max_length=16)
    tokenizer = load_word_tokenizer("m", model_path(model))
    ids, _ = inputs.fields["input_ids"]
    starts = np.cumsum(inputs.lengths) - inputs.lengths
    before = 0
    for row, words in enumerate(sentences):
        encoded = tokenizer(words, is_split_into_words=True, truncation=True, max_length=16)
        begin, end = starts[row], starts[row] + inputs.lengths[row]
        assert ids[begin:end].tolist() == encoded["input_ids"]
        expected = [
            before + word if word is not None and encoded.word_ids(0).index(word) == place else -1
            for place, word in enumerate(encoded.word_ids(0))
        ]
        assert inputs.places[begin:end].tolist() == expected
        before += len(words)
    assert inputs.words.tolist() == [3, 1, 40, 2]
    assert 0 < (inputs.places >= 4).sum() - 2 < 40  # of forty words, those that fit


def test_a_word_without_a_piece_is_no_targets(model_path: Paths, tagged: Tagged) -> None:
    inputs = inputs_of(model_path("bert"), of([["the", "", "film"], ["", " "]], tagged()))
    places, sentences, positions = inputs.first_pieces(np.arange(2))
    assert (places.tolist(), sentences.tolist(), positions.tolist()) == ([0, 2], [0, 0], [1, 2])


def test_equal_texts_in_other_words_are_tokenised_apart(model_path: Paths, tagged: Tagged) -> None:
    one = inputs_of(model_path("bert"), of([["good", "film"], ["the"]], tagged()))
    other = inputs_of(model_path("bert"), of([["good"], ["film", "the"]], tagged()))
    joined = inputs_of(model_path("bert"), of([["good film"], ["the"]], tagged()))
    assert [x.lengths.tolist() for x in (one, other, joined)] == [[4, 3], [3, 4], [4, 3]]
    assert (joined.places >= 0).sum() == 2


@pytest.mark.parametrize("roberta", [True, False])
def test_words_get_the_blank_that_tells_them_from_parts_of_words(
    roberta: bool, tmp_path: Path, tagged: Tagged
) -> None:
    tokenizer = byte_pairs(roberta)
    tokenizer.backend_tokenizer.pre_tokenizer.add_prefix_space = False
    config = GPT2Config(vocab_size=len(tokenizer), n_embd=WIDTH, n_layer=1, n_head=2, n_positions=64)
    config.bos_token_id = config.eos_token_id = 0
    path = save(tmp_path / "m", GPT2LMHeadModel(config), tokenizer)
    run = trained(path, tagged(), replace(FAST, epochs=1))
    run.save(tmp_path / "saved")
    reloaded = AutoTokenizer.from_pretrained(tmp_path / "saved")
    pieces = reloaded(["the", "film"], is_split_into_words=True)["input_ids"]
    assert sum("Ġ" in piece for piece in reloaded.convert_ids_to_tokens(pieces)) == 2


def test_a_tokenizer_that_does_not_know_words_is_refused(model_path: Paths, tagged: Tagged) -> None:
    class Slow:
        is_fast = False

    network, _ = load_for_training("m", model_path("bert"), "text", TAGS, "token_classification")
    with pytest.raises(ModelError, match=r"\(Slow\) does not say which word a piece is of"):
        WordPreprocessor("m", Slow(), network, 32)


def test_a_type_without_a_token_classifier_is_refused(model_path: Paths, tagged: Tagged) -> None:
    with pytest.raises(ModelError, match="of type 'bart', which transformers makes no token classifier of"):
        FineTuning("m", model_path("bart"), tagged(), FAST)


# --- targets


def targets_of(path: Path, data: TaskData) -> tuple[TokenTargets, WordInputs]:
    inputs = inputs_of(path, data)
    return TokenTargets(data, lambda split: inputs), inputs


def test_the_loss_is_the_mean_over_the_words(model_path: Paths, tagged: Tagged) -> None:
    data = tagged(20)
    targets, inputs = targets_of(model_path("bert"), data)
    rows = np.array([4, 1, 7])
    length = int(inputs.lengths[rows].max()) + 3  # a batch on a GPU may have more padding
    logits = torch.randn(3, length, len(TAGS))
    losses, start = [], np.cumsum(data.tokens("train")) - data.tokens("train")
    for place, row in enumerate(rows):
        ids = data.train["label"][int(row)].as_py()
        pieces = inputs.places[inputs._starts[row] : inputs._starts[row] + inputs.lengths[row]]
        for word, tag in enumerate(ids):
            position = pieces.tolist().index(start[row] + word)
            losses.append(-logits[place, position].log_softmax(0)[tag])
    loss = targets.loss(*targets.aligned(logits, torch.from_numpy(rows)))
    assert loss.item() == pytest.approx(float(torch.stack(losses).mean()), rel=1e-5)
    assert targets.weight(rows) == len(losses) == int(targets.weight_on_device(torch.from_numpy(rows)))


def test_a_batch_without_words_has_no_loss(model_path: Paths, tagged: Tagged) -> None:
    targets, _ = targets_of(model_path("bert"), of([["", " "], ["the", "film"]], tagged()))
    logits = torch.randn(1, 4, len(TAGS), requires_grad=True)
    loss = targets.loss(*targets.aligned(logits, torch.tensor([0])))
    loss.backward()
    assert (loss.item(), targets.weight(np.array([0]))) == (0.0, 0)
    assert not logits.grad.any()


def test_padding_on_the_left_moves_targets_and_outputs(tmp_path: Path, tagged: Tagged) -> None:
    tokenizer = byte_pairs(roberta=False)
    config = XLNetConfig(vocab_size=len(tokenizer), d_model=WIDTH, n_layer=1, n_head=2, d_inner=32)
    path = save(tmp_path / "xlnet", XLNetForTokenClassification(config), tokenizer)
    data = tagged(20)
    targets, inputs = targets_of(path, data)
    assert inputs.left
    rows = np.array([2, 5, 11])
    length = int(inputs.lengths[rows].max()) + 2
    target = targets._on(torch.device("cpu"))[0].batch(torch.from_numpy(rows), length)["labels"].numpy()
    grid = torch.arange(3 * length).reshape(3, length, 1).float()
    picked = targets.outputs("train", rows, grid)[:, 0].long().numpy()
    flat = target.reshape(-1)
    assert sorted(picked) == np.flatnonzero(flat != IGNORED).tolist()
    assert flat[picked].tolist() == data.targets("train")[targets.places("train", rows)].tolist()


# --- fine-tuning


@pytest.mark.parametrize("model", ["bert", "bert_classifier", "roberta", "albert", "gpt2", "t5"])
def test_a_winner_gives_the_same_logits_in_transformers_alone(
    model: str, model_path: Paths, tagged: Tagged, tmp_path: Path
) -> None:
    run = trained(model_path(model), tagged())
    assert run.test() > 0.8
    assert run.curve[-1].train_loss < 0.5 * run.curve[0].train_loss
    run.save(tmp_path / "saved")
    with run._awake(), run._at_kept_point():
        ours = run.evaluation.logits("test")
    theirs = logits_by_transformers(
        tmp_path / "saved", run.data, "test", run.preprocessor.names, run.preprocessor.max_length
    )
    assert ours.shape == (run.data.tokens("test").sum(), len(TAGS))
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    config = AutoModelForTokenClassification.from_pretrained(tmp_path / "saved").config
    assert tuple(config.id2label.values()) == TAGS


@pytest.mark.parametrize("tuning", ["lora", "layerwise", "frozen"])
def test_other_tunings_train_tokens(tuning: str, model_path: Paths, tagged: Tagged, tmp_path: Path) -> None:
    options = replace(FAST, tuning=tuning, learning_rate=2e-2)
    if tuning == "lora":
        pytest.importorskip("peft")
    run = trained(model_path("bert"), tagged(metric="accuracy"), options)
    assert run.curve[-1].train_loss < run.curve[0].train_loss
    assert (run.placed.features is not None and run.placed.features.nbytes > 0) == (tuning == "frozen")
    run.save(tmp_path / "saved")
    with run._awake(), run._at_kept_point():
        ours = run.evaluation.logits("test")
    theirs = logits_by_transformers(tmp_path / "saved", run.data, "test", run.preprocessor.names, 32)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_the_features_of_a_frozen_base_are_those_of_the_tokens(model_path: Paths, tagged: Tagged) -> None:
    options = replace(FAST, tuning="frozen", keep="last")
    stored, passed = trained(model_path("bert"), tagged(), options), None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("modelstore.training.frozen_features.MAX_BYTES", 0)
        passed = trained(model_path("bert"), tagged(), options)
    assert [p.validation for p in stored.curve] == [p.validation for p in passed.curve]
    assert stored.curve[-1].train_loss == pytest.approx(passed.curve[-1].train_loss, rel=1e-5)


def test_micro_batches_have_the_gradients_of_their_batch(model_path: Paths, tagged: Tagged) -> None:
    gradients = []
    for fitting in (16, 5, 1):
        run = FineTuning("m", model_path("distilbert"), tagged(), FAST)
        run.network.eval()
        run.micro_batches.fitting = fitting
        rows = np.arange(16)
        loss = run.steps.backward(rows)
        gradients.append(
            (loss.item(), [p.grad.clone() for p in run.network.parameters() if p.grad is not None])
        )
    for loss, each in gradients[1:]:
        assert loss == pytest.approx(gradients[0][0], rel=1e-5)
        for one, other in zip(each, gradients[0][1], strict=True):
            torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)


def test_the_step_that_a_gpu_captures_is_the_eager_one(model_path: Paths, tagged: Tagged) -> None:
    rows, weights, losses = np.array([3, 9, 1, 12]), [], []
    for captured in (True, False):
        run = FineTuning("m", model_path("distilbert"), tagged(), FAST)
        run.network.eval()  # no dropout
        inputs = copy_to_device(run.placed.inputs("train"), run.device, run.preprocessor.max_length)
        assert inputs is not None
        run.steps.optimizer.set_learning_rate(5)
        if captured:
            run.placed.device_inputs = lambda _, given=inputs: given
            run.steps.take_captured(torch.from_numpy(rows), inputs.length_of(rows))
            losses.append(float(run.steps.loss_sum))
        else:
            losses.append(float(run.steps.backward(rows)) * run.targets.weight(rows))
            run.steps.optimizer.step()
        weights.append([p.detach().clone() for p in run.network.parameters()])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    for one, other in zip(*weights, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


@pytest.mark.gpu
@pytest.mark.parametrize("model", ["bert", "gpt2"])
def test_tokens_train_on_a_gpu_as_on_a_cpu(
    model: str, model_path: Paths, tagged: Tagged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelstore.training.cuda_graphs.BREAK_EVEN", 1)
    run = trained(model_path(model), tagged(), replace(FAST, epochs=6, device="cuda"))
    assert run.steps.graphs is not None
    assert run.steps.graphs.captured
    assert run.test() > 0.8
    run.leave_device()
    assert run.predict_scores("test").shape == (run.data.tokens("test").sum(), len(TAGS))


def test_words_that_are_cut_count_as_not_found_and_are_said(model_path: Paths, tagged: Tagged) -> None:
    data, said = tagged(metric="accuracy"), []

    class Display:
        def notify(self, message: str) -> None:
            said.append(message)

    with shown_by(Display()):  # type: ignore[arg-type]
        run = trained(model_path("bert"), data, replace(FAST, max_length=6))
        FineTuning("n", model_path("distilbert"), data, replace(FAST, max_length=6))
    [notice] = said
    read = int(np.minimum(data.tokens("train"), 4).sum())
    assert f"{100 - 100 * read / data.tokens('train').sum():.1f} % of the words in train of tagged" in notice
    cut = np.concatenate([np.arange(n) >= 4 for n in data.tokens("test")])
    predicted, scores = run.predict("test"), run.predict_scores("test")
    assert (predicted[cut] == -1).all()
    assert (predicted[~cut] >= 0).all()
    assert not scores[cut].any()
    np.testing.assert_allclose(scores[~cut].sum(axis=1), 1, rtol=1e-5)
    assert run.test() == pytest.approx(np.mean(predicted == data.targets("test")))
    assert run.test() <= 1 - cut.mean()


def test_a_checkpoint_goes_on_bit_for_bit(model_path: Paths, tagged: Tagged, tmp_path: Path) -> None:
    options = replace(FAST, learning_rate=None, stages_per_epoch=2)
    whole = trained(model_path("bert"), tagged(), options)
    begun = FineTuning("m", model_path("bert"), tagged(), options)
    begun.advance()
    begun.advance()
    begun.save_state(tmp_path / "state")
    rest = FineTuning("m", model_path("bert"), tagged(), options)
    rest.restore(tmp_path / "state")
    finished(rest)
    assert [(p.validation, p.train_loss) for p in rest.curve] == [
        (p.validation, p.train_loss) for p in whole.curve
    ]
    np.testing.assert_array_equal(rest.predict_scores("test"), whole.predict_scores("test"))


def test_a_head_of_the_same_tags_is_kept_and_any_other_is_new(model_copy: Paths, tagged: Tagged) -> None:
    path = model_copy("bert")
    for names in (TAGS, tuple(reversed(TAGS))):
        labels = {"id2label": dict(enumerate(names)), "label2id": {name: i for i, name in enumerate(names)}}
        with quiet():
            network = BertForTokenClassification.from_pretrained(path, num_labels=len(TAGS), **labels)
        network.classifier.weight.data.fill_(0.25)
        network.save_pretrained(path)
        loaded, _ = load_for_training("m", path, "text", TAGS, "token_classification")
        assert bool((loaded.classifier.weight == 0.25).all()) == (names == TAGS)


def test_a_classifier_of_texts_gets_a_new_head(model_copy: Paths) -> None:
    labels = ("red", "green", "blue")
    path = model_copy("bert_classifier")
    of_texts, _ = load_for_training("m", path, "text", labels)
    of_tokens, _ = load_for_training("m", path, "text", labels, "token_classification")
    assert not torch.equal(of_texts.classifier.weight, of_tokens.classifier.weight)


# --- proxies


@pytest.mark.parametrize("model", ["bert", "bert_classifier", "gpt2", "t5"])
def test_features_of_tokens_are_the_hidden_states_of_their_first_pieces(
    model: str, model_path: Paths, tagged: Tagged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "has_bfloat16_units", lambda: False)  # what is expected is in float32
    data = tagged(12)
    found = extract("m", model_path(model), data, rows=100, device="cpu")
    assert found.probabilities is None
    assert found.rows == 12
    assert found.labels.tolist() == data.targets("train").tolist()
    assert len(found.features) == data.tokens("train").sum()
    from transformers import AutoModel

    network, tokenizer = (
        AutoModel.from_pretrained(model_path(model)).eval(),
        load_word_tokenizer("m", model_path(model)),
    )
    base = network.get_encoder() if network.config.is_encoder_decoder else network
    words = data.train["text"][3].as_py()
    encoded = tokenizer(words, is_split_into_words=True, return_tensors="pt")
    with torch.inference_mode():
        hidden = base(**{name: encoded[name] for name in ("input_ids", "attention_mask")}).last_hidden_state[
            0
        ]
    before = int(data.tokens("train")[:3].sum())
    for word in range(len(words)):
        np.testing.assert_allclose(
            found.features[before + word], hidden[encoded.word_ids(0).index(word)].numpy(), atol=1e-4
        )


def test_features_are_of_so_many_tokens_and_of_every_tag(model_path: Paths, tagged: Tagged) -> None:
    data = tagged(160)
    found = extract("m", model_path("bert"), data, rows=10, device="cpu", max_length=8)
    assert found.rows == 10
    assert len(found.features) == len(found.labels) <= TOKENS_A_ROW * 10
    assert set(found.labels) == set(range(len(TAGS)))
    again = extract("m", model_path("bert"), data, rows=10, device="cpu", max_length=8, batch_size=3)
    np.testing.assert_allclose(found.features, again.features, atol=1e-5)
    assert (found.labels == again.labels).all()


def test_strata_of_sentences_are_their_rarest_tags() -> None:
    table = token_table(50, seed=3)
    data = TaskData("d", "token_classification", "f1_entity", "text", TAGS, table, table, table)
    counts = np.bincount(data.targets("train"), minlength=len(TAGS))
    rank = np.argsort(np.argsort(counts, kind="stable"))
    expected = [min(rank[tag] for tag in ids) for ids in table["label"].to_pylist()]
    assert data.strata("train").tolist() == expected


def test_token_targets_are_class_targets_of_words(model_path: Paths, tagged: Tagged) -> None:
    targets, _ = targets_of(model_path("bert"), tagged(20))
    logits = np.array([[2.0, 1.0, 0.0, 0.0], [np.nan] * 4, [0.0, 0.0, 0.0, 3.0]], np.float32)
    assert targets.predictions(logits).tolist() == [0, -1, 3]
    assert targets.scores(logits).sum(axis=1).round(5).tolist() == [1, 0, 1]
    read = [0, 2]
    expected = ClassTargets.evaluation_loss(targets, logits[read], np.array([0, 3]))
    assert targets.evaluation_loss(logits, np.array([0, 1, 3])) == pytest.approx(expected)
