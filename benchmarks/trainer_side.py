"""transformers' `Trainer` made to do what a run of the engine does: the other side of trainer.py and selection.py.

Same model, rows and first weights of the head; same hyperparameters: AdamW with its decay groups, linear decay after
a warm-up, clipping, batch sizes, precision, epochs, seed. Texts go through one call of the model's own tokenizer,
cut at the same length, and are padded to the longest of their batch; images through the model's own processor;
a regression's targets are standardised. All else is left as `Trainer` comes, its order of rows too.
"""

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import (
    AutoImageProcessor,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)
from transformers.trainer_callback import PrinterCallback

from modelstore.data.task_data import TaskData
from modelstore.libraries import quiet
from modelstore.options import TrainingOptions
from modelstore.training import finetune
from modelstore.training import optimizer as optimization
from modelstore.training.evaluation import EVALUATION_BATCH
from modelstore.training.hardware import pick_device
from modelstore.training.loading import load_for_training
from modelstore.training.metrics import score

Rows = list[dict[str, Any]]


class _StopAfter(TrainerCallback):
    def __init__(self, epochs: int):
        self.epochs = epochs

    def on_epoch_end(self, arguments: Any, state: Any, control: Any, **_: Any) -> None:
        control.should_training_stop = state.epoch >= self.epochs


class TrainerSide:
    """A `Trainer` for one model on one dataset; ``stop_after`` epochs its run ends, at the rate of a whole one.

    ``settings`` are further ones of `TrainingArguments`.
    """

    def __init__(
        self,
        path: Path,
        data: TaskData,
        options: TrainingOptions,
        folder: Path,
        stop_after: int | None = None,
        **settings: Any,
    ):
        self.data = data
        torch.manual_seed(options.seed)
        network, _ = load_for_training("model", path, data.modality, data.labels, data.target.problem_type)
        device = pick_device(options.device)
        self._mean, self._deviation = 0.0, 1.0
        if not data.labels:
            targets = data.train["label"].to_numpy()
            self._mean, self._deviation = targets.mean(), targets.std()
        with quiet():
            if data.modality == "text":
                self.preprocessor = AutoTokenizer.from_pretrained(path)
                if self.preprocessor.pad_token_id is None:
                    self.preprocessor.pad_token = self.preprocessor.eos_token
                if network.config.pad_token_id is None:
                    network.config.pad_token_id = self.preprocessor.pad_token_id
            else:
                self.preprocessor = AutoImageProcessor.from_pretrained(path, backend="pil")
        self._max_length, self._config = options.max_length, network.config
        steps = -(-data.train.num_rows // options.batch_size) * options.epochs
        arguments = TrainingArguments(
            str(folder),
            num_train_epochs=options.epochs,
            per_device_train_batch_size=options.batch_size,
            per_device_eval_batch_size=EVALUATION_BATCH[device.type] * options.batch_size,
            learning_rate=options.learning_rate,
            lr_scheduler_type=options.schedule,
            warmup_steps=max(1, round(options.warm_up * steps)),
            weight_decay=options.weight_decay,
            max_grad_norm=optimization.MAX_GRADIENT_NORM,
            bf16=finetune.precision(network, device) == torch.bfloat16,
            use_cpu=device.type == "cpu",
            seed=options.seed,
            eval_strategy="epoch",
            logging_strategy="no",
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            dataloader_pin_memory=device.type == "cuda",
            **settings,
        )
        self.trainer = Trainer(
            network,
            arguments,
            data_collator=DataCollatorWithPadding(self.preprocessor) if data.modality == "text" else None,
            train_dataset=self.rows("train"),
            eval_dataset=self.rows("validation"),
            callbacks=[] if stop_after is None else [_StopAfter(stop_after)],
        )
        self.trainer.remove_callback(PrinterCallback)

    def rows(self, split: str) -> Rows:
        """A split as `Trainer` takes it: row by row, without padding."""
        table = self.data.split(split)
        labels = table["label"].to_numpy()
        if not self.data.labels:
            labels = ((labels - self._mean) / self._deviation).astype(np.float32)
        with quiet():
            columns = self._texts(table) if self.data.modality == "text" else self._images(table)
        names = list(columns)
        return [
            {**dict(zip(names, values, strict=True)), "labels": label}
            for *values, label in zip(*columns.values(), labels.tolist(), strict=True)
        ]

    def _texts(self, table: Any) -> dict[str, list[Any]]:
        texts = [table[name].to_pylist() for name in ("text", "text_pair") if name in table.column_names]
        length = min(self._max_length, self.preprocessor.model_max_length)
        encoded = dict(self.preprocessor(*texts, truncation=True, max_length=length))
        if getattr(self._config, "type_vocab_size", 0) < 2:
            encoded.pop("token_type_ids", None)  # GPT-2 would look them up among its words
        return encoded

    def _images(self, table: Any) -> dict[str, Any]:
        images = [Image.open(io.BytesIO(image)).convert("RGB") for image in table["image"].to_pylist()]
        return {"pixel_values": self.preprocessor(images=images, return_tensors="pt")["pixel_values"]}

    def score(self, split: str) -> float:
        """The task's metric on a split, as the model is now."""
        outputs = self.trainer.predict(self.rows(split)).predictions
        predicted = outputs.argmax(axis=1) if self.data.labels else outputs[:, 0]
        return score(self.data.metric, predicted, self.data.split(split)["label"].to_numpy())
