"""What the routes work with: a model, its scheduler, the files of the clients and the signals in them."""

import time
from collections.abc import Iterable

from anyio import CapacityLimiter, fail_after
from anyio.to_thread import run_sync

from deixis.errors import DeixisError
from deixis.inference import Answer, GenerationOptions, Model
from deixis.inference.abilities import check_signal
from deixis.inference.lru_cache import LRUCache
from deixis.samples.sample import Sample
from deixis.serving.errors import RequestError, as_request_error
from deixis.serving.job import Job
from deixis.serving.reading import ReadingLimits, SignalReader
from deixis.serving.refusals import DeadlineExceeded, QueueFull
from deixis.serving.scheduler import Scheduler
from deixis.serving.settings import ServerSettings
from deixis.serving.uploads import Upload, UploadStore
from deixis.signals import Signal

READING_RETRY_S = 5.0
"""After which a client may send a file again where too many wait to be read."""


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
        self._reading = CapacityLimiter(settings.readers)  # files wait here, and hold no thread that others need
        self._to_read = 0  # files that are read or wait

    @property
    def name(self) -> str:
        return self.model.name

    async def add(
        self,
        name: str,
        content: Iterable[bytes],
        owner: str,
        modality: str | None = None,
        number: float | None = None,
        param: str = "file",
    ) -> tuple[Upload, Signal]:
        """A file of a client, stored, and the signal in it. Raises RequestError as `open`; a file that is refused is
        not kept."""
        upload = await run_sync(self.uploads.add, name, content, owner, modality, number)
        try:
            return upload, await self.open(upload, param)
        except RequestError:
            self.uploads.discard(upload.id)
            raise

    async def open(self, upload: Upload, param: str = "file") -> Signal:
        """The signal in a stored file, read once and cached. Raises RequestError, also for a modality that the model
        does not take, and where too many files wait to be read."""
        key = ("signal", upload.id)
        try:
            signal = self._signals.get(key)
            if signal is None:
                signal = await self._read(upload)
                self._signals.put(key, signal)
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

    async def _read(self, upload: Upload) -> Signal:
        if self._to_read >= self.settings.queue_size + self.settings.readers:
            raise QueueFull(self.settings.queue_size, READING_RETRY_S)
        how = upload.path, upload.name, upload.modality, upload.number
        self._to_read += 1
        try:
            with fail_after(self.settings.request_s):
                return await run_sync(self.reader.read, *how, limiter=self._reading)
        except TimeoutError:
            raise DeadlineExceeded(self.settings.request_s) from None
        finally:
            self._to_read -= 1
