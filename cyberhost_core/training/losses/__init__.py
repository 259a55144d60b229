"""What a model is trained for, one file each; a stage lists its losses.

loss                 what they have in common
denoising            the plain error            local_enhancement   with hands and face weighed, and heatmaps
face_details         eyes and mouth             region_masks        where the regions are
pose_presence        are body and hands there?
parts_reweighting    hands, face and body, as sure as their keypoints are
"""
