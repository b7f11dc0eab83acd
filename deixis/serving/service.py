"""What the routes work with: a model, its scheduler, the files of the clients and the signals in them."""

import time

from anyio.to_thread import run_sync

from deixis.errors import DeixisError
from deixis.inference import Answer, GenerationOptions, Model
from deixis.inference.abilities import check_signal
from deixis.inference.lru_cache import LRUCache
from deixis.samples.sample import Sample
from deixis.serving.errors import RequestError, as_request_error
from deixis.serving.reading import ReadingLimits, SignalReader
from deixis.serving.scheduler import Job, QueueFull, Scheduler
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
        self.reader = SignalReader(
            ReadingLimits(seconds=settings.reading_s, memory_mb=settings.reading_mb), settings.readers
        )
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
        """The answer to a sample whose signals are open. Raises RequestError where the queue is full."""
        job = self.submit(sample, options)
        try:
            async for event in job:
                if event.answer is not None:
                    return event.answer
        finally:
            job.cancel()  # where whoever waits has left
        raise AssertionError("the last event is the answer")

    def submit(self, sample: Sample, options: GenerationOptions) -> Job:
        """The job of a sample. Raises RequestError where the queue is full."""
        try:
            return self.scheduler.submit(sample, options, deadline_s=self.settings.request_s)
        except QueueFull as full:
            seconds = max(1, round(full.retry_after_s))
            raise RequestError(
                f"the server has as many requests as it holds; ask again in {seconds} s",
                429,
                code="queue_full",
                headers={"Retry-After": str(seconds)},
            ) from None

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
