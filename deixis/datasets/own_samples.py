"""Our own files of samples as a source: for builds and mixtures, and to turn one form of shard into another.

    a shard (.jsonl, .tar, .parquet), or a folder of them

The pass over the files notes only where each sample is; it is read when its turn comes, its media too.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from deixis.datasets.source import DatasetConfig, Format, Item, Metadata, Row
from deixis.errors import DeixisError
from deixis.samples.sample import Sample, Skipped
from deixis.samples.shards import entry_sample, shard_form, shards_of


def scan_samples(config: DatasetConfig) -> Iterator[Row | Skipped]:
    """Where each sample is. A shard that is damaged is skipped from there on, and the next one follows."""
    for shard in shards_of(config.path):
        try:
            for place_in_shard in shard_form(shard).places(shard):
                value = {"shard": str(shard), "place": place_in_shard}
                yield Row(f"{shard.name}:{place_in_shard}", "sample", f"{shard.name}: {place_in_shard}", value)
        except (DeixisError, OSError) as error:
            yield Skipped(str(shard), str(error))


def read_samples(item: Item, metadata: Metadata, config: DatasetConfig) -> Iterator[Sample | Skipped]:
    """The sample at a place, with the content of its media where they lie in a tar."""
    where = item.one("sample").value
    shard = Path(where["shard"])
    found = entry_sample(shard_form(shard).entry(shard, where["place"]), shard)
    yield replace(found, split=config.split) if config.split and isinstance(found, Sample) else found


SAMPLES = Format(
    name="samples",
    title="files of samples as this program writes them",
    wants="a file ending in .jsonl, .tar or .parquet, or a folder of such",
    home="deixis/data/schema.json",
    licence="as the samples say",
    scan=scan_samples,
    read=read_samples,
)
