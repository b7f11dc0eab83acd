"""The formats that `deixis data read` and recipes know, by name."""

from deixis.datasets.classification.class_folders import CLASS_FOLDERS
from deixis.datasets.classification.time_series import TIME_SERIES
from deixis.datasets.detection.coco import COCO
from deixis.datasets.detection.coco_variants import LVIS, OBJECTS365, PACO_LVIS, PASCAL_PART
from deixis.datasets.detection.labelme import LABELME
from deixis.datasets.detection.visual_genome import VISUAL_GENOME
from deixis.datasets.detection.voc import VOC
from deixis.datasets.grounding.ferret_bench import FERRET_BENCH
from deixis.datasets.grounding.ferret_lvis import FERRET_LVIS
from deixis.datasets.grounding.flickr30k import FLICKR30K
from deixis.datasets.grounding.grand import GRAND
from deixis.datasets.grounding.grand_f import GRAND_F
from deixis.datasets.grounding.grit import GRIT
from deixis.datasets.grounding.kosmos_grit import KOSMOS_GRIT
from deixis.datasets.grounding.mdetr import MDETR
from deixis.datasets.grounding.osprey import OSPREY
from deixis.datasets.grounding.refcoco import GREFCOCO, REFCLEF, REFCOCO, REFCOCO_PLUS, REFCOCOG
from deixis.datasets.instruction.caption_sets import AUDIOCAPS, CLOTHO, COCO_CAPTIONS
from deixis.datasets.instruction.llava import LLAVA
from deixis.datasets.instruction.onellm import ONELLM
from deixis.datasets.instruction.question_sets import GQA, POPE, VQAV2
from deixis.datasets.own_samples import SAMPLES
from deixis.datasets.segmentation.labelled_clouds import CLOUDS
from deixis.datasets.segmentation.map_sets import ADE20K, CLASS_MAPS, COCO_STUFF, MAPILLARY
from deixis.datasets.segmentation.mask_folder import MASKS
from deixis.datasets.segmentation.reason_seg import REASON_SEG
from deixis.datasets.source import Format

_ALL: tuple[Format, ...] = (
    *(COCO, LVIS, OBJECTS365, PACO_LVIS, PASCAL_PART, LABELME, VOC, VISUAL_GENOME),
    *(ADE20K, COCO_STUFF, MAPILLARY, CLASS_MAPS, MASKS, CLOUDS, REASON_SEG, CLASS_FOLDERS, TIME_SERIES),
    *(REFCOCO, REFCOCO_PLUS, REFCOCOG, GREFCOCO, REFCLEF, FLICKR30K, MDETR, GRIT, KOSMOS_GRIT),
    *(GRAND, GRAND_F, OSPREY, FERRET_LVIS, FERRET_BENCH, LLAVA, ONELLM),
    *(COCO_CAPTIONS, CLOTHO, AUDIOCAPS, VQAV2, GQA, POPE, SAMPLES),
)

FORMATS: dict[str, Format] = {known.name: known for known in _ALL}
