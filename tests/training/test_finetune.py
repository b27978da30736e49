"""Fine-tuning: the loop learns, stages and checkpoints do not change its result, and saved models load again."""

import contextlib
import gc
import io
import os
import resource
import signal
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from transformers import (
    AutoImageProcessor,
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)
from whole_runs import finished

from modelstore.data.task_data import TaskData
from modelstore.errors import DatasetError, ModelError, StoreError, TrainingError
from modelstore.libraries import quiet
from modelstore.options import TrainingOptions
from modelstore.training.finetune import FineTuning

FAST = TrainingOptions(epochs=6, batch_size=16, learning_rate=3e-3, device="cpu")
ONE_EPOCH = replace(FAST, epochs=1)

Paths = Callable[[str], Path]
Datasets = Callable[..., TaskData]


def trained(model: str, path: Path, data: TaskData, options: TrainingOptions) -> FineTuning:
    return finished(FineTuning(model, path, data, options))


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("bert", "text"),
        ("roberta", "text"),
        ("albert", "text"),
        ("gpt2", "text"),
        ("t5", "text"),
        ("roberta", "pair"),
        ("gpt2", "pair"),
        ("distilbert", "regression"),
        ("gpt2", "regression"),
        ("vit", "image"),
        ("resnet", "image"),
        ("convnext", "image"),
        ("gpt2", "multi_label"),
        ("gpt2", "multi_label_pair"),
        ("vit", "multi_label_image"),
    ],
)
def test_fine_tuning_learns_an_easy_task(model: str, kind: str, model_path: Paths, dataset: Datasets) -> None:
    run = trained(model, model_path(model), dataset(kind), FAST)
    assert run.test() > 0.7  # chance is 0.5 for accuracy, less for the rest
    assert run.curve[-1].train_loss < 0.9 * run.curve[0].train_loss


def test_a_run_is_divided_into_stages(model_path: Paths, dataset: Datasets) -> None:
    data = dataset("text", rows=150)  # 10 batches of 16, the last of 6 rows
    options = replace(FAST, epochs=1.5, stages_per_epoch=4, keep="last")
    run = FineTuning("bert", model_path("bert"), data, options)
    assert run.stages == 6
    assert run.plan.batches == 15
    assert run.batches_per_stage == [2, 3, 3, 2, 2, 3]
    for number, batches in enumerate(run.batches_per_stage, 1):
        counted: list[int] = []
        point = run.advance(test=number == 6, on_batch=lambda: counted.append(1))  # noqa: B023
        assert len(counted) == batches
        assert (point.stage, point.epoch) == (number, number / 4)
        assert point.seconds > 0
        assert (point.test is None) == (number < 6)
    assert run.curve[-1].test == run.test()
    with pytest.raises(ValueError, match="all 6 stages"):
        run.advance()


def test_the_last_stage_is_shorter_where_the_epochs_are_not_whole(
    model_path: Paths, dataset: Datasets
) -> None:
    run = FineTuning("bert", model_path("bert"), dataset("text", rows=96), replace(FAST, epochs=2.5))
    assert run.batches_per_stage == [6, 6, 3]
    assert [run.advance().epoch for _ in range(3)] == [1.0, 2.0, 2.5]


def outcome(run: FineTuning) -> tuple[list[tuple[float, ...]], dict[str, torch.Tensor]]:
    points = [(p.stage, p.epoch, p.validation, p.train_loss) for p in run.curve]
    return points, {name: value.clone() for name, value in run.network.state_dict().items()}


