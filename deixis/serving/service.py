"""What the routes work with: a model, its scheduler, the files of the clients and the signals in them."""

import time

from anyio.to_thread import run_sync

from deixis.errors import DeixisError
from deixis.inference import Answer, GenerationOptions, Model
from deixis.inference.abilities import check_signal
from deixis.inference.lru_cache import LRUCache
from deixis.samples.sample import Sample
from deixis.serving.errors import as_request_error
from deixis.serving.job import Job
from deixis.serving.reading import ReadingLimits, SignalReader
from deixis.serving.scheduler import Scheduler
from deixis.serving.settings import ServerSettings
from deixis.serving.uploads import Upload, UploadStore
from deixis.signals import Signal


class Service:
    """One model behind a queue, and the files that may be asked about. `close` ends everything.

    name: of the model, as clients call it.
    """

    def __init__(self, model: Model, settings: ServerSettings):
        self.model, self.settings, self.started_at = model, settings, time.time()
        self.uploads = UploadStore(settings)
        limits = ReadingLimits(settings.max_file_bytes, seconds=settings.reading_s, memory_mb=settings.reading_mb)
        self.reader = SignalReader(limits, settings.readers, model.network.config.signals)
        self.scheduler = Scheduler(model, settings.queue_size, settings.batch_rows)
        self.is_ready = True
        self._signals = LRUCache(settings.signal_cache_bytes)

    @property
    def name(self) -> str:
        return self.model.name

    def signal(self, identity: str, owner: str = "") -> Signal:
        """The signal in an uploaded file, read once and cached; blocks. Raises RequestError for one that cannot be
        read."""
        return self._read(self.uploads.get(identity, owner))

    async def open(self, upload: Upload, param: str = "file") -> Signal:
        """The signal in a file, read beside the server's loop. Raises RequestError, also for a modality that the model
        does not take."""
        try:
            signal = await run_sync(self._read, upload)
            check_signal(signal.modality, signal.name, self.model.abilities)
        except DeixisError as error:
            raise as_request_error(error, param) from None
        return signal

    async def answer(self, sample: Sample, options: GenerationOptions) -> Answer:
        """The answer to a sample whose signals are open. Raises what the model raises, and QueueFull."""
        job = self.submit(sample, options, stream=False)
        try:
            return await job.answer()
        finally:
            job.cancel()  # where whoever waits has left

    def submit(self, sample: Sample, options: GenerationOptions, stream: bool) -> Job:
        """The job of a sample, whose events are wanted as they come or all at once. Raises QueueFull."""
        return self.scheduler.submit(sample, options, self.settings.request_s, stream)

    def statistics(self) -> dict[str, float]:
        """Numbers of the scheduler, the reader and the stored files for metrics; those that only grow end in _total."""
        own = self.scheduler.stats()
        return {
            "queue_length": own.queue_length,
            "active_rows": own.active_rows,
            "tokens_per_second": own.tokens_per_second,
            **{f"answers_{outcome}_total": count for outcome, count in own.requests.items()},
            "prompt_tokens_total": own.prompt_tokens,
            "generated_tokens_total": own.generated_tokens,
            "first_tokens_total": own.first_tokens,
            "first_token_seconds_total": own.first_token_s,
            "answer_seconds_total": own.answer_s,
            "model_busy_seconds_total": own.busy_s,
            "reader_restarts_total": self.reader.restarts,
            "stored_bytes": self.uploads.stored_bytes,
        }

    def drain(self) -> None:
        """Takes no more questions and waits for those that were accepted."""
        self.is_ready = False
        self.scheduler.drain(self.settings.request_s)

    def close(self) -> None:
        """Ends the scheduler and the readers and removes the files."""
        self.is_ready = False
        self.scheduler.close()
        self.reader.close()
        self.uploads.close()

    def _read(self, upload: Upload) -> Signal:
        key = ("signal", upload.id)
        signal = self._signals.get(key)
        if signal is None:
            signal = self.reader.read(upload.path, upload.name, upload.modality, upload.number)
            self._signals.put(key, signal)
        return signal
