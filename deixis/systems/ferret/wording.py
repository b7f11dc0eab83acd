"""The questions of Ferret's own evaluations by benchmark task, verbatim.

Source: apple/ml-ferret@3c9e5c93 ferret/eval/{model_refcoco,model_flickr,model_lvis}.py.
"""

from deixis.systems.ferret.prompts import flickr_question, refcoco_question

QUESTIONS = {
    "refer_box": lambda text: refcoco_question(text),
    "ground_phrases": lambda text: flickr_question(text.split(", ")),  # phrases without commas, joined by ", "
    "which_of_two": "Is the object {0} of the image a $name or a $other?",
}