def assert_same_run(one: FineTuning, other: FineTuning) -> None:
    (points, weights), (other_points, other_weights) = outcome(one), outcome(other)
    assert points == other_points
    assert all(torch.equal(weights[name], other_weights[name]) for name in weights)


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("bert", "text"),
        ("albert", "pair"),
        ("gpt2", "regression"),
        ("resnet", "image"),
        ("bert", "multi_label"),
    ],
)
def test_a_restored_run_continues_bit_for_bit(
    model: str, kind: str, model_path: Paths, dataset: Datasets, tmp_path: Path
) -> None:
    data, options = dataset(kind, rows=90), replace(FAST, epochs=2, stages_per_epoch=2)
    straight = trained(model, model_path(model), data, options)
    stopped = FineTuning(model, model_path(model), data, options)
    for stage in (1, 2):
        stopped.advance()
        stopped.save_state(tmp_path / f"{stage}")
    stopped.release()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["1", "2"]
    for stage in (1, 2):
        restored = FineTuning(model, model_path(model), data, options)
        restored.restore(tmp_path / f"{stage}")
        assert len(restored.curve) == stage
        assert restored.curve[-1].seconds == stopped.curve[stage - 1].seconds
        while len(restored.curve) < restored.stages:
            torch.rand(3)  # as other code in the process may draw
            restored.advance()
        assert_same_run(restored, straight)
        assert restored.test() == straight.test()


