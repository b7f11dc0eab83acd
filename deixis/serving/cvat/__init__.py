"""CVAT's auto-annotation functions: CVAT calls them with an image of a task, on the machine where the model runs.

    cvat-cli task auto-annotate 7 --function-module deixis.serving.cvat.detection -p labels=str:mug,car
    cvat-cli function create-native deixis --function-module deixis.serving.cvat.interaction

Source: cvat_sdk.auto_annotation.
"""
