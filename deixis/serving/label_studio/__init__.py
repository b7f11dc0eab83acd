"""Label Studio's contract for machine-learning backends: tasks and drawn regions in, pre-annotations out.

Sources: HumanSignal/label-studio-ml-backend (label_studio_ml/api.py), and the documentation of the format of tasks.
"""
