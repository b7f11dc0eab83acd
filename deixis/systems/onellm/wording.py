"""The questions of OneLLM's own evaluations by benchmark task, verbatim.

Source: csuhan/OneLLM@8587a47
eval/{image_cap_cococap,audio_cap_clothov2,fmri_cap_nsd,imu_cap_ego4d,point_cap_pointllm}.py.
"""

QUESTIONS = {
    "caption_image": "Provide a one-sentence caption for the provided image.",
    "caption_audio": "Provide a one-sentence caption for the provided audio.",
    "caption_video": "Provide a one-sentence caption for the provided video.",
    "caption_fmri": "Provide a one-sentence caption for the provided fMRI data.",
    "caption_imu": "Describe the scene.",
    "caption_point_cloud": "What is this?",
}
