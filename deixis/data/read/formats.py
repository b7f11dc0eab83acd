"""The formats that `deixis data read` and recipes know, by name."""

from deixis.data.read.caption_sets import AUDIOCAPS, CLOTHO, COCO_CAPTIONS
from deixis.data.read.class_folders import CLASS_FOLDERS
from deixis.data.read.coco import COCO
from deixis.data.read.ferret_bench import FERRET_BENCH
from deixis.data.read.ferret_lvis import FERRET_LVIS
from deixis.data.read.flickr30k import FLICKR30K
from deixis.data.read.grand import GRAND
from deixis.data.read.grand_f import GRAND_F
from deixis.data.read.grit import GRIT
from deixis.data.read.kosmos_grit import KOSMOS_GRIT
from deixis.data.read.labelled_clouds import CLOUDS
from deixis.data.read.labelme import LABELME
from deixis.data.read.llava import LLAVA
from deixis.data.read.lvis import LVIS
from deixis.data.read.map_sets import ADE20K, CLASS_MAPS, COCO_STUFF, MAPILLARY
from deixis.data.read.mask_folder import MASKS
from deixis.data.read.mdetr import MDETR
from deixis.data.read.objects365 import OBJECTS365
from deixis.data.read.onellm import ONELLM
from deixis.data.read.osprey import OSPREY
from deixis.data.read.parts import PACO_LVIS, PASCAL_PART
from deixis.data.read.question_sets import GQA, POPE, VQAV2
from deixis.data.read.reason_seg import REASON_SEG
from deixis.data.read.refcoco import GREFCOCO, REFCLEF, REFCOCO, REFCOCO_PLUS, REFCOCOG
from deixis.data.read.samples import SAMPLES
from deixis.data.read.source import Format
from deixis.data.read.visual_genome import VISUAL_GENOME
from deixis.data.read.voc import VOC

_ALL: tuple[Format, ...] = (
    COCO,
    LVIS,
    OBJECTS365,
    PACO_LVIS,
    PASCAL_PART,
    OSPREY,
    GRAND_F,
    GRAND,
    REASON_SEG,
    VISUAL_GENOME,
    ADE20K,
    COCO_STUFF,
    MAPILLARY,
    CLASS_MAPS,
    MASKS,
    LABELME,
    VOC,
    CLOUDS,
    CLASS_FOLDERS,
    FLICKR30K,
    MDETR,
    GREFCOCO,
    REFCLEF,
    REFCOCO,
    REFCOCO_PLUS,
    REFCOCOG,
    GRIT,
    KOSMOS_GRIT,
    LLAVA,
    ONELLM,
    COCO_CAPTIONS,
    CLOTHO,
    AUDIOCAPS,
    VQAV2,
    GQA,
    POPE,
    FERRET_LVIS,
    FERRET_BENCH,
    SAMPLES,
)

FORMATS: dict[str, Format] = {known.name: known for known in _ALL}