def test_restoring_a_broken_checkpoint_or_that_of_another_model_raises_store_error(
    model_path: Paths, dataset: Datasets, tmp_path: Path
) -> None:
    run = FineTuning("bert", model_path("bert"), dataset("text", rows=32), ONE_EPOCH)
    with pytest.raises(
        StoreError, match=r'the saved state of bert in ".*none" cannot be restored: .*No such file'
    ):
        run.restore(tmp_path / "none")
    run.save_state(tmp_path / "state")
    whole = (tmp_path / "state").read_bytes()
    for name, content in (("cut", whole[: len(whole) // 2]), ("empty", b""), ("other", b"not a state")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(StoreError, match=f'{name}" cannot be restored'):
            run.restore(tmp_path / name)
    other = FineTuning("roberta", model_path("roberta"), dataset("text", rows=32), ONE_EPOCH)
    with pytest.raises(StoreError, match=r'the saved state of roberta in ".*state" cannot be restored'):
        other.restore(tmp_path / "state")


def test_an_interrupted_checkpoint_leaves_no_partial_file(
    model_path: Paths, dataset: Datasets, tmp_path: Path
) -> None:
    run = FineTuning("bert", model_path("bert"), dataset("text", rows=32), ONE_EPOCH)
    handler = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for thousandths in range(1, 40):
            with contextlib.suppress(KeyboardInterrupt):
                signal.setitimer(signal.ITIMER_REAL, thousandths / 4000)
                run.save_state(tmp_path / "state")
                signal.setitimer(signal.ITIMER_REAL, 0)
            assert not list(tmp_path.glob("*.partial"))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)


def test_a_checkpoint_that_does_not_fit_the_disk_leaves_no_file(
    model_path: Paths, dataset: Datasets, tmp_path: Path
) -> None:
    run = FineTuning("bert", model_path("bert"), dataset("text", rows=32), ONE_EPOCH)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            run.save_state(tmp_path / "state")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(("model", "kind"), [("bert", "text"), ("resnet", "image")])
def test_runs_that_take_turns_train_as_they_would_alone(
    model: str, kind: str, model_path: Paths, dataset: Datasets
) -> None:
    data, options = dataset(kind, rows=96), replace(FAST, epochs=2, stages_per_epoch=2)
    seeds = (0, 1)
    alone = [trained(model, model_path(model), data, replace(options, seed=seed)) for seed in seeds]
    turns = [FineTuning(model, model_path(model), data, replace(options, seed=seed)) for seed in seeds]
    for _ in range(4):
        for run in turns:
            torch.rand(3)  # as other code in the process may draw
            run.advance(test=True)
    for run, other in zip(alone, turns, strict=True):
        assert_same_run(run, other)
    assert alone[0].curve[0].train_loss != alone[1].curve[0].train_loss


def test_the_number_of_stages_does_not_change_the_trained_weights(
    model_path: Paths, dataset: Datasets
) -> None:
    """Validation between stages does not affect training."""
    data = dataset("text", rows=96)
    straight = trained("bert", model_path("bert"), data, replace(FAST, epochs=2))
    staged = trained("bert", model_path("bert"), data, replace(FAST, epochs=2, stages_per_epoch=3))
    assert straight.curve[-1].validation == staged.curve[-1].validation
    weights = outcome(staged)[1]
    assert all(torch.equal(value, weights[name]) for name, value in outcome(straight)[1].items())


def test_a_run_leaves_torchs_random_state_unchanged(model_path: Paths, dataset: Datasets) -> None:
    torch.manual_seed(5)
    expected = torch.rand(4)
    torch.manual_seed(5)
    trained("bert", model_path("bert"), dataset("text", rows=32), ONE_EPOCH)
    assert torch.equal(torch.rand(4), expected)


def test_the_learning_rate_warms_up_and_decays(model_path: Paths, dataset: Datasets) -> None:
    run = FineTuning("bert", model_path("bert"), dataset("text", rows=320), replace(FAST, epochs=5))
    rates = (
        np.array([run.steps.optimizer.learning_rate(step) for step in range(run.plan.batches)])
        / FAST.learning_rate
    )
    assert run.plan.batches == 100
    assert rates[:6] == pytest.approx(np.arange(1, 7) / 6)
    assert rates.max() == pytest.approx(1)
    assert np.diff(rates[6:]) == pytest.approx(np.full(93, -1 / 94))
    assert rates[-1] == pytest.approx(1 / 94)


def test_biases_and_norms_have_no_weight_decay(model_path: Paths, dataset: Datasets) -> None:
    run = FineTuning("bert", model_path("bert"), dataset("text", rows=32), FAST)
    decay = {id(p): g["weight_decay"] for g in run.steps.optimizer.adamw.param_groups for p in g["params"]}
    by_name = {name: decay[id(p)] for name, p in run.network.named_parameters()}
    assert {by_name[n] for n in by_name if n.endswith("bias") or "LayerNorm" in n} == {0.0}
    assert {by_name[n] for n in by_name if "dense.weight" in n or "embeddings.weight" in n} == {0.01}


def test_a_head_of_other_classes_is_replaced(model_path: Paths, dataset: Datasets) -> None:
    data = dataset("text", rows=32)
    path = model_path("bert_classifier")
    stored = AutoModelForSequenceClassification.from_pretrained(path).classifier.weight

    def head(labels: tuple[str, ...]) -> torch.Tensor:
        run = FineTuning("m", path, replace(data, labels=labels), ONE_EPOCH)
        assert run.network.config.id2label == dict(enumerate(labels))
        return run.network.classifier.weight

    assert head(("bad", "good")).shape == (2, 32)  # of another size
    assert not torch.equal(head(("x", "y", "z")), stored)  # of the same size
    assert not torch.equal(head(("green", "red", "blue")), stored)  # in another order
    assert torch.equal(head(("Red", "GREEN", "blue")), stored)


@pytest.mark.parametrize(("model", "kind"), [("bert", "text"), ("gpt2", "pair"), ("vit", "image")])
def test_a_saved_model_predicts_the_same_when_transformers_loads_it(
    model: str, kind: str, model_path: Paths, dataset: Datasets, tmp_path: Path
) -> None:
    data = dataset(kind, rows=96)
    run = trained(model, model_path(model), data, ONE_EPOCH)
    run.save(tmp_path / "models" / "saved")
    assert os.listdir(tmp_path / "models") == ["saved"]
    directory = tmp_path / "models" / "saved"
    assert (directory / "model.safetensors").exists()
    if data.modality == "text":
        network = AutoModelForSequenceClassification.from_pretrained(directory)
        tokenizer = AutoTokenizer.from_pretrained(directory)
        texts = [
            data.test[name].to_pylist() for name in ("text", "text_pair") if name in data.test.column_names
        ]
        inputs = tokenizer(*texts, padding=True, return_tensors="pt")
        inputs = (
            {name: inputs[name] for name in ("input_ids", "attention_mask")} if model == "gpt2" else inputs
        )
    else:
        network = AutoModelForImageClassification.from_pretrained(directory)
        processor = AutoImageProcessor.from_pretrained(directory)
        images = [Image.open(io.BytesIO(image)).convert("RGB") for image in data.test["image"].to_pylist()]
        inputs = processor(images=images, return_tensors="pt")
    assert network.config.id2label == dict(enumerate(data.labels))
    assert network.config.problem_type == "single_label_classification"
    with torch.inference_mode():
        predicted = network.eval()(**inputs).logits.argmax(dim=1)
    assert predicted.tolist() == run.predict("test").tolist()


@pytest.mark.parametrize("model", ["distilbert", "gpt2"])
def test_a_saved_regressor_predicts_in_the_labels_own_units(
    model: str, model_path: Paths, dataset: Datasets, tmp_path: Path
) -> None:
    data = dataset("regression", rows=96)
    run = trained(model, model_path(model), data, ONE_EPOCH)
    predicted = run.predict("test")
    assert 950 < predicted.mean() < 1100
    run.save(tmp_path / "saved")
    assert run.predict("test").tolist() == predicted.tolist()  # saving changes nothing in the run
    network = AutoModelForSequenceClassification.from_pretrained(tmp_path / "saved")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "saved")
    encoded = tokenizer(data.test["text"].to_pylist(), padding=True, return_tensors="pt")
    with torch.inference_mode():
        logits = network.eval()(encoded["input_ids"], attention_mask=encoded["attention_mask"]).logits
    values = logits[:, 0].numpy()
    if model == "gpt2":  # its head has no bias
        values = values * network.config.target_deviation + network.config.target_mean
    assert values == pytest.approx(predicted, rel=1e-4)


def test_predictions_are_in_the_order_of_the_rows(model_path: Paths, dataset: Datasets) -> None:
    data = dataset("regression", rows=96)
    run = trained("distilbert", model_path("distilbert"), data, FAST)
    backwards = replace(data, test=data.test.take(list(range(data.test.num_rows))[::-1]))
    mirrored = trained("distilbert", model_path("distilbert"), backwards, FAST)
    assert mirrored.predict("test")[::-1] == pytest.approx(run.predict("test"), rel=1e-5)


def test_a_failed_save_leaves_no_directory(
    model_path: Paths, dataset: Datasets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = FineTuning("bert", model_path("bert"), dataset("text", rows=32), ONE_EPOCH)

    def interrupted(directory: Path) -> None:
        assert directory != tmp_path / "saved"
        raise KeyboardInterrupt

    monkeypatch.setattr(run.preprocessor, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run.save(tmp_path / "saved")
    assert not any(tmp_path.iterdir())


def test_saving_does_not_replace_an_existing_directory(
    model_path: Paths, dataset: Datasets, tmp_path: Path
) -> None:
    run = FineTuning("bert", model_path("bert"), dataset("text", rows=32), ONE_EPOCH)
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "kept").touch()
    with pytest.raises(OSError, match="saved"):
        run.save(tmp_path / "saved")
    assert [file.name for file in tmp_path.rglob("*")] == ["saved", "kept"]


def test_a_diverging_run_raises_training_error(model_path: Paths, dataset: Datasets) -> None:
    options = replace(ONE_EPOCH, learning_rate=1e30)
    run = FineTuning("bert", model_path("bert"), dataset("text", rows=64), options)
    with pytest.raises(TrainingError, match=r"bert on easy_text diverged.*smaller learning_rate than 1e\+30"):
        run.advance()


def test_running_out_of_memory_row_by_row_raises_training_error(
    model_path: Paths, dataset: Datasets, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = FineTuning("bert", model_path("bert"), dataset("text", rows=32), ONE_EPOCH)

    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(run.network, "forward", full)
    with pytest.raises(
        TrainingError, match=r"ran out of memory on device cpu, even row by row: use a smaller"
    ):
        run.advance()


def limited(run: FineTuning, rows: int) -> list[int]:
    """Makes a run's forward pass fail for more than ``rows`` rows; returns the list of the sizes that it tries."""
    tried: list[int] = []
    forward = run.network.forward

    def fits(*arguments: object, **inputs: torch.Tensor) -> object:
        tried.append(len(next(iter(inputs.values()))))
        output = forward(*arguments, **inputs)
        if tried[-1] > rows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return output

    run.network.forward = fits
    return tried


def without_dropout(run: FineTuning) -> FineTuning:
    for module in run.network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    for layer in run.network.bert.encoder.layer:
        layer.attention.self.dropout.p = 0.0
    return run


def test_a_batch_too_large_for_the_memory_is_split_with_the_same_result(
    model_path: Paths, dataset: Datasets, tmp_path: Path
) -> None:
    data, options = dataset("text", rows=40), replace(FAST, epochs=2, learning_rate=1e-3)
    whole, parted = (without_dropout(FineTuning("bert", model_path("bert"), data, options)) for _ in range(2))
    tried = limited(parted, 5)
    for run in (whole, parted):
        run.advance(test=True)
    # The whole batch is not tried again, not even in evaluation.
    assert tried[:8] == [16, 8, 4, 4, 4, 4, 4, 4]
    assert max(tried[3:]) == 4
    assert parted.curve[0].train_loss == pytest.approx(whole.curve[0].train_loss, rel=1e-5)
    weights = outcome(whole)[1]
    for name, value in outcome(parted)[1].items():
        assert torch.allclose(value, weights[name], atol=1e-4)
    parted.save_state(tmp_path / "state")
    restored = FineTuning("bert", model_path("bert"), data, options)
    restored.restore(tmp_path / "state")
    tried = limited(restored, 5)
    restored.advance()
    assert set(tried) == {4, 3}  # parts of batches of 16 and 8 rows, and of the last 6 validation rows


def test_an_attempt_that_ran_out_of_memory_does_not_change_the_run(
    model_path: Paths, dataset: Datasets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its gradients and random numbers are discarded: dropout is that of a run that used small parts at once."""
    data, options = dataset("text", rows=40), replace(FAST, epochs=1)
    knowing, finding = (FineTuning("bert", model_path("bert"), data, options) for _ in range(2))
    knowing.micro_batches.fitting = 4
    limited(finding, 5)
    for run in (knowing, finding):
        run.advance()
    assert_same_run(knowing, finding)


def test_an_interrupted_stage_adds_no_point_and_restores_the_random_state(
    model_path: Paths, dataset: Datasets
) -> None:
    run = FineTuning("bert", model_path("bert"), dataset("text", rows=64), ONE_EPOCH)
    state = torch.get_rng_state()
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored when run in the background
    try:
        with pytest.raises(KeyboardInterrupt):
            run.advance(on_batch=lambda: signal.raise_signal(signal.SIGINT))
    finally:
        signal.signal(signal.SIGINT, handler)
    assert run.curve == []
    assert torch.equal(torch.get_rng_state(), state)
    run.release()


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
@pytest.mark.parametrize("device", ["cuda", "cuda:1", "gpu"])
def test_a_device_that_this_machine_lacks_raises_training_error(
    device: str, model_path: Paths, dataset: Datasets
) -> None:
    with pytest.raises(
        TrainingError, match=f"device '{device}' is not on this machine: use one of auto, cpu$"
    ):
        FineTuning("bert", model_path("bert"), dataset("text", rows=32), replace(FAST, device=device))


@pytest.mark.parametrize(("model", "kind"), [("bert", "text"), ("resnet", "image")])
def test_a_released_run_frees_its_memory_without_a_garbage_collection(
    model: str, kind: str, model_path: Paths, dataset: Datasets
) -> None:
    run = trained(model, model_path(model), dataset(kind), ONE_EPOCH)
    weight, moments = weakref.ref(next(run.network.parameters())), weakref.ref(run.steps.optimizer)
    gc.collect()
    gc.disable()
    try:
        run.release()
        assert (weight(), moments()) == (None, None)
    finally:
        gc.enable()


@pytest.mark.gpu
@pytest.mark.parametrize(("model", "kind"), [("bert", "text"), ("resnet", "image"), ("gpt2", "multi_label")])
def test_fine_tuning_learns_on_cuda(model: str, kind: str, model_path: Paths, dataset: Datasets) -> None:
    options = replace(FAST, device="cuda")
    run = FineTuning(model, model_path(model), dataset(kind), options)
    while len(run.curve) < run.stages:
        run.advance()
        assert {p.device.type for p in run.network.parameters()} == {"cuda"}  # it rests there
    assert run.test() > 0.7


def test_more_stages_than_batches_in_an_epoch_raise_training_error(
    model_path: Paths, dataset: Datasets
) -> None:
    with pytest.raises(
        TrainingError, match=r"stages_per_epoch = 4 is more than .* easy_text \(2 of 16 rows\)"
    ):
        FineTuning("bert", model_path("bert"), dataset("text", rows=32), replace(FAST, stages_per_epoch=4))


def test_fine_tuning_a_model_of_the_other_modality_raises_model_error(
    model_path: Paths, dataset: Datasets
) -> None:
    with pytest.raises(ModelError, match=r"^model m \(vit\) is an image model, and the dataset is of text$"):
        FineTuning("m", model_path("vit"), dataset("text", rows=32), FAST)


def test_an_image_that_cannot_be_decoded_raises_dataset_error_with_its_row(
    model_path: Paths, dataset: Datasets
) -> None:
    data = dataset("image", rows=40)
    images = data.train["image"].to_pylist()
    images[35] = images[35][:60]
    train = data.train.set_column(0, "image", pa.array(images, pa.binary()))
    with pytest.raises(DatasetError, match=r"^the image in row 36 of the train split of dataset easy_image"):
        FineTuning("vit", model_path("vit"), replace(data, train=train), FAST)


@pytest.mark.parametrize("model", ["bert", "roberta", "gpt2", "t5"])
def test_empty_texts_and_texts_longer_than_the_model_takes_can_be_trained_on(
    model: str, model_path: Paths, dataset: Datasets
) -> None:
    data = dataset("text", rows=32)
    texts = ["", " ", "good " * 500, *data.train["text"].to_pylist()[3:]]
    run = FineTuning(
        model,
        model_path(model),
        replace(data, train=data.train.set_column(0, "text", pa.array(texts))),
        replace(ONE_EPOCH, max_length=512),
    )
    longest = {"bert": 64, "roberta": 18, "gpt2": 64, "t5": 64}[model]
    assert run.placed.inputs("train").lengths is not None
    assert run.placed.inputs("train").lengths.max() == longest
    run.advance()


@pytest.mark.parametrize(("model", "kind"), [("bert", "text"), ("bert_classifier", "text"), ("vit", "image")])
def test_fine_tuning_and_saving_print_nothing(
    model: str,
    kind: str,
    model_path: Paths,
    dataset: Datasets,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    path = model_path(model)
    capfd.readouterr()
    run = trained(model, path, dataset(kind, rows=32), ONE_EPOCH)
    run.save(tmp_path / "saved")
    assert capfd.readouterr() == ("", "")


def test_quiet_restores_the_settings_of_transformers() -> None:
    from huggingface_hub.utils import are_progress_bars_disabled
    from transformers.utils import logging

    def settings() -> tuple[int, bool, bool]:
        return logging.get_verbosity(), logging.is_progress_bar_enabled(), are_progress_bars_disabled()

    before = settings()
    with contextlib.suppress(RuntimeError), quiet():
        assert settings() == (logging.CRITICAL, False, True)
        raise RuntimeError
    assert settings() == before
